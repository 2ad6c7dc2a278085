/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What user space tells the programs, the maps they share, and which tasks they see.
 */
#ifndef DTREC_TARGET_H
#define DTREC_TARGET_H

#include "helpers.h"
#include "record.h"

/* The two objects share these variables, so each has its place in both: those with a value are laid
 * out in the order declared here. Set before loading. */
const volatile __u32 recorder_tgid = 0;       /* never recorded itself */
const volatile bool follow_children = false;  /* processes the recorder starts are targets */
const volatile bool match_listed = false;     /* the map of targets is not empty */
const volatile bool match_all = false;
const volatile bool match_comm = false;
const volatile __u64 comm_words[2] = {};      /* task_struct.comm to match, zero-padded */
const volatile __u64 comm_mask[2] = {};       /* mask of the bytes to compare: those behind the NUL may be left from an older name */
const volatile bool match_cgroup = false;
const volatile bool has_cgroups = false; /* the cgroup2 hierarchy is mounted */
const volatile __u64 cgroup_id = 0;
const volatile __u32 cgroup_level = 0;
const volatile __u32 dcache_mounted = 0;
const volatile __u32 dcache_op_hash = 0;
const volatile __u64 own_root[2] = {};        /* the recorder's root directory: mount and dentry */
const volatile __u64 wakeup_bytes = 0;        /* wake the reader when so many bytes are waiting */
const volatile __u64 hashtable_addr = 0;      /* &dentry_hashtable, 0 unknown */
const volatile __u64 shift_addr = 0;          /* &d_hash_shift, 0 unknown */
const volatile __u64 preempt_addr = 0;        /* &preempt_dynamic_mode, 0 unknown */
const volatile bool count_runs = false;       /* programs of kprobes count how often they run */

/* Offsets in bytes of the trampoline in struct bpf_tracing_link, and of what look_at_trampolines reads in struct bpf_trampoline; 0: the kernel has no such member. */
const volatile __u32 link_trampoline = 0;
const volatile __u32 trampoline_programs = 0; /* progs_cnt */
const volatile __u32 trampoline_image = 0;    /* cur_image */
const volatile __u32 trampoline_owner = 0;    /* the word of its mutex that holds the owner */

/* Written while running. */
__u32 enabled = 0;        /* by user space: all probes are attached */
__u32 forget_at_kill = 0; /* by user space: dentry_free is not attached */
__u64 next_look = 0;      /* ns: when to look next how much is waiting */
__u32 self_tgid = 0;      /* by inspect */
__u32 last_child = 0;     /* tgid of the process the recorder started last */
__u32 adopted = 0;        /* by user space: tgid of a process it started that is a target though not in the map; 0 none */
__u64 hashtable = 0;      /* by inspect */
__u32 hash_shift = 0;     /* by inspect */
__s32 preempt_mode = 0;   /* by inspect: preempt_dynamic_mode + 1, 0 unknown */
__u64 root_seen[2] = {};  /* by inspect: the root directory of the task that runs it, mount and dentry */
__u64 inside = 0;         /* threads in `opening`; too many if an exit was missed */
__u64 anchor = 0;         /* its own address, once asked for: see DISTANCE */
__u64 fstype_addr = 0;    /* by user space, for fstype_of: a struct file_system_type */
__u64 fstype_name[2] = {}; /* by fstype_of: its name, NUL-terminated */
char symbol_name[32] = {}; /* by user space, for find_symbol: NUL-padded */
__u64 symbol_addr = 0;     /* by find_symbol: 0 not found */
__s32 link_fd = 0;         /* by user space, for trampoline_of: a descriptor of a link */

__u64 hook_switch = 0;     /* address of the variable behind kernel.ftrace_enabled, by the probe sysctl, and by user space for look_at_trampolines; 0: not known */
__u32 switched_off = 0;    /* by sysctl: how often a read or write left it 0 */
__u32 unhooked = 0;        /* by look_at_trampolines: it is 0 */

/* A function's struct bpf_trampoline, as look_at_trampolines finds it. */
struct trampoline {
	__u64 at;       /* its address, by trampoline_of */
	__u64 image;    /* the address of its code */
	__u32 programs; /* number of programs it runs */
	__u32 held;     /* its mutex is held: its code may be about to change */
} trampoline = {}, trampolines[LOSS_ROLES] = {};

struct head *head_btf = NULL; /* keeps the type in the object's BTF, where a test reads it */

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

/*
 * A filter in front of those two maps that answers most lookups: for each slot, how many of their keys fall into it, and
 * the key asked for last. Looking at a slot of an array costs a few instructions, a hash table a hundred.
 */
