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
 *   RET_NUMBER(args)                the same, as a number one can calculate with
 *   EXIT_ARG_PROBE(name, role, n, ...)  a program on return, in which
 *     arg                             is the n-th argument as it was on entry
 *   CALL_PROBE(name, role, n, m, ...)   a program on return that records a target's call as a whole, in which
 *     arg, arg2                       are the n-th and m-th argument as they were on entry
 *   CURRENT_TASK()                    the task_struct, in any
 *   CURRENT_COMM(to)                  its name, in two words
 *   DISTANCE(p)                       from anchor to where p points, as a number one can calculate with; the same in both
 */
#ifndef DTREC_DCACHE_H
#define DTREC_DCACHE_H

#include "emit.h"
#include "kernel.h"

/* ---- dentries ---- */

static __always_inline __u16 parent_facts(const struct dentry *parent)
{
	__u16 facts = 0;

	if (READ(parent, d_parent) == parent)
		facts |= FACT_PARENT_IS_ROOT;
	if (READ(parent, d_flags) & dcache_op_hash)
		facts |= FACT_PARENT_OP_HASH;
	return facts;
}

/* The arguments of a lookup or an alloc, with the address of the name. */
static __always_inline void put_qstr(struct event *e, const struct dentry *parent, const struct qstr *name)
{
	if (parent)
		e->rec->head.facts |= parent_facts(parent);
	e->name = READ(name, name);
	e->name_len = READ(name, len);
	put_key(e, (__u64)parent, e->name_len, READ(name, hash));
	put(e, (__u64)e->name);
}

/* Writes the words of a dentry. The caller takes care of its name and of the facts. */
static __always_inline __u16 put_words(struct event *e, const struct dentry *dentry, const void **name, __u64 *len)
{
	const struct dentry *parent = READ(dentry, d_parent);
	__u16 facts = parent ? parent_facts(parent) : 0;

	put(e, (__u64)dentry);
	put(e, (__u64)READ(dentry, d_inode));
	*name = READ(dentry, d_name.name);
	*len = READ(dentry, d_name.len);
	put(e, (__u64)*name);
	put_key(e, (__u64)parent, *len, READ(dentry, d_name.hash));
	if (READ(dentry, d_flags) & dcache_mounted)
		facts |= FACT_MOUNTPOINT;
	if (!READ(dentry, d_hash.pprev))
		facts |= FACT_UNHASHED;
	return facts;
}

static __always_inline void put_dentry(struct event *e, const struct dentry *dentry)
{
	e->rec->head.facts |= put_words(e, dentry, &e->name, &e->name_len);
}

/* Adds the dentry that a call recorded as a whole has returned. */
static __always_inline void put_found(struct event *e, const struct dentry *dentry, __u16 facts)
{
	facts |= put_words(e, dentry, &e->found, &e->found_len);
	e->found_at = e->words;
	put(e, facts);
}

/* Only the address of the type is sent: user space asks once for its name. */
static __always_inline void put_filesystem(struct event *e, const struct super_block *sb)
{
	put(e, (__u64)READ(sb, s_type));
	put(e, READ(sb, s_dev));
}

/*
 * Watches a dentry that is in the trace: from now on, whatever any task does to it is
 * recorded. If the set is full, a fact of the event says so.
 */
static __always_inline __u16 watched(struct event *e, const void *dentry)
{
	__u64 key = (__u64)dentry;
	struct near *near;
	__u8 one = 1;
	long err;

	if (match_all || !key)
		return 0;
	near = near_watched(dentry);
	if (!near || near->last == key)
		return 0;
	near->last = key; /* before the map lookup: a program that forgets the dentry meanwhile clears this after the map entry */
	if (bpf_map_lookup_elem(&watch, &key))
		return 0;
	__sync_fetch_and_add(&near->count, 1);
	err = bpf_map_update_elem(&watch, &key, &one, BPF_NOEXIST);
	if (!err)
		return 0;
	__sync_fetch_and_add(&near->count, -1);
	if (err == -EEXIST)
		return 0;
	near->last = 0;
	lost_now(LOSS_UNWATCHED, e);
	return FACT_UNWATCHED;
}

