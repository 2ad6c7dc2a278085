/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the probes do: what happens to a path name inside the dcache. One program per
 * role and phase; plan.go says to which kernel function each is attached. Written for
 * 5.10 and later: bounded code, no loops, no helper younger than that.
 *
 * Two units include this, dcache.bpf.c for fentry and fexit, kprobe.bpf.c for kprobes
 * and kretprobes. Each says first how its programs see the kernel:
 *
 *   READ(p, member)                   a member of a kernel structure
 *   ENTER_PROBE(name, ...)            a program on entry, in which
 *     ARG(n)                          is the n-th argument, from 0
 *   EXIT_PROBE(name, ...)             a program on return, in which
 *     RET(args)                       is the value of a function with so many arguments
 *   EXIT_ARG_PROBE(name, role, n, ...)  a program on return, in which
 *     arg                             is the n-th argument as it was on entry
 *   CURRENT_TASK()                    the task_struct, in any
 */
#ifndef DTREC_DCACHE_H
#define DTREC_DCACHE_H

#include "emit.h"
#include "kernel.h"

/* ---- dentries ---- */

static __always_inline void read_parent(struct record *r, const struct dentry *parent)
{
	r->parent = (__u64)parent;
	if (!parent)
		return;
	if (READ(parent, d_parent) == parent)
		r->facts |= FACT_PARENT_IS_ROOT;
	if (READ(parent, d_flags) & dcache_op_hash)
		r->facts |= FACT_PARENT_OP_HASH;
}

static __always_inline void read_dentry(struct record *r, const struct dentry *dentry)
{
	r->dentry = (__u64)dentry;
	if (!dentry)
		return;
	read_parent(r, READ(dentry, d_parent));
	r->inode = (__u64)READ(dentry, d_inode);
	r->name_addr = (__u64)READ(dentry, d_name.name);
	r->name_len = READ(dentry, d_name.len);
	r->hash = READ(dentry, d_name.hash);
	if (READ(dentry, d_flags) & dcache_mounted)
		r->facts |= FACT_MOUNTPOINT;
	if (!READ(dentry, d_hash.pprev))
		r->facts |= FACT_UNHASHED;
}

/* Which file system a dentry is of; user space asks for the type's name once. */
static __always_inline void read_filesystem(struct record *r, const struct dentry *dentry)
{
	const struct super_block *sb = READ(dentry, d_sb);

	r->flags = READ(sb, s_dev);
	r->value = (__u64)READ(sb, s_type);
}

/*
 * The dentry is in the trace: what happens to it from now on is recorded whoever does
 * it. An event whose dentry finds no room says so.
 */
static __always_inline void watch_at(struct record *r, __u64 key)
{
	__u8 one = 1;

	if (match_all || !key || bpf_map_lookup_elem(&watch, &key))
		return;
	if (bpf_map_update_elem(&watch, &key, &one, 0)) {
		r->facts |= FACT_UNWATCHED;
		lost(LOSS_UNWATCHED, r);
	}
}

/* Watched first and read then: what another task changes in between is recorded. */
static __always_inline void watch_and_read(struct record *r, const struct dentry *dentry)
{
	watch_at(r, (__u64)dentry);
	read_dentry(r, dentry);
}

static __always_inline bool is_watched(const struct dentry *dentry)
{
	__u64 key = (__u64)dentry;

	return match_all || bpf_map_lookup_elem(&watch, &key) != NULL;
}

static __always_inline void forget(const struct dentry *dentry)
{
	__u64 key = (__u64)dentry;

	if (!match_all)
		bpf_map_delete_elem(&watch, &key);
}

/* ---- what the roles have in common ---- */

/* Entry of a lookup or alloc: the key it is about. The parent is watched as well, or another directory
 * at its address would pass for it. */
static __always_inline void key_event(enum role role, const struct dentry *parent, const struct qstr *name)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, role, ENTER);
	read_parent(&r, parent);
	watch_at(&r, r.parent);
	if (name) {
		r.name_addr = (__u64)READ(name, name);
		r.name_len = READ(name, len);
		r.hash = READ(name, hash);
	}
	if (parent)
		read_filesystem(&r, parent);
	emit_name(&r);
}

static __always_inline void dentry_event(enum role role, enum phase phase, const struct dentry *dentry, __u64 value)
{
	struct record r = {};

	begin(&r, role, phase);
	r.value = value;
	watch_and_read(&r, dentry);
	if (role == ROLE_ALLOC && dentry)
		read_filesystem(&r, dentry);
	if (role == ROLE_DELETE || role == ROLE_MOVE || role == ROLE_UNLINK)
		timed(&r);
	emit_name(&r);
}

