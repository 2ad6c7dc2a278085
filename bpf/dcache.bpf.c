//go:build ignore

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The probes of dtrec: what happens to a path name inside the dcache. One program
 * per role and phase; plan.go says to which kernel function each is attached.
 * Written for 5.10 and later: bounded code, no loops, no helper younger than that.
 */
#include "helpers.h"
#include "kernel.h"
#include "record.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* How a kernel structure is read. Arguments of fentry and fexit programs are typed
 * pointers, which the verifier lets us follow directly, at the price of a load. */
#define READ(p, member) ((p)->member)

/* Set before loading. */
const volatile __u32 recorder_tgid;  /* never recorded itself */
const volatile bool follow_children; /* processes the recorder starts are targets */
const volatile bool match_all;
const volatile bool match_comm;
const volatile __u64 comm_words[2]; /* task_struct.comm to match, zero-padded */
const volatile bool match_cgroup;
const volatile __u64 cgroup_id;
const volatile __u32 cgroup_level;
const volatile __u32 dcache_mounted;
const volatile __u32 dcache_op_hash;
const volatile __u64 wakeup_bytes; /* wake the reader when so much is waiting */
const volatile __u64 hashtable_addr; /* &dentry_hashtable, 0 unknown */
const volatile __u64 shift_addr;     /* &d_hash_shift, 0 unknown */

/* Written while running. */
__u32 enabled;        /* by user space: all probes are attached */
__u32 forget_at_kill; /* by user space: dentry_free is not attached */
__u64 last_wakeup;    /* ns */
__u32 self_tgid;      /* by inspect */
__u64 hashtable;      /* by inspect */
__u32 hash_shift;     /* by inspect */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* address of a dentry some target has seen */
	__type(value, __u8);
} watch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before loading: cpus * LOSS_CAUSES * LOSS_ROLES */
	__type(key, __u32);
	__type(value, struct loss_slot);
} losses SEC(".maps");

/* ---- which tasks ---- */

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* The whole filter: is the current task recorded? */
static __always_inline bool is_target(void)
{
	__u32 tgid = current_tgid();

	if (tgid == recorder_tgid)
		return false;
	if (match_all)
		return true;
	if (match_comm) {
		__u64 comm[2] = {};

		bpf_get_current_comm(comm, sizeof(comm));
		if (comm[0] == comm_words[0] && comm[1] == comm_words[1])
			return true;
	}
	if (match_cgroup && bpf_get_current_ancestor_cgroup_id(cgroup_level) == cgroup_id)
		return true;
	return bpf_map_lookup_elem(&targets, &tgid) != NULL;
}

/* ---- loss ---- */

static __always_inline void lost(__u32 cause, const struct record *r)
{
	__u32 i = ((__u32)r->cpu * LOSS_CAUSES + cause) * LOSS_ROLES + r->role;
	struct loss_slot *slot = bpf_map_lookup_elem(&losses, &i);

	if (!slot)
		return;
	if (slot->count == slot->acked)
		slot->first = r->time;
	slot->last = r->time;
	__sync_fetch_and_add(&slot->count, 1);
}

/* ---- records ---- */

static __always_inline void begin(struct record *r, enum role role, enum phase phase)
{
	__u64 id = bpf_get_current_pid_tgid();

	r->time = bpf_ktime_get_boot_ns();
	r->tgid = id >> 32;
	r->tid = id;
	r->cpu = bpf_get_smp_processor_id();
	r->role = role;
	r->phase = phase;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
}

/* The reader sleeps on a timer; it is woken only when much is waiting, and then once a millisecond. */
static __always_inline void submit(void *rec, __u64 now)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wakeup_bytes && now - last_wakeup > 1000000) {
		last_wakeup = now;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(rec, flags);
}

static __always_inline void copy_head(struct record *to, const struct record *from)
{
	__builtin_memcpy(to, from, sizeof(*to));
}

static __always_inline void emit(const struct record *r)
{
	struct record *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);

	if (!rec) {
		lost(LOSS_RING_BUFFER, r);
		return;
	}
	copy_head(rec, r);
	submit(rec, r->time);
}

/* Reserves one size class (a constant, as the verifier wants it), with `extra` bytes before the name. Name bytes
 * that cannot be read are counted, and the event is kept without them. */