static __always_inline void watch_at(struct event *e, const void *dentry)
{
	e->rec->head.facts |= watched(e, dentry);
}

/* ---- what the roles have in common ---- */

/* Entry of a lookup, with its key. The parent is watched as well: otherwise a later directory at the same address would be
 * taken for it. */
static __always_inline void lookup_event(enum role role, const struct dentry *parent, const struct qstr *name)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, role, ENTER);
	watch_at(&e, parent);
	put_qstr(&e, parent, name);
	put_filesystem(&e, READ(parent, d_sb));
	emit_name(&e);
}

/* Exit of a lookup, with the dentry it returned, or NULL. */
static __always_inline void found_event(enum role role, const struct dentry *dentry)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, role, EXIT);
	watch_at(&e, dentry);
	if (!dentry) {
		put(&e, 0);
		emit(&e);
		return;
	}
	put_dentry(&e, dentry);
	emit_name(&e);
}

/* A lookup that calls no probed function, recorded as a whole: its key, and the dentry it returned. */
static __always_inline void call_event(enum role role, const struct dentry *parent, const struct qstr *name, const struct dentry *dentry)
{
	__u16 facts;

	if (!enabled || !is_target())
		return;
	EVENT(e, role, CALL);
	watch_at(&e, parent);
	put_qstr(&e, parent, name);
	if (!dentry) {
		put(&e, 0);
		put_filesystem(&e, READ(parent, d_sb));
		emit_name(&e);
		return;
	}
	facts = watched(&e, dentry);
	put_found(&e, dentry, facts);
	put_filesystem(&e, READ(parent, d_sb));
	emit_names(&e);
}

/* An operation on a dentry, by a target, or by any task on a watched dentry. */
static __always_inline bool is_done(const struct dentry *dentry)
{
	return enabled && (is_target() || is_watched(dentry));
}

static __always_inline void done_event(enum role role, enum phase phase, const struct dentry *dentry)
{
	if (!is_done(dentry))
		return;
	EVENT(e, role, phase);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	emit_name(&e);
}

/* The same for a function that takes time: the exit says when it was entered. */
static __always_inline void entry_event(enum role role, const struct dentry *dentry)
{
	if (!is_done(dentry))
		return;
	EVENT(e, role, ENTER);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	emit_name(&e);
	enters(&e);
}

static __always_inline void exit_event(enum role role, const struct dentry *dentry)
{
	if (!is_done(dentry))
		return;
	EVENT(e, role, EXIT);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	put(&e, leaves(&e));
	emit_name(&e);
}

/* The end of a dentry that is in the trace; drop_caches ends thousands that are not. */
static __always_inline void end_event(enum role role, const struct dentry *dentry, bool last)
{
	if (!enabled || !is_watched(dentry))
		return;
	EVENT(e, role, ENTER);
	put_dentry(&e, dentry);
	emit_name(&e);
	if (last)
		forget(dentry);
}

/* ---- where the walk of a path starts ---- */

/* Reads a member through a pointer that the verifier has no type for. */
#define PEEK(p, member)                                                          \
	({                                                                       \
		typeof(((void)0, (p)->member)) peeked_ = 0;                      \
		bpf_probe_read_kernel(&peeked_, sizeof(peeked_),                 \
				      __builtin_preserve_access_index(&(p)->member)); \
		peeked_;                                                         \
	})