/* Exit of a lookup: the dentry it returned, or NULL. */
static __always_inline void found_event(enum role role, const struct dentry *dentry)
{
	if (enabled && is_target())
		dentry_event(role, EXIT, dentry, 0);
}

/* Something done to a dentry by a target, or by anyone to a watched one. */
static __always_inline void done_event(enum role role, enum phase phase, const struct dentry *dentry, __u64 value)
{
	if (enabled && (is_target() || is_watched(dentry)))
		dentry_event(role, phase, dentry, value);
}

/* The end of a dentry that was seen before; drop_caches ends thousands that were not. */
static __always_inline void end_event(enum role role, const struct dentry *dentry, bool last)
{
	struct record r = {};

	if (!enabled || !is_watched(dentry))
		return;
	begin(&r, role, ENTER);
	read_dentry(&r, dentry);
	emit_name(&r);
	if (last)
		forget(dentry);
}

/* ---- where the walk of a path starts ---- */

/* A member of memory that no program has a typed pointer to. */
#define PEEK(p, member)                                                          \
	({                                                                       \
		typeof(((void)0, (p)->member)) peeked_ = 0;                      \
		bpf_probe_read_kernel(&peeked_, sizeof(peeked_),                 \
				      __builtin_preserve_access_index(&(p)->member)); \
		peeked_;                                                         \
	})

static __always_inline const struct dentry *directory_of(const struct task_struct *task, __s32 dfd)
{
	const struct files_struct *files = PEEK(task, files);
	const struct fdtable *fdt = PEEK(files, fdt);
	struct file **fds = PEEK(fdt, fd);
	const struct file *file = NULL;

	if (dfd < 0 || (__u32)dfd >= PEEK(fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), fds + dfd);
	return file ? PEEK(file, f_path.dentry) : NULL;
}

#define AT_FDCWD -100

/* The path is at r->name_addr; given is a root that the kernel chose, or NULL. */
static __always_inline void read_start(struct record *r, __s32 dfd, const struct path *given)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct fs_struct *fs = PEEK(task, fs);
	char first = 0;

	r->hash = dfd;
	if (given && PEEK(given, dentry)) {
		r->dentry = (__u64)PEEK(given, dentry);
		return;
	}
	bpf_probe_read_kernel(&first, sizeof(first), (const void *)r->name_addr);
	if (first == '/')
		r->dentry = (__u64)PEEK(fs, root.dentry);
	else if (dfd == AT_FDCWD)
		r->dentry = (__u64)PEEK(fs, pwd.dentry);
	else
		r->dentry = (__u64)directory_of(task, dfd);
	if ((__u64)PEEK(fs, root.mnt) != own_root[0] || (__u64)PEEK(fs, root.dentry) != own_root[1])
		r->facts |= FACT_OTHER_ROOT;
}

#define IS_ERR_OR_NULL(value) ((__u64)(value) - 1 >= (__u64)-4096)

/* Entry of what walks a path: the path and where it starts. Where the kernel could not take it from the caller there is
 * an error in place of the struct filename. */
static __always_inline void path_event(struct record *r, __s32 dfd, const struct filename *pathname, const struct path *given)
{
	if (IS_ERR_OR_NULL(pathname)) {
		r->hash = dfd;
		emit(r);
		return;
	}
	r->name_addr = (__u64)READ(pathname, name);
	read_start(r, dfd, given);
	emit_path(r, (const char *)r->name_addr);
}

/* ---- open ---- */

static __always_inline void enter_open(const struct record *r)
{
	__u32 tid = bpf_get_current_pid_tgid(), one = 1, *depth;

	if (!may_leave())
		return;
	depth = bpf_map_lookup_elem(&opening, &tid);
	if (depth)
		(*depth)++;
	else if (bpf_map_update_elem(&opening, &tid, &one, 0))
		lost(LOSS_WATCH_OVERFLOW, r);
}

static __always_inline void leave_open(void)
{
	__u32 tid = bpf_get_current_pid_tgid(), *depth;

	if (!may_leave())
		return;
	depth = bpf_map_lookup_elem(&opening, &tid);
	if (depth && *depth > 1)
		(*depth)--;
	else if (depth)
		bpf_map_delete_elem(&opening, &tid);
}

/* struct file *do_filp_open(int dfd, struct filename *pathname, const struct open_flags *op) */
static __always_inline void on_open_enter(__s32 dfd, const struct filename *pathname, const struct open_flags *op)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_OPEN, ENTER);
	enter_open(&r);
	enters(&r);
	r.flags = READ(op, open_flag);
	r.mode = READ(op, mode);
	path_event(&r, dfd, pathname, NULL);
}