struct near {
	__u64 last;
	__u64 count;
};

#define NEAR_SLOTS 16384 /* a power of two */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEAR_SLOTS);
	__type(key, __u32); /* the low bits of the tgid */
	__type(value, struct near);
} targets_near SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEAR_SLOTS);
	__type(key, __u32); /* bits of the address */
	__type(value, struct near);
} watch_near SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);   /* thread in an open, walk or operation that is recorded */
	__type(value, __u32); /* how many, nested */
} opening SEC(".maps");

#define MAX_ENTERED 4 /* a power of two */

/* When the calls in progress of one thread and role were entered, innermost last. */
struct entries {
	__u64 depth;
	__u64 time[MAX_ENTERED]; /* ns, CLOCK_BOOTTIME */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* the row of a thread that has ended stays */
	__uint(max_entries, 16384);
	__type(key, __u64); /* role << 32 | tid */
	__type(value, struct entries);
} entered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set before loading: cpus * LOSS_CAUSES * LOSS_ROLES */
	__type(key, __u32);
	__type(value, struct loss_slot);
} losses SEC(".maps");

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline struct near *near_target(__u32 tgid)
{
	__u32 i = tgid % NEAR_SLOTS;

	return bpf_map_lookup_elem(&targets_near, &i);
}

/* Dentries take 192 bytes each: neighbours in a slab get different slots. */
static __always_inline struct near *near_watched(const void *dentry)
{
	__u32 i = (DISTANCE(dentry) >> 6) % NEAR_SLOTS;

	return bpf_map_lookup_elem(&watch_near, &i);
}

/* Notes that user space may make this process a target. */
static __always_inline void expect_target(__u32 tgid)
{
	struct near *near = near_target(tgid);

	if (near)
		__sync_fetch_and_add(&near->count, 1);
}

static __always_inline long add_target(__u32 tgid)
{
	struct near *near = near_target(tgid);
	__u8 one = 1;
	long err;

	if (near)
		__sync_fetch_and_add(&near->count, 1);
	err = bpf_map_update_elem(&targets, &tgid, &one, BPF_NOEXIST);
	if (err && near)
		__sync_fetch_and_add(&near->count, -1);
	return err == -EEXIST ? 0 : err;
}

static __always_inline long remove_target(__u32 tgid)
{
	struct near *near = near_target(tgid);
	long err = 0;

	if (adopted == tgid)
		adopted = 0;
	else
		err = bpf_map_delete_elem(&targets, &tgid);
	if (near && near->last == tgid)
		near->last = 0;
	if (near && !err)
		__sync_fetch_and_add(&near->count, -1);
	return err;
}

/* A task whose name or cgroup changes while it is inside an open or an execve is recorded until that returns. */
static __always_inline bool may_leave(void)
{
	return !match_all && (match_comm || match_cgroup);
}

static __always_inline bool is_listed(__u32 tgid)
{
	struct near *near = near_target(tgid);

	if (!near || !near->count || !tgid) /* 0 for the idle task, in an interrupt; no adopted or last process is 0 then either */
		return false;
	if (near->last == tgid)
		return true;
	if (tgid != adopted && !bpf_map_lookup_elem(&targets, &tgid))
		return false;
	near->last = tgid;
	return true;
}

/* The whole filter: is the current task recorded? */
static __always_inline bool is_target(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32, tid = id;

	if (tgid == recorder_tgid)
		return false;
	if (match_all || (match_listed && is_listed(tgid)))
		return true;
	if (match_comm) {
		__u64 comm[2];

		CURRENT_COMM(comm);
		if ((comm[0] & comm_mask[0]) == comm_words[0] && (comm[1] & comm_mask[1]) == comm_words[1])
			return true;
	}
	if (match_cgroup && bpf_get_current_ancestor_cgroup_id(cgroup_level) == cgroup_id)
		return true;
	return may_leave() && inside && bpf_map_lookup_elem(&opening, &tid);
}

static __always_inline bool is_watched(const void *dentry)
{
	__u64 key = (__u64)dentry;
	struct near *near;

	if (match_all)
		return true;
	near = near_watched(dentry);
	return near && near->count && bpf_map_lookup_elem(&watch, &key);
}

static __always_inline void forget(const void *dentry)
{
	__u64 key = (__u64)dentry;
	struct near *near;

	if (match_all)
		return;
	near = near_watched(dentry);
	if (!bpf_map_delete_elem(&watch, &key) && near)
		__sync_fetch_and_add(&near->count, -1);
	if (near && near->last == key)
		near->last = 0;
}

#endif