static __always_inline const struct file *file_of(const struct task_struct *task, __s32 fd)
{
	const struct files_struct *files = PEEK(task, files);
	const struct fdtable *fdt = PEEK(files, fdt);
	struct file **fds = PEEK(fdt, fd);
	const struct file *file = NULL;

	if (fd >= 0 && (__u32)fd < PEEK(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file;
}

static __always_inline const struct dentry *directory_of(const struct task_struct *task, __s32 dfd)
{
	const struct file *file = file_of(task, dfd);

	return file ? PEEK(file, f_path.dentry) : NULL;
}

#define AT_FDCWD -100
#define LOOKUP_IN_ROOT (1 << 20 | 1 << 28) /* in the old or the new numbering: with RESOLVE_IN_ROOT the walk of an absolute path starts at dfd too */

#define IS_ERR_OR_NULL(value) ((__u64)(value) - 1 >= (__u64)-4096)

/* Returns where the walk of the path at name starts; NULL if the kernel gave the walk its own root: that is none of the
 * task's directories, and dfd means nothing. */
static __always_inline const struct dentry *start_of(struct event *e, __s32 dfd, const char *name, const struct path *given, __u32 how)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct fs_struct *fs = PEEK(task, fs);
	char first = 0;

	if (given && PEEK(given, dentry)) {
		e->rec->head.facts |= FACT_OTHER_ROOT;
		return NULL;
	}
	if ((__u64)PEEK(fs, root.mnt) != own_root[0] || (__u64)PEEK(fs, root.dentry) != own_root[1])
		e->rec->head.facts |= FACT_OTHER_ROOT;
	bpf_probe_read_kernel(&first, sizeof(first), name);
	if (first == '/' && !(how & LOOKUP_IN_ROOT))
		return PEEK(fs, root.dentry);
	if (dfd == AT_FDCWD)
		return PEEK(fs, pwd.dentry);
	return directory_of(task, dfd);
}

/* Fills in the key of a path, whose length is found by reading it. If the kernel could not copy the path from user space,
 * there is an error in place of the struct filename. */
static __always_inline const char *put_path(struct event *e, const struct filename *pathname)
{
	const char *name = IS_ERR_OR_NULL(pathname) ? NULL : READ(pathname, name);

	put_key(e, 0, 0, 0);
	put(e, (__u64)name);
	return name;
}

static __always_inline void put_start(struct event *e, __s32 dfd, const char *name, const struct path *given, __u32 how)
{
	put(e, name ? (__u64)start_of(e, dfd, name, given, how) : 0);
	put(e, (__u32)dfd);
	put(e, how);
}

/* ---- open ---- */

static __always_inline void enter_open(struct event *e)
{
	__u32 tid = e->rec->head.tid, one = 1, *depth;

	if (!may_leave())
		return;
	depth = bpf_map_lookup_elem(&opening, &tid);
	if (depth)
		(*depth)++;
	else if (bpf_map_update_elem(&opening, &tid, &one, 0))
		lost_now(LOSS_WATCH_OVERFLOW, e);
	else
		__sync_fetch_and_add(&inside, 1);
}

static __always_inline void leave_open(void)
{
	__u32 tid = bpf_get_current_pid_tgid(), *depth;

	if (!may_leave())
		return;
	depth = bpf_map_lookup_elem(&opening, &tid);
	if (depth && *depth > 1)
		(*depth)--;
	else if (depth && !bpf_map_delete_elem(&opening, &tid))
		__sync_fetch_and_add(&inside, -1);
}

/* struct file *do_filp_open(int dfd, struct filename *pathname, const struct open_flags *op) */
static __always_inline void on_open_enter(__s32 dfd, const struct filename *pathname, const struct open_flags *op)
{
	const char *name;

	if (!enabled || !is_target())
		return;
	EVENT(e, ROLE_OPEN, ENTER);
	enter_open(&e);
	name = put_path(&e, pathname);
	put(&e, (__u32)READ(op, open_flag) | (__u64)READ(op, mode) << 32);
	put_start(&e, dfd, name, NULL, READ(op, lookup_flags));
	emit_path(&e, name);
	enters(&e);
}

ENTER_PROBE(open_enter, on_open_enter(ARG(0), (const struct filename *)ARG(1), (const struct open_flags *)ARG(2)))

/* Exit of a walk that led nowhere, so without a dentry and a file system. */
static __always_inline void failed_event(struct event *e, __u64 ret)
{
	put(e, 0);
	put(e, ret);
	put(e, 0);
	put(e, 0);
	put(e, leaves(e));
	put(e, 0);
	emit(e);
}

static __always_inline void led_event(struct event *e, const struct dentry *dentry, __u64 ret)
{
	const struct inode *inode = READ(dentry, d_inode);

	watch_at(e, dentry);
	put_dentry(e, dentry);
	put(e, ret);
	put_filesystem(e, READ(dentry, d_sb));
	put(e, leaves(e));
	put(e, inode ? READ(inode, i_ino) : 0);
	emit_name(e);
}

static __always_inline void on_open_exit(const struct file *file)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, ROLE_OPEN, EXIT);
	leave_open();
	if (IS_ERR_OR_NULL(file))
		failed_event(&e, (__u64)file);
	else
		led_event(&e, READ(file, f_path.dentry), (__u64)file);
}