#define EMIT_NAMED(r, src, n, extra, class, fill)                                \
	do {                                                                     \
		struct {                                                         \
			struct record head;                                      \
			char name[(extra) + (class)];                            \
		} *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);          \
		if (!rec) {                                                      \
			lost(LOSS_RING_BUFFER, r);                               \
			break;                                                   \
		}                                                                \
		copy_head(&rec->head, r);                                        \
		fill;                                                            \
		rec->head.stored = n;                                            \
		if (bpf_probe_read_kernel(rec->name + (extra), n, src)) {        \
			rec->head.stored = 0;                                    \
			rec->head.facts |= FACT_NAME_UNREADABLE;                 \
			lost(LOSS_UNREADABLE_NAME, r);                           \
		}                                                                \
		submit(rec, (r)->time);                                          \
	} while (0)

/* A record and r->name_len bytes of the component at r->name_addr, at most 255. */
static __always_inline void emit_name(const struct record *r)
{
	const void *src = (const void *)r->name_addr;
	__u64 n = r->name_len; /* 64 bits: compared and passed on as one register */

	if (!src || !n) {
		emit(r);
		return;
	}
	barrier_var(n);
	if (n <= 32) {
		EMIT_NAMED(r, src, n, 0, 32, );
		return;
	}
	if (n > 255)
		n = 255;
	barrier_var(n);
	EMIT_NAMED(r, src, n & 255, 0, 256, );
}

/* A record and the path at src, up to the 4095 bytes a path can have; sets name_len. The length is found by reading:
 * first into a few bytes of stack, then into a record of 256, then into one of 4096. */
#define EMIT_PATH(r, src, class, too_long)                                       \
	do {                                                                     \
		struct {                                                         \
			struct record head;                                      \
			char name[class];                                        \
		} *rec = bpf_ringbuf_reserve(&events, sizeof(*rec), 0);          \
		long got;                                                        \
		if (!rec) {                                                      \
			lost(LOSS_RING_BUFFER, r);                               \
			break;                                                   \
		}                                                                \
		got = bpf_probe_read_kernel_str(rec->name, class, src);          \
		if (got == (class) && (too_long)) {                              \
			bpf_ringbuf_discard(rec, BPF_RB_NO_WAKEUP);              \
			more = true;                                             \
			break;                                                   \
		}                                                                \
		copy_head(&rec->head, r);                                        \
		if (got > 0) {                                                   \
			rec->head.stored = rec->head.name_len = got - 1;         \
		} else {                                                         \
			rec->head.facts |= FACT_NAME_UNREADABLE;                 \
			lost(LOSS_UNREADABLE_NAME, r);                           \
		}                                                                \
		submit(rec, (r)->time);                                          \
	} while (0)

static __always_inline void emit_path(const struct record *r, const char *src)
{
	char probe[33];
	bool more = false;
	long got = bpf_probe_read_kernel_str(probe, sizeof(probe), src);

	if (got > 0 && got < sizeof(probe)) {
		EMIT_PATH(r, src, 32, false);
		return;
	}
	EMIT_PATH(r, src, 256, true);
	if (more)
		EMIT_PATH(r, src, 4096, false);
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
static __always_inline int key_event(enum role role, const struct dentry *parent, const struct qstr *name)
{
	struct record r = {};

	if (!enabled || !is_target())
		return 0;
	begin(&r, role, ENTER);
	read_parent(&r, parent);
	if (name) {
		r.name_addr = (__u64)READ(name, name);
		r.name_len = READ(name, len);
		r.hash = READ(name, hash);
	}
	emit_name(&r);
	return 0;
}

/* Exit of a lookup or alloc: the dentry it returned, or NULL. */
static __always_inline int found_event(enum role role, const struct dentry *dentry)
{
	struct record r = {};

	if (!enabled || !is_target())
		return 0;
	begin(&r, role, EXIT);
	read_dentry(&r, dentry);
	watch_dentry(&r);
	emit_name(&r);
	return 0;
}

/* Something done to a dentry by a target, or by anyone to a watched one. */
static __always_inline int done_event(enum role role, enum phase phase, const struct dentry *dentry, __u64 value)
{
	struct record r = {};
	bool target;

	if (!enabled)
		return 0;
	target = is_target();
	if (!target && !is_watched(dentry))
		return 0;
	begin(&r, role, phase);
	r.value = value;
	read_dentry(&r, dentry);
	if (target)
		watch_dentry(&r);
	emit_name(&r);
	return 0;
}

/* The end of a dentry that was seen before; drop_caches ends thousands that were not. */
static __always_inline int end_event(enum role role, const struct dentry *dentry, bool last)
{
	struct record r = {};

	if (!enabled || !is_watched(dentry))
		return 0;
	begin(&r, role, ENTER);
	read_dentry(&r, dentry);
	emit_name(&r);
	if (last)
		forget(dentry);
	return 0;
}

/* ---- open ---- */

/* struct file *do_filp_open(int dfd, struct filename *pathname, const struct open_flags *op) */
SEC("fentry")
int open_enter(__u64 *ctx)
{
	struct filename *pathname = (struct filename *)ctx[1];
	const struct open_flags *op = (const struct open_flags *)ctx[2];
	struct record r = {};

	if (!enabled || !is_target())
		return 0;
	begin(&r, ROLE_OPEN, ENTER);
	r.name_addr = (__u64)READ(pathname, name);
	r.flags = READ(op, open_flag);
	r.mode = READ(op, mode);
	emit_path(&r, (const char *)r.name_addr);
	return 0;
}

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

SEC("fexit")
int open_exit(__u64 *ctx)
{
	const struct file *file = (const struct file *)ctx[3];
	struct record r = {};
	const struct dentry *dentry;

	if (!enabled || !is_target())
		return 0;
	begin(&r, ROLE_OPEN, EXIT);
	r.value = (__u64)file;
	if (r.value - 1 >= (__u64)-4096) { /* NULL or IS_ERR */
		emit_not_opened(&r);
		return 0;
	}
	dentry = READ(file, f_path.dentry);
	read_dentry(&r, dentry);
	r.flags = READ(dentry, d_sb)->s_dev;
	watch_dentry(&r);
	emit_opened(&r, READ(READ(READ(dentry, d_sb), s_type), name));
	return 0;
}

/* ---- lookup ---- */

/* struct dentry *d_lookup(const struct dentry *parent, const struct qstr *name) */
SEC("fentry")
int lookup_enter(__u64 *ctx)
{
	return key_event(ROLE_LOOKUP, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]);
}