ENTER_PROBE(open_enter, on_open_enter(ARG(0), (const struct filename *)ARG(1), (const struct open_flags *)ARG(2)))

/* The last component's name may be of any length; 255 covers every dentry. */
static __always_inline void emit_opened(const struct record *r, const char *fstype)
{
	const void *src = (const void *)r->name_addr;
	__u64 n = r->name_len; /* 64 bits: compared and passed on as one register */

	if (n > 255)
		n = 255;
	barrier_var(n);
	EMIT_NAMED(r, src, n & 255, FSTYPE_BYTES, 256,
		   bpf_probe_read_kernel_str(rec->name, FSTYPE_BYTES, fstype));
}

static __always_inline void emit_not_opened(const struct record *r)
{
	struct {
		struct record head;
		char fstype[FSTYPE_BYTES];
	} *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);

	if (!rec) {
		lost(LOSS_RING_BUFFER, r);
		return;
	}
	copy_head(&rec->head, r);
	rec->fstype[0] = 0;
	submit(rec, r->time);
}

static __always_inline void on_open_exit(const struct file *file)
{
	struct record r = {};
	const struct dentry *dentry;
	const struct super_block *sb;
	const struct file_system_type *type;

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_OPEN, EXIT);
	leave_open();
	leaves(&r);
	r.value = (__u64)file;
	if (IS_ERR_OR_NULL(r.value)) {
		emit_not_opened(&r);
		return;
	}
	dentry = READ(file, f_path.dentry);
	watch_and_read(&r, dentry);
	sb = READ(dentry, d_sb);
	type = READ(sb, s_type);
	r.flags = READ(sb, s_dev);
	emit_opened(&r, READ(type, name));
}

EXIT_PROBE(open_exit, on_open_exit((const struct file *)RET(3)))

/* ---- walks that open nothing ---- */

static __always_inline void walk_entered(enum role role, __s32 dfd, const struct filename *pathname, const struct path *given)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, role, ENTER);
	enter_open(&r);
	enters(&r);
	path_event(&r, dfd, pathname, given);
}

static __always_inline void walk_returned(enum role role, const struct path *path, __s32 ret)
{
	struct record r = {};
	const struct dentry *dentry;

	if (!enabled || !is_target())
		return;
	begin(&r, role, EXIT);
	leave_open();
	leaves(&r);
	if (ret) {
		r.value = (__u64)(__s64)ret;
		emit(&r);
		return;
	}
	dentry = READ(path, dentry);
	watch_and_read(&r, dentry);
	read_filesystem(&r, dentry);
	emit_name(&r);
}

/* int filename_lookup(int dfd, struct filename *name, unsigned flags, struct path *path, struct path *root) */
ENTER_PROBE(walk_enter, walk_entered(ROLE_WALK, ARG(0), (const struct filename *)ARG(1), (const struct path *)ARG(4)))

EXIT_ARG_PROBE(walk_exit, ROLE_WALK, 3, walk_returned(ROLE_WALK, (const struct path *)arg, RET(5)))

/* int __filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr *last,
 * int *type, const struct path *root) */
ENTER_PROBE(parent_enter, walk_entered(ROLE_WALK_PARENT, ARG(0), (const struct filename *)ARG(1), NULL))

EXIT_ARG_PROBE(parent_exit, ROLE_WALK_PARENT, 3, walk_returned(ROLE_WALK_PARENT, (const struct path *)arg, RET(7)))

/* struct filename *filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr
 * *last, int *type), 5.10: the name, or an error */
static __always_inline __s32 error_in(__u64 value)
{
	return IS_ERR_OR_NULL(value) ? (__s32)value : 0;
}

EXIT_ARG_PROBE(parent6_exit, ROLE_WALK_PARENT, 3, walk_returned(ROLE_WALK_PARENT, (const struct path *)arg, error_in(RET(6))))

/* ---- operations on paths: what they came to ---- */

static __always_inline void operation_event(enum role role, enum phase phase, __u64 ret)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, role, phase);
	if (phase == EXIT)
		leave_open();
	else if (role != ROLE_EXECVE || r.tid == r.tgid) /* another thread than the first leaves it with the first one's id */
		enter_open(&r);
	timed(&r);
	r.value = (__u64)(__s64)(__s32)ret;
	emit(&r);
}