EXIT_PROBE(open_exit, on_open_exit((const struct file *)RET(3)))

/* ---- walks that open nothing ---- */

static __always_inline void walk_entered(enum role role, __s32 dfd, const struct filename *pathname, __u32 flags, const struct path *given)
{
	const char *name;

	if (!enabled || !is_target())
		return;
	EVENT(e, role, ENTER);
	enter_open(&e);
	name = put_path(&e, pathname);
	put_start(&e, dfd, name, given, flags);
	emit_path(&e, name);
	enters(&e);
}

static __always_inline void walk_returned(enum role role, const struct path *path, __s32 ret)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, role, EXIT);
	leave_open();
	if (ret)
		failed_event(&e, (__u64)(__s64)ret);
	else
		led_event(&e, READ(path, dentry), 0);
}

/* int filename_lookup(int dfd, struct filename *name, unsigned flags, struct path *path, struct path *root) */
ENTER_PROBE(walk_enter, walk_entered(ROLE_WALK, ARG(0), (const struct filename *)ARG(1), ARG(2), (const struct path *)ARG(4)))

EXIT_ARG_PROBE(walk_exit, ROLE_WALK, 3, walk_returned(ROLE_WALK, (const struct path *)arg, RET(5)))

/* int __filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr *last,
 * int *type, const struct path *root) */
ENTER_PROBE(parent_enter, walk_entered(ROLE_WALK_PARENT, ARG(0), (const struct filename *)ARG(1), ARG(2), NULL))

EXIT_ARG_PROBE(parent_exit, ROLE_WALK_PARENT, 3, walk_returned(ROLE_WALK_PARENT, (const struct path *)arg, RET(7)))

/* struct filename *filename_parentat(int dfd, struct filename *name, unsigned int flags, struct path *parent, struct qstr
 * *last, int *type), 5.10: the name, or an error */
static __always_inline __s32 error_in(__u64 value)
{
	return IS_ERR_OR_NULL(value) ? (__s32)value : 0;
}

EXIT_ARG_PROBE(parent6_exit, ROLE_WALK_PARENT, 3, walk_returned(ROLE_WALK_PARENT, (const struct path *)arg, error_in(RET_NUMBER(6))))

/* ---- operations on paths: what they came to ---- */

static __always_inline void operation_entered(enum role role, __u32 how)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, role, ENTER);
	if ((role != ROLE_EXECVE && role != ROLE_EXECVEAT) || e.rec->head.tid == e.rec->head.tgid) /* a thread other than the first returns from it with the id of the first */
		enter_open(&e);
	if (role == ROLE_RENAME)
		put(&e, how);
	emit(&e);
	enters(&e);
}

static __always_inline void operation_returned(enum role role, __s32 ret)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, role, EXIT);
	leave_open();
	put(&e, (__u64)(__s64)ret);
	put(&e, leaves(&e));
	emit(&e);
}