SEC("fexit")
int lookup_exit(__u64 *ctx)
{
	return found_event(ROLE_LOOKUP, (const struct dentry *)ctx[2]);
}

/* struct dentry *__d_lookup(const struct dentry *parent, const struct qstr *name) */
SEC("fentry")
int chain_enter(__u64 *ctx)
{
	return key_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]);
}

SEC("fexit")
int chain_exit(__u64 *ctx)
{
	return found_event(ROLE_LOOKUP_CHAIN, (const struct dentry *)ctx[2]);
}

/* struct dentry *__d_lookup_rcu(const struct dentry *parent, const struct qstr *name, unsigned *seqp) */
SEC("fentry")
int rcu_enter(__u64 *ctx)
{
	return key_event(ROLE_LOOKUP_RCU, (const struct dentry *)ctx[0], (const struct qstr *)ctx[1]);
}

SEC("fexit")
int rcu_exit(__u64 *ctx)
{
	return found_event(ROLE_LOOKUP_RCU, (const struct dentry *)ctx[3]);
}

/* ---- the life of a dentry ---- */

/* struct dentry *__d_alloc(struct super_block *sb, const struct qstr *name) */
SEC("fentry")
int alloc_enter(__u64 *ctx)
{
	return key_event(ROLE_ALLOC, NULL, (const struct qstr *)ctx[1]);
}

SEC("fexit")
int alloc_exit(__u64 *ctx)
{
	return found_event(ROLE_ALLOC, (const struct dentry *)ctx[2]);
}

/* void __d_rehash(struct dentry *entry): afterwards d_hash.pprev is the bucket itself */
SEC("fexit")
int insert_exit(__u64 *ctx)
{
	const struct dentry *dentry = (const struct dentry *)ctx[0];

	return done_event(ROLE_INSERT, EXIT, dentry, (__u64)READ(dentry, d_hash.pprev));
}

/* void __d_instantiate(struct dentry *dentry, struct inode *inode) */
SEC("fexit")
int instantiate_exit(__u64 *ctx)
{
	return done_event(ROLE_INSTANTIATE, EXIT, (const struct dentry *)ctx[0], 0);
}

/* void d_delete(struct dentry *dentry) */
SEC("fentry")
int delete_enter(__u64 *ctx)
{
	return done_event(ROLE_DELETE, ENTER, (const struct dentry *)ctx[0], 0);
}

/* void __d_move(struct dentry *dentry, struct dentry *target, bool exchange) */
SEC("fentry")
int move_enter(__u64 *ctx)
{
	return done_event(ROLE_MOVE, ENTER, (const struct dentry *)ctx[0], ctx[1]);
}

