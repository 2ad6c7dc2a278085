/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Arguments kept from the entry of a function to its return, by thread and role. The
 * entries of a thread are a stack: vfs_unlink of an overlay calls that of a layer, and
 * layers are at most FILESYSTEM_MAX_STACK_DEPTH (2) deep.
 */
#ifndef DTREC_STASH_H
#define DTREC_STASH_H

#include "emit.h"

#define MAX_NESTED 4 /* a power of two */

struct call {
	__u64 arg, arg2;
	__u64 sp;   /* the stack pointer on entry */
	__u64 time; /* ns, CLOCK_BOOTTIME */
};

struct calls {
	__u64 depth;
	struct call call[MAX_NESTED];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* role << 32 | tid */
	__type(value, struct calls);
} stashed SEC(".maps");

static __always_inline __u64 stash_key(enum role role)
{
	return (__u64)role << 32 | (__u32)bpf_get_current_pid_tgid();
}

/* Counts an exit that is not in the trace, of a call entered at `time`, or just now if that is 0. It came at some time since. */
static __always_inline void lost_exit(enum role role, __u64 time)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct head h;

	h.cpu = bpf_get_smp_processor_id();
	h.role = role;
	lost_within(LOSS_MISSED, &h, time ? time : now, now);
}

/*
 * Drops calls whose frame is gone although their exit was never seen. The stack grows
 * downwards, so every call around a new one was entered with a higher stack pointer.
 */
static __always_inline __u64 drop_returned(struct calls *calls, enum role role, __u64 sp)
{
	__u64 depth = calls->depth;

#pragma unroll
	for (int i = 0; i < MAX_NESTED; i++) {
		struct call *top = &calls->call[(depth - 1) % MAX_NESTED];

		if (!depth || top->sp > sp)
			break;
		lost_exit(role, top->time);
		depth--;
	}
	return depth;
}

/*
 * Keeps the arguments for the exit, if the exit will be recorded (of a target, or of a watched dentry),
 * or if that of a call around this one will be, which would otherwise take this call's arguments.
 */
static __always_inline void stash(enum role role, __u64 arg, __u64 arg2, __u64 sp, const void *dentry)
{
	__u64 key = stash_key(role), depth = 0;
	struct calls *calls;
	bool target;

	if (!enabled)
		return;
	target = is_target();
	calls = bpf_map_lookup_elem(&stashed, &key);
	if (!calls && !target && (!dentry || !is_watched(dentry)))
		return;
	if (!calls) {
		struct calls first = {};

		if (bpf_map_update_elem(&stashed, &key, &first, 0) && !target)
			lost_exit(role, 0); /* for a target, unstash counts the loss */
		calls = bpf_map_lookup_elem(&stashed, &key);
		if (!calls)
			return;
	}
	depth = drop_returned(calls, role, sp);
	if (depth >= MAX_NESTED) {
#pragma unroll
		for (int i = 0; i < MAX_NESTED; i++)
			lost_exit(role, calls->call[i].time);
		depth = 0;
	}
	calls->call[depth % MAX_NESTED].arg = arg;
	calls->call[depth % MAX_NESTED].arg2 = arg2;
	calls->call[depth % MAX_NESTED].sp = sp;
	calls->call[depth % MAX_NESTED].time = bpf_ktime_get_boot_ns();
	calls->depth = depth + 1;
}

/* Takes back what the entry kept. If there is nothing, the exit of a target is lost; for other tasks nothing may have been kept. */
static __always_inline bool unstash(enum role role, __u64 *arg, __u64 *arg2)
{
	__u64 key = stash_key(role), depth;
	struct calls *calls;

	if (!enabled)
		return false;
	calls = bpf_map_lookup_elem(&stashed, &key);
	if (!calls || !calls->depth) {
		if (is_target())
			lost_exit(role, 0);
		return false;
	}
	depth = calls->depth - 1;
	*arg = calls->call[depth % MAX_NESTED].arg;
	*arg2 = calls->call[depth % MAX_NESTED].arg2;
	calls->depth = depth;
	if (!depth)
		bpf_map_delete_elem(&stashed, &key);
	return true;
}

#endif
