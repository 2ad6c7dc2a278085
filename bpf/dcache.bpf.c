//go:build ignore

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The probes of dtrec: what happens to a path name inside the dcache. One program
 * per role and phase; plan.go says to which kernel function each is attached.
 * Written for 5.10 and later: bounded code, no loops, no helper younger than that.
 */
#include "emit.h"
#include "kernel.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* How a kernel structure is read. Arguments of fentry and fexit programs are typed
 * pointers, which the verifier lets us follow directly, at the price of a load. */
#define READ(p, member) ((p)->member)

/*
 * A program: a role and phase, attached as plan.go says. While one is preempted, hits of
 * it by other tasks on that cpu are missed; the kernel counts them, and user space reports
 * them as loss. (bpf_preempt_disable does not help: giving the cpu back at its end, the
 * program is still inside.)
 */
#define PROBE(section, name, ...)                                                \
	SEC(section)                                                             \
	int name(__u64 *ctx)                                                     \
	{                                                                        \
		__VA_ARGS__;                                                     \
		return 0;                                                        \
	}

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

/* A target has seen the dentry: what happens to it from now on is recorded whoever does it. */
static __always_inline void watch_dentry(const struct record *r)
{
	__u64 key = r->dentry;
	__u8 one = 1;

	if (match_all || !key || bpf_map_lookup_elem(&watch, &key))
		return;
	if (bpf_map_update_elem(&watch, &key, &one, 0))
		lost(LOSS_WATCH_OVERFLOW, r);
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

/* Entry of a lookup or alloc: the key it is about. */
static __always_inline void key_event(enum role role, const struct dentry *parent, const struct qstr *name)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, role, ENTER);
	read_parent(&r, parent);
	if (name) {
		r.name_addr = (__u64)READ(name, name);
		r.name_len = READ(name, len);
		r.hash = READ(name, hash);
	}
	emit_name(&r);
}

/* Exit of a lookup or alloc: the dentry it returned, or NULL. */
static __always_inline void found_event(enum role role, const struct dentry *dentry)
{
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, role, EXIT);
	read_dentry(&r, dentry);
	watch_dentry(&r);
	emit_name(&r);
}

/* Something done to a dentry by a target, or by anyone to a watched one. */
static __always_inline void done_event(enum role role, enum phase phase, const struct dentry *dentry, __u64 value)
{
	struct record r = {};
	bool target;

	if (!enabled)
		return;
	target = is_target();
	if (!target && !is_watched(dentry))
		return;
	begin(&r, role, phase);
	r.value = value;
	read_dentry(&r, dentry);
	if (target)
		watch_dentry(&r);
	emit_name(&r);
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

/* ---- open ---- */

/* struct file *do_filp_open(int dfd, struct filename *pathname, const struct open_flags *op) */
static __always_inline void on_open_enter(__u64 *ctx)
{
	struct filename *pathname = (struct filename *)ctx[1];
	const struct open_flags *op = (const struct open_flags *)ctx[2];
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_OPEN, ENTER);
	r.name_addr = (__u64)READ(pathname, name);
	r.flags = READ(op, open_flag);
	r.mode = READ(op, mode);
	emit_path(&r, (const char *)r.name_addr);
}

PROBE("fentry", open_enter, on_open_enter(ctx))

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

static __always_inline void on_open_exit(__u64 *ctx)
{
	const struct file *file = (const struct file *)ctx[3];
	struct record r = {};
	const struct dentry *dentry;

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_OPEN, EXIT);
	r.value = (__u64)file;
	if (r.value - 1 >= (__u64)-4096) { /* NULL or IS_ERR */
		emit_not_opened(&r);
		return;
	}
	dentry = READ(file, f_path.dentry);
	read_dentry(&r, dentry);
	r.flags = READ(dentry, d_sb)->s_dev;
	watch_dentry(&r);
	emit_opened(&r, READ(READ(READ(dentry, d_sb), s_type), name));
}

PROBE("fexit", open_exit, on_open_exit(ctx))

/* ---- lookup ---- */

/* struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name) */
PROBE("fentry", lookup_enter, key_event(ROLE_LOOKUP, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]))

PROBE("fexit", lookup_exit, found_event(ROLE_LOOKUP, (const struct dentry *)ctx[2]))

/* struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name) */
PROBE("fentry", chain_enter, key_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]))

PROBE("fexit", chain_exit, found_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)ctx[2]))

/* struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned *seqp) */
PROBE("fentry", rcu_enter, key_event(ROLE_LOOKUP_RCU, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]))

PROBE("fexit", rcu_exit, found_event(ROLE_LOOKUP_RCU, (const struct dentry *)ctx[3]))

/* ---- the life of a dentry ---- */

/* struct dentry *__d_alloc(struct super_block *sb, const struct qstr *name) */
PROBE("fentry", alloc_enter, key_event(ROLE_ALLOC, NULL, (const struct qstr *)ctx[1]))

PROBE("fexit", alloc_exit, found_event(ROLE_ALLOC, (const struct dentry *)ctx[2]))

