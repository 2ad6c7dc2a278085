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
const volatile bool match_all = false;
const volatile bool match_comm = false;
const volatile __u64 comm_words[2] = {};      /* task_struct.comm to match, zero-padded */
const volatile bool match_cgroup = false;
const volatile __u64 cgroup_id = 0;
const volatile __u32 cgroup_level = 0;
const volatile __u32 dcache_mounted = 0;
const volatile __u32 dcache_op_hash = 0;
const volatile __u64 own_root[2] = {};        /* the recorder's root directory: mount and dentry */
const volatile __u64 wakeup_bytes = 0;        /* wake the reader when so much is waiting */
const volatile __u64 hashtable_addr = 0;      /* &dentry_hashtable, 0 unknown */
const volatile __u64 shift_addr = 0;          /* &d_hash_shift, 0 unknown */
const volatile __u64 preempt_addr = 0;        /* &preempt_dynamic_mode, 0 unknown */

/* Written while running. */
__u32 enabled = 0;        /* by user space: all probes are attached */
__u32 forget_at_kill = 0; /* by user space: dentry_free is not attached */
__u64 last_wakeup = 0;    /* ns */
__u32 self_tgid = 0;      /* by inspect */
__u32 last_child = 0;     /* tgid of the process the recorder started last */
__u64 hashtable = 0;      /* by inspect */
__u32 hash_shift = 0;     /* by inspect */
__s32 preempt_mode = 0;   /* by inspect: preempt_dynamic_mode + 1, 0 unknown */
__u64 root_seen[2] = {};  /* by inspect: the root directory of who runs it, mount and dentry */
__u64 fstype_addr = 0;    /* by user space, for fstype_of: a struct file_system_type */
__u64 fstype_name[2] = {}; /* by fstype_of: its name, NUL-terminated */

struct record *record_btf = NULL; /* keeps the type in the object's BTF, where a test reads it */

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
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);   /* thread in an open, walk or operation that is recorded */
	__type(value, __u32); /* how many, one in the other */
} opening SEC(".maps");

#define MAX_ENTERED 4 /* a power of two */

/* Calls in progress of one thread and role, innermost last: when they were entered. */
struct entries {
	__u64 depth;
	__u64 time[MAX_ENTERED]; /* ns, CLOCK_BOOTTIME */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* a thread that has ended leaves its row */
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

/* A task may be given another name or cgroup while it is inside an open, or an execve: that is recorded to its end. */
static __always_inline bool may_leave(void)
{
	return !match_all && (match_comm || match_cgroup);
}

/* The whole filter: is the current task recorded? */
static __always_inline bool is_target(void)
{
	__u32 tgid = current_tgid(), tid = bpf_get_current_pid_tgid();

	if (tgid == recorder_tgid)
		return false;
	if (match_all)
		return true;
	if (may_leave() && bpf_map_lookup_elem(&opening, &tid))
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

#endif