#define OPERATION(name, role, args)                                              \
	ENTER_PROBE(name##_enter, operation_entered(role, 0))                    \
	EXIT_PROBE(name##_exit, operation_returned(role, RET(args)))

OPERATION(stat, ROLE_STAT, 5)
OPERATION(access, ROLE_ACCESS, 4)
OPERATION(readlink, ROLE_READLINK, 4)
OPERATION(chdir, ROLE_CHDIR, 1)
OPERATION(execve, ROLE_EXECVE, 1)
OPERATION(execveat, ROLE_EXECVEAT, 1)
OPERATION(mkdir, ROLE_MKDIR, 3)
OPERATION(mknod, ROLE_MKNOD, 4)
OPERATION(unlinkat, ROLE_UNLINKAT, 2)
OPERATION(rmdir, ROLE_RMDIR, 2)
ENTER_PROBE(rename_enter, operation_entered(ROLE_RENAME, ARG(4)))
EXIT_PROBE(rename_exit, operation_returned(ROLE_RENAME, RET(5)))
OPERATION(link, ROLE_LINK, 5)
OPERATION(symlink, ROLE_SYMLINK, 3)
OPERATION(mount, ROLE_MOUNT, 1)
OPERATION(chmod, ROLE_CHMOD, 1)
OPERATION(fchmodat, ROLE_FCHMODAT, 1)
OPERATION(chown, ROLE_CHOWN, 5)
OPERATION(utimes, ROLE_UTIMES, 4)
OPERATION(statfs, ROLE_STATFS, 2)
OPERATION(truncate, ROLE_TRUNCATE, 1)
OPERATION(getxattr, ROLE_GETXATTR, 5)
OPERATION(getxattr6, ROLE_GETXATTR, 6)
OPERATION(setxattr, ROLE_SETXATTR, 6)
OPERATION(setxattr7, ROLE_SETXATTR, 7)
OPERATION(listxattr, ROLE_LISTXATTR, 4)
OPERATION(listxattr5, ROLE_LISTXATTR, 5)
OPERATION(removexattr, ROLE_REMOVEXATTR, 3)
OPERATION(removexattr4, ROLE_REMOVEXATTR, 4)

/* ---- lookup ---- */

/* struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name) */
ENTER_PROBE(lookup_enter, lookup_event(ROLE_LOOKUP, (const struct dentry *)ARG(0), (const struct qstr *)ARG(1)))

EXIT_PROBE(lookup_exit, found_event(ROLE_LOOKUP, (const struct dentry *)RET(2)))

/* struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name) */
CALL_PROBE(chain_call, ROLE_LOOKUP_CHAIN, 0, 1,
	   call_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)arg, (const struct qstr *)arg2, (const struct dentry *)RET(2)))

/* struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned *seqp) */
CALL_PROBE(rcu_call, ROLE_LOOKUP_RCU, 0, 1,
	   call_event(ROLE_LOOKUP_RCU, (const struct dentry *)arg, (const struct qstr *)arg2, (const struct dentry *)RET(3)))

/* ---- the life of a dentry ---- */

/*
 * A dentry that rcu-walk finds may be killed before it is watched. Its memory stays until
 * the walk is over, so its end shows when an alloc of another task returns the address
 * again. For that task's call, only the return is recorded.
 */
static __always_inline void other_allocated(const struct dentry *dentry)
{
	if (match_all || !is_watched(dentry))
		return;
	EVENT(e, ROLE_ALLOC, EXIT);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	put_filesystem(&e, READ(dentry, d_sb));
	emit_name(&e);
}

static __always_inline void on_alloc(const struct super_block *sb, const struct qstr *name, const struct dentry *dentry)
{
	struct near *near;
	__u16 facts;

	if (!enabled)
		return;
	near = near_watched(dentry);
	if (near && near->last == (__u64)dentry)
		near->last = 0; /* another dentry now: only the map tells whether it is watched */
	if (!is_target()) {
		if (dentry)
			other_allocated(dentry);
		return;
	}
	EVENT(e, ROLE_ALLOC, CALL);
	if (name) { /* the root of a filesystem has none */
		put_qstr(&e, NULL, name);
	} else {
		put_key(&e, 0, 0, 0);
		put(&e, 0);
	}
	if (!dentry) {
		put(&e, 0);
		put_filesystem(&e, sb);
		emit_name(&e);
		return;
	}
	facts = watched(&e, dentry);
	put_found(&e, dentry, facts);
	put_filesystem(&e, sb);
	emit_names(&e);
}