/* void __d_rehash(struct dentry *entry): afterwards d_hash.pprev is the bucket itself */
static __always_inline void on_insert_exit(const struct dentry *dentry)
{
	done_event(ROLE_INSERT, EXIT, dentry, (__u64)READ(dentry, d_hash.pprev));
}

PROBE("fexit", insert_exit, on_insert_exit((const struct dentry *)ctx[0]))

/* void __d_instantiate(struct dentry *dentry, struct inode *inode) */
PROBE("fexit", instantiate_exit, done_event(ROLE_INSTANTIATE, EXIT, (const struct dentry *)ctx[0], 0))

/* void d_delete(struct dentry *dentry) */
PROBE("fentry", delete_enter, done_event(ROLE_DELETE, ENTER, (const struct dentry *)ctx[0], 0))

/* void __d_move(struct dentry *dentry, struct dentry *target, bool exchange) */
PROBE("fentry", move_enter, done_event(ROLE_MOVE, ENTER, (const struct dentry *)ctx[0], ctx[1]))

PROBE("fexit", move_exit, done_event(ROLE_MOVE, EXIT, (const struct dentry *)ctx[0], 0))

/* void __d_drop(struct dentry *dentry) */
PROBE("fentry", drop_enter, end_event(ROLE_DROP, (const struct dentry *)ctx[0], false))

/* void __dentry_kill(struct dentry *dentry); it returns the parent from 6.8 */
PROBE("fentry", kill_enter, end_event(ROLE_KILL, (const struct dentry *)ctx[0], forget_at_kill))

/* void dentry_free(struct dentry *dentry) */
PROBE("fentry", free_enter, end_event(ROLE_FREE, (const struct dentry *)ctx[0], true))

/* ---- unlink: the dentry is the second argument until 5.11, the third since ---- */

static __always_inline void unlink_returned(const struct dentry *dentry, __s32 ret)
{
	struct record r = {};

	if (!enabled || (!is_target() && !is_watched(dentry)))
		return;
	begin(&r, ROLE_UNLINK, EXIT);
	r.value = (__u64)(__s64)ret;
	emit(&r);
}

PROBE("fentry", unlink2_enter, done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ctx[1], 0))

PROBE("fexit", unlink2_exit, unlink_returned((const struct dentry *)ctx[1], (__s32)ctx[3]))

PROBE("fentry", unlink3_enter, done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ctx[2], 0))

PROBE("fexit", unlink3_exit, unlink_returned((const struct dentry *)ctx[2], (__s32)ctx[4]))

/* ---- drop_caches: recorded whoever asks for it ---- */

static __always_inline void evict_event(enum phase phase)
{
	struct record r = {};

	if (!enabled)
		return;
	begin(&r, ROLE_EVICT, phase);
	emit(&r);
}

/* void drop_slab(void) */
PROBE("fentry", evict_enter, evict_event(ENTER))

PROBE("fexit", evict_exit, evict_event(EXIT))

/* ---- processes ---- */

/* sched_process_fork(struct task_struct *parent, struct task_struct *child), in the parent */
static __always_inline void on_fork_enter(__u64 *ctx)
{
	const struct task_struct *parent = (const struct task_struct *)ctx[0];
	const struct task_struct *child = (const struct task_struct *)ctx[1];
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

PROBE("tp_btf", fork_enter, on_fork_enter(ctx))

/* sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) */
static __always_inline void on_exec_enter(__u64 *ctx)
{
	const struct linux_binprm *bprm = (const struct linux_binprm *)ctx[2];
	struct record r = {};

	if (!enabled || !is_target())
		return;
	begin(&r, ROLE_EXEC, ENTER);
	emit_path(&r, READ(bprm, filename));
}

PROBE("tp_btf", exec_enter, on_exec_enter(ctx))

#define SIGNAL_GROUP_EXIT 4

/* sched_process_exit(struct task_struct *p): of the last thread only */
static __always_inline void on_exit_enter(__u64 *ctx)
{
	const struct task_struct *p = (const struct task_struct *)ctx[0];
	const struct signal_struct *signal = READ(p, signal);
	__u32 tgid = READ(p, tgid);
	struct record r = {};

	if (!enabled || !is_target() || READ(signal, live.counter) != 0)
		return;
	if (bpf_map_delete_elem(&targets, &tgid) && !match_all && !match_comm && !match_cgroup)
		return;
	begin(&r, ROLE_EXIT, ENTER);
	r.value = (__u32)(READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(p, exit_code));
	emit(&r);
}

PROBE("tp_btf", exit_enter, on_exit_enter(ctx))

/* ---- asked once, by BPF_PROG_TEST_RUN: who is the recorder, and what do two variables hold ---- */

SEC("raw_tp")
int inspect(__u64 *ctx)
{
	self_tgid = current_tgid();
	if (hashtable_addr)
		bpf_probe_read_kernel(&hashtable, sizeof(hashtable), (const void *)hashtable_addr);
	if (shift_addr)
		bpf_probe_read_kernel(&hash_shift, sizeof(hash_shift), (const void *)shift_addr);
	return 0;
}