SEC("fexit")
int move_exit(__u64 *ctx)
{
	return done_event(ROLE_MOVE, EXIT, (const struct dentry *)ctx[0], 0);
}

/* void __d_drop(struct dentry *dentry) */
SEC("fentry")
int drop_enter(__u64 *ctx)
{
	return end_event(ROLE_DROP, (const struct dentry *)ctx[0], false);
}

/* void __dentry_kill(struct dentry *dentry); it returns the parent from 6.8 */
SEC("fentry")
int kill_enter(__u64 *ctx)
{
	return end_event(ROLE_KILL, (const struct dentry *)ctx[0], forget_at_kill);
}

/* void dentry_free(struct dentry *dentry) */
SEC("fentry")
int free_enter(__u64 *ctx)
{
	return end_event(ROLE_FREE, (const struct dentry *)ctx[0], true);
}

/* ---- unlink: the dentry is the second argument until 5.11, the third since ---- */

static __always_inline int unlink_returned(__s32 ret)
{
	struct record r = {};

	if (!enabled || !is_target())
		return 0;
	begin(&r, ROLE_UNLINK, EXIT);
	r.value = (__u64)(__s64)ret;
	emit(&r);
	return 0;
}

SEC("fentry")
int unlink2_enter(__u64 *ctx)
{
	return done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ctx[1], 0);
}

SEC("fexit")
int unlink2_exit(__u64 *ctx)
{
	return unlink_returned((__s32)ctx[3]);
}

SEC("fentry")
int unlink3_enter(__u64 *ctx)
{
	return done_event(ROLE_UNLINK, ENTER, (const struct dentry *)ctx[2], 0);
}

SEC("fexit")
int unlink3_exit(__u64 *ctx)
{
	return unlink_returned((__s32)ctx[4]);
}

/* ---- drop_caches: recorded whoever asks for it ---- */

static __always_inline int evict_event(enum phase phase)
{
	struct record r = {};

	if (!enabled)
		return 0;
	begin(&r, ROLE_EVICT, phase);
	emit(&r);
	return 0;
}

/* void drop_slab(void) */
SEC("fentry")
int evict_enter(__u64 *ctx)
{
	return evict_event(ENTER);
}

SEC("fexit")
int evict_exit(__u64 *ctx)
{
	return evict_event(EXIT);
}

/* ---- processes ---- */

/* sched_process_fork(struct task_struct *parent, struct task_struct *child), in the parent */
SEC("tp_btf")
int fork_enter(__u64 *ctx)
{
	const struct task_struct *parent = (const struct task_struct *)ctx[0];
	const struct task_struct *child = (const struct task_struct *)ctx[1];
	__u32 from = READ(parent, tgid), to = READ(child, tgid);
	struct record r = {};
	__u8 one = 1;

	if (!enabled || from == to)
		return 0;
	begin(&r, ROLE_FORK, ENTER);
	if ((from == recorder_tgid && follow_children) || bpf_map_lookup_elem(&targets, &from)) {
		if (bpf_map_update_elem(&targets, &to, &one, 0))
			lost(LOSS_WATCH_OVERFLOW, &r);
	}
	if (!is_target())
		return 0;
	r.flags = to;
	emit(&r);
	return 0;
}

/* sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) */
SEC("tp_btf")
int exec_enter(__u64 *ctx)
{
	const struct linux_binprm *bprm = (const struct linux_binprm *)ctx[2];
	struct record r = {};

	if (!enabled || !is_target())
		return 0;
	begin(&r, ROLE_EXEC, ENTER);
	emit_path(&r, READ(bprm, filename));
	return 0;
}

#define SIGNAL_GROUP_EXIT 4

/* sched_process_exit(struct task_struct *p): of the last thread only */
SEC("tp_btf")
int exit_enter(__u64 *ctx)
{
	const struct task_struct *p = (const struct task_struct *)ctx[0];
	const struct signal_struct *signal = READ(p, signal);
	__u32 tgid = READ(p, tgid);
	struct record r = {};

	if (!enabled || !is_target() || READ(signal, live.counter) != 0)
		return 0;
	if (bpf_map_delete_elem(&targets, &tgid) && !match_all && !match_comm && !match_cgroup)
		return 0;
	begin(&r, ROLE_EXIT, ENTER);
	r.value = (__u32)(READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(p, exit_code));
	emit(&r);
	return 0;
}

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