/* struct dentry *__d_alloc(struct super_block *sb, const struct qstr *name) */
CALL_PROBE(alloc_call, ROLE_ALLOC, 0, 1,
	   on_alloc((const struct super_block *)arg, (const struct qstr *)arg2, (const struct dentry *)RET(2)))

/*
 * struct dentry *d_alloc_parallel(struct dentry *parent, const struct qstr *name, wait_queue_head_t *wq); without wq from
 * 7.2. Its own dentry is not in the hash table yet; that of another task, which it waited for or found there, is.
 */
static __always_inline void on_parallel_exit(const struct dentry *dentry)
{
	if (!enabled || !is_target() || IS_ERR_OR_NULL(dentry) || !READ(dentry, d_hash.pprev))
		return;
	done_event(ROLE_PARALLEL, EXIT, dentry);
}

EXIT_PROBE(parallel3_exit, on_parallel_exit((const struct dentry *)RET(3)))
EXIT_PROBE(parallel2_exit, on_parallel_exit((const struct dentry *)RET(2)))

/* void __d_rehash(struct dentry *entry): afterwards d_hash.pprev is the bucket itself */
static __always_inline void on_insert_exit(const struct dentry *dentry)
{
	if (!is_done(dentry))
		return;
	EVENT(e, ROLE_INSERT, EXIT);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	put(&e, (__u64)READ(dentry, d_hash.pprev));
	emit_name(&e);
}

EXIT_ARG_PROBE(insert_exit, ROLE_INSERT, 0, on_insert_exit((const struct dentry *)arg))

/* void __d_instantiate(struct dentry *dentry, struct inode *inode) */
EXIT_ARG_PROBE(instantiate_exit, ROLE_INSTANTIATE, 0, done_event(ROLE_INSTANTIATE, EXIT, (const struct dentry *)arg))

/* void d_delete(struct dentry *dentry) */
ENTER_PROBE(delete_enter, entry_event(ROLE_DELETE, (const struct dentry *)ARG(0)))

/* The dentry has lost its inode or, if another task holds it, its place in the hash table. */
EXIT_ARG_PROBE(delete_exit, ROLE_DELETE, 0, exit_event(ROLE_DELETE, (const struct dentry *)arg))

/* void __d_move(struct dentry *dentry, struct dentry *target, bool exchange): a dentry that takes the place of a
 * watched one is recorded, and so watched. */
static __always_inline void on_move_enter(const struct dentry *dentry, const struct dentry *target, bool exchange)
{
	if (!enabled || (!is_target() && !is_watched(dentry) && !is_watched(target)))
		return;
	EVENT(e, ROLE_MOVE, ENTER);
	watch_at(&e, dentry);
	put_dentry(&e, dentry);
	put(&e, (__u64)target);
	if (exchange) {
		e.rec->head.facts |= FACT_EXCHANGE;
		watch_at(&e, target);
	}
	emit_name(&e);
	enters(&e);
}

ENTER_PROBE(move_enter, on_move_enter((const struct dentry *)ARG(0), (const struct dentry *)ARG(1), (__u8)ARG(2)))

EXIT_ARG_PROBE(move_exit, ROLE_MOVE, 0, exit_event(ROLE_MOVE, (const struct dentry *)arg))

/* void __d_drop(struct dentry *dentry) */
ENTER_PROBE(drop_enter, end_event(ROLE_DROP, (const struct dentry *)ARG(0), false))

/* void __dentry_kill(struct dentry *dentry); it returns the parent from 6.8 */
ENTER_PROBE(kill_enter, end_event(ROLE_KILL, (const struct dentry *)ARG(0), forget_at_kill))