#define OPERATION(name, role, args)                                              \
	ENTER_PROBE(name##_enter, operation_event(role, ENTER, 0))               \
	EXIT_PROBE(name##_exit, operation_event(role, EXIT, RET(args)))

OPERATION(stat, ROLE_STAT, 5)
OPERATION(access, ROLE_ACCESS, 4)
OPERATION(readlink, ROLE_READLINK, 4)
OPERATION(chdir, ROLE_CHDIR, 1)
OPERATION(execve, ROLE_EXECVE, 1)
OPERATION(mkdir, ROLE_MKDIR, 3)
OPERATION(mknod, ROLE_MKNOD, 4)
OPERATION(unlinkat, ROLE_UNLINKAT, 2)
OPERATION(rmdir, ROLE_RMDIR, 2)
OPERATION(rename, ROLE_RENAME, 5)
OPERATION(link, ROLE_LINK, 5)
OPERATION(symlink, ROLE_SYMLINK, 3)
OPERATION(mount, ROLE_MOUNT, 5)

/* ---- lookup ---- */

/* struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name) */
ENTER_PROBE(lookup_enter, key_event(ROLE_LOOKUP, (const struct dentry *)ARG(0), (const struct qstr *)ARG(1)))

EXIT_PROBE(lookup_exit, found_event(ROLE_LOOKUP, (const struct dentry *)RET(2)))

/* struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name) */
ENTER_PROBE(chain_enter, key_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)ARG(0), (const struct qstr *)ARG(1)))

EXIT_PROBE(chain_exit, found_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)RET(2)))

/* struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned *seqp) */
ENTER_PROBE(rcu_enter, key_event(ROLE_LOOKUP_RCU, (const struct dentry *)ARG(0), (const struct qstr *)ARG(1)))

EXIT_PROBE(rcu_exit, found_event(ROLE_LOOKUP_RCU, (const struct dentry *)RET(3)))

/* ---- the life of a dentry ---- */

/* struct dentry *__d_alloc(struct super_block *sb, const struct qstr *name) */
ENTER_PROBE(alloc_enter, key_event(ROLE_ALLOC, NULL, (const struct qstr *)ARG(1)))

/*
 * A dentry that rcu-walk finds may be killed before it is watched. Its memory stays
 * until the walk is over; that another task is then given the same address tells.
 */
static __always_inline void on_alloc_exit(const struct dentry *dentry)
{
	if (enabled && (is_target() || (!match_all && is_watched(dentry))))
		dentry_event(ROLE_ALLOC, EXIT, dentry, 0);
}

EXIT_PROBE(alloc_exit, on_alloc_exit((const struct dentry *)RET(2)))

/* void __d_rehash(struct dentry *entry): afterwards d_hash.pprev is the bucket itself */
static __always_inline void on_insert_exit(const struct dentry *dentry)
{
	done_event(ROLE_INSERT, EXIT, dentry, (__u64)READ(dentry, d_hash.pprev));
}

EXIT_ARG_PROBE(insert_exit, ROLE_INSERT, 0, on_insert_exit((const struct dentry *)arg))

/* void __d_instantiate(struct dentry *dentry, struct inode *inode) */
EXIT_ARG_PROBE(instantiate_exit, ROLE_INSTANTIATE, 0, done_event(ROLE_INSTANTIATE, EXIT, (const struct dentry *)arg, 0))

/* void d_delete(struct dentry *dentry) */
ENTER_PROBE(delete_enter, done_event(ROLE_DELETE, ENTER, (const struct dentry *)ARG(0), 0))

/* The dentry has lost its inode, or where somebody else holds it its place in the hash table. */
EXIT_ARG_PROBE(delete_exit, ROLE_DELETE, 0, done_event(ROLE_DELETE, EXIT, (const struct dentry *)arg, 0))

/* void __d_move(struct dentry *dentry, struct dentry *target, bool exchange): who takes the place of a watched dentry
 * is recorded, and so watched. */
static __always_inline void on_move_enter(const struct dentry *dentry, const struct dentry *target, bool exchange)
{
	struct record r = {};

	if (!enabled || (!is_target() && !is_watched(dentry) && !is_watched(target)))
		return;
	begin(&r, ROLE_MOVE, ENTER);
	enters(&r);
	r.value = (__u64)target;
	watch_and_read(&r, dentry);
	if (exchange) {
		r.facts |= FACT_EXCHANGE;
		watch_at(&r, (__u64)target);
	}
	emit_name(&r);
}

ENTER_PROBE(move_enter, on_move_enter((const struct dentry *)ARG(0), (const struct dentry *)ARG(1), (__u8)ARG(2)))

EXIT_ARG_PROBE(move_exit, ROLE_MOVE, 0, done_event(ROLE_MOVE, EXIT, (const struct dentry *)arg, 0))

