/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What user space tells the programs, the maps they share, and which tasks they see.
 */
#ifndef DTREC_TARGET_H
#define DTREC_TARGET_H

#include "helpers.h"
#include "record.h"

/* Set before loading. */
const volatile __u32 recorder_tgid;   /* never recorded itself */
const volatile bool follow_children;  /* processes the recorder starts are targets */
const volatile bool match_all;
const volatile bool match_comm;
const volatile __u64 comm_words[2];   /* task_struct.comm to match, zero-padded */
const volatile bool match_cgroup;
const volatile __u64 cgroup_id;
const volatile __u32 cgroup_level;
const volatile __u32 dcache_mounted;
const volatile __u32 dcache_op_hash;
const volatile __u64 wakeup_bytes;    /* wake the reader when so much is waiting */
const volatile __u64 hashtable_addr;  /* &dentry_hashtable, 0 unknown */
const volatile __u64 shift_addr;      /* &d_hash_shift, 0 unknown */

/* Written while running. */
__u32 enabled;        /* by user space: all probes are attached */
__u32 forget_at_kill; /* by user space: dentry_free is not attached */
__u64 last_wakeup;    /* ns */
__u32 self_tgid;      /* by inspect */
__u32 last_child;     /* tgid of the process the recorder started last */
__u64 hashtable;      /* by inspect */
__u32 hash_shift;     /* by inspect */

struct record *record_btf; /* keeps the type in the object's BTF, where a test reads it */

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

#endif