/*
 * struct dentry *dentry_kill(struct dentry *dentry), from 7.2, which __dentry_kill has become part of. It is also called for
 * a dentry that is still in use, as by d_make_discardable() when a file of tmpfs is unlinked, and then leaves it alone.
 * lock_for_kill() in it may release d_lock and give up, so the reader of the trace waits for dentry_free.
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
	if (!is_done(dentry))
		return;
	EVENT(e, ROLE_UNLINK, EXIT);
	put(&e, (__u64)(__s64)ret);
	put(&e, leaves(&e));
	emit(&e);
}

ENTER_PROBE(unlink2_enter, entry_event(ROLE_UNLINK, (const struct dentry *)ARG(1)))

EXIT_ARG_PROBE(unlink2_exit, ROLE_UNLINK, 1, unlink_returned((const struct dentry *)arg, (__s32)RET(3)))

ENTER_PROBE(unlink3_enter, entry_event(ROLE_UNLINK, (const struct dentry *)ARG(2)))

EXIT_ARG_PROBE(unlink3_exit, ROLE_UNLINK, 2, unlink_returned((const struct dentry *)arg, (__s32)RET(4)))

/* ---- drop_caches: recorded for any task ---- */

/* void drop_slab(void) */
static __always_inline void on_evict_enter(void)
{
	if (!enabled)
		return;
	EVENT(e, ROLE_EVICT, ENTER);
	emit(&e);
	enters(&e);
}

ENTER_PROBE(evict_enter, on_evict_enter())

static __always_inline void on_evict_exit(void)
{
	if (!enabled)
		return;
	EVENT(e, ROLE_EVICT, EXIT);
	put(&e, leaves(&e));
	emit(&e);
}

EXIT_PROBE(evict_exit, on_evict_exit())

/* ---- processes; their tracepoints are in dcache.bpf.c ---- */

static __always_inline void fork_event(const struct task_struct *parent, const struct task_struct *child)
{
	__u32 from = READ(parent, tgid), to = READ(child, tgid);

	if (!enabled || from == to)
		return;
	if (from == recorder_tgid) {
		last_child = to;
		expect_target(to);
	}
	EVENT(e, ROLE_FORK, ENTER);
	if (((from == recorder_tgid && follow_children) || is_listed(from)) && add_target(to)) {
		lost_now(LOSS_WATCH_OVERFLOW, &e);
	}
	if (!is_target())
		return;
	put(&e, to);
	emit(&e);
}

/* void wake_up_new_task(struct task_struct *p), in the parent: the child has not run yet */
ENTER_PROBE(process_fork, fork_event(CURRENT_TASK(), (const struct task_struct *)ARG(0)))

static __always_inline void exec_event(const struct linux_binprm *bprm)
{
	if (!enabled || !is_target())
		return;
	EVENT(e, ROLE_EXEC, ENTER);
	put_key(&e, 0, 0, 0);
	put(&e, has_cgroups ? bpf_get_current_cgroup_id() : 0);
	emit_path(&e, READ(bprm, filename));
}

/* void security_bprm_committed_creds(const struct linux_binprm *bprm): the old program is gone, the task has its new name */
ENTER_PROBE(process_exec, exec_event((const struct linux_binprm *)ARG(0)))

#define SIGNAL_GROUP_EXIT 4

static __always_inline void process_ended(const struct task_struct *p)
{
	const struct signal_struct *signal = READ(p, signal);

	if (!enabled || !is_target())
		return;
	if (remove_target(READ(p, tgid)) && !match_all && !match_comm && !match_cgroup)
		return;
	EVENT(e, ROLE_EXIT, ENTER);
	put(&e, (__u32)(READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(p, exit_code)));
	put(&e, has_cgroups ? bpf_get_current_cgroup_id() : 0);
	emit(&e);
}

/* void acct_process(void): called by the last thread only. When a process ends, all its threads pass the
 * tracepoint at the same time, and hits are missed. */
ENTER_PROBE(process_exit, process_ended(CURRENT_TASK()))

#endif