/* void __d_drop(struct dentry *dentry) */
ENTER_PROBE(drop_enter, end_event(ROLE_DROP, (const struct dentry *)ARG(0), false))

/* void __dentry_kill(struct dentry *dentry); it returns the parent from 6.8 */
ENTER_PROBE(kill_enter, end_event(ROLE_KILL, (const struct dentry *)ARG(0), forget_at_kill))

/*
 * struct dentry *dentry_kill(struct dentry *dentry), 7.2, which has become part of it: it is also called for a
 * dentry that is still in use, as by d_make_discardable() when a file of tmpfs is unlinked, and then lets it be.
 * lock_for_kill() in it may let go of d_lock, and give up: the reader waits for dentry_free.
 */
static __always_inline void on_try_kill_enter(const struct dentry *dentry)
{
	if (READ(dentry, d_lockref.count) == 0)
		end_event(ROLE_KILL, dentry, forget_at_kill);
}

ENTER_PROBE(try_kill_enter, on_try_kill_enter((const struct dentry *)ARG(0)))

/* void dentry_free(struct dentry *dentry) */
ENTER_PROBE(free_enter, end_event(ROLE_FREE, (const struct dentry *)ARG(0), true))

/* ---- unlink: the dentry is the second argument until 5.11, the third since ---- */

static __always_inline void unlink_returned(const struct dentry *dentry, __s32 ret)
{
	struct record r = {};

	if (!enabled || (!is_target() && !is_watched(dentry)))
		return;
	begin(&r, ROLE_UNLINK, EXIT);
	leaves(&r);
	r.value = (__u64)(__s64)ret;
	emit(&r);
}

ENTER_PROBE(unlink2_enter, done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ARG(1), 0))

EXIT_ARG_PROBE(unlink2_exit, ROLE_UNLINK, 1, unlink_returned((const struct dentry *)arg, (__s32)RET(3)))

ENTER_PROBE(unlink3_enter, done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ARG(2), 0))

EXIT_ARG_PROBE(unlink3_exit, ROLE_UNLINK, 2, unlink_returned((const struct dentry *)arg, (__s32)RET(4)))

/* ---- drop_caches: recorded whoever asks for it ---- */

static __always_inline void evict_event(enum phase phase)
{
	struct record r = {};

	if (!enabled)
		return;
	begin(&r, ROLE_EVICT, phase);
	timed(&r);
	emit(&r);
}

/* void drop_slab(void) */
ENTER_PROBE(evict_enter, evict_event(ENTER))

EXIT_PROBE(evict_exit, evict_event(EXIT))

/* ---- processes; the tracepoints that tell of them are in dcache.bpf.c ---- */

static __always_inline void fork_event(const struct task_struct *parent, const struct task_struct *child)
{
	__u32 from = READ(parent, tgid), to = READ(child, tgid);
	struct record r = {};
	__u8 one = 1;

	if (!enabled || from == to)
		return;
	if (from == recorder_tgid)
		last_child = to;
	begin(&r, ROLE_FORK, ENTER);
	if ((from == recorder_tgid && follow_children) || bpf_map_lookup_elem(&targets, &from)) {
		if (bpf_map_update_elem(&targets, &to, &one, 0))
			lost(LOSS_WATCH_OVERFLOW, &r);
	}
	if (!is_target())
		return;
	r.flags = to;
	emit(&r);
}

/* void wake_up_new_task(struct task_struct *p), in the parent: the child has not run yet */
ENTER_PROBE(process_fork, fork_event(CURRENT_TASK(), (const struct task_struct *)ARG(0)))

static __always_inline void exec_event(const struct linux_binprm *bprm)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_EXEC, ENTER);
	emit_path(&r, READ(bprm, filename));
}

/* void security_bprm_committed_creds(const struct linux_binprm *bprm): the old program is gone, the task has its new name */
ENTER_PROBE(process_exec, exec_event((const struct linux_binprm *)ARG(0)))

#define SIGNAL_GROUP_EXIT 4

static __always_inline void exit_event(const struct task_struct *p)
{
	const struct signal_struct *signal = READ(p, signal);
	__u32 tgid = READ(p, tgid);
	struct record r = {};

	if (!enabled || !is_target())
		return;
	if (bpf_map_delete_elem(&targets, &tgid) && !match_all && !match_comm && !match_cgroup)
		return;
	begin(&r, ROLE_EXIT, ENTER);
	r.value = (__u32)(READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(p, exit_code));
	emit(&r);
}

/* void acct_process(void): called by the last thread only. When a process ends its threads come through
 * the tracepoint all at once, and miss each other. */
ENTER_PROBE(process_exit, exit_event(CURRENT_TASK()))

#endif
