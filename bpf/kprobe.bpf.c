//go:build ignore

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The probes attached by kprobe and kretprobe, one at a time or through kprobe.multi:
 * the same bodies, with arguments from registers and memory read by helper. On return
 * the arguments are gone from the registers, so where they are needed a second program,
 * NAME_stash, keeps them on entry.
 */
#define READ(p, member)                                                          \
	({                                                                       \
		typeof(((void)0, (p)->member)) value_;                           \
		bpf_probe_read_kernel(&value_, sizeof(value_),                   \
				      __builtin_preserve_access_index(&(p)->member)); \
		value_;                                                          \
	})
#define ARG(n) REGS_ARG##n(ctx)
#define RET(args) REGS_RET(ctx)
#define RET_NUMBER(args) RET(args)
#define CURRENT_TASK() ((const struct task_struct *)bpf_get_current_task())
#define CURRENT_COMM(to)                                                         \
	({                                                                       \
		(to)[0] = (to)[1] = 0; /* 6.1 does not clear the bytes behind the NUL */ \
		bpf_get_current_comm(to, 16);                                    \
	})
#define DISTANCE(p)                                                              \
	({                                                                       \
		volatile __u64 *anchor_ = &anchor;                               \
		if (!*anchor_)                                                   \
			*anchor_ = (__u64)anchor_;                               \
		(__u64)(p) - *anchor_;                                           \
	})

#define PROBE(section, name, ...)                                                \
	SEC(section)                                                             \
	int name(struct pt_regs *ctx)                                            \
	{                                                                        \
		if (count_runs)                                                  \
			__sync_fetch_and_add(&runs, 1);                          \
		__VA_ARGS__;                                                     \
		return 0;                                                        \
	}

#define ENTER_PROBE(name, ...) PROBE("kprobe", name, __VA_ARGS__)
#define EXIT_PROBE(name, ...) PROBE("kretprobe", name, __VA_ARGS__)
#define EXIT_ARG_PROBE(name, role, n, ...)                                       \
	PROBE("kprobe", name##_stash, stash(role, ARG(n), 0, REGS_STACK(ctx), (const void *)ARG(n))) \
	PROBE("kretprobe", name, {                                               \
		__u64 arg, arg2;                                                 \
		if (unstash(role, &arg, &arg2))                                  \
			__VA_ARGS__;                                             \
	})
/* For a task that is no target nothing was kept, and the body needs nothing. */
#define CALL_PROBE(name, role, n, m, ...)                                        \
	PROBE("kprobe", name##_stash, stash(role, ARG(n), ARG(m), REGS_STACK(ctx), NULL)) \
	PROBE("kretprobe", name, {                                               \
		__u64 arg = 0, arg2 = 0;                                         \
		if (unstash(role, &arg, &arg2) || !is_target())                  \
			__VA_ARGS__;                                             \
	})

#include "regs.h"
#include "stash.h"

/* How often a program ran: each program is loaded with its own counter. */
__u64 runs SEC(".data.runs") = 0;

#include "dcache.h"

/* All operations share one link of kprobe.multi: the cookie of the symbol gives the role of a hit. */
ENTER_PROBE(operation_enter, operation_entered(bpf_get_attach_cookie(ctx), ARG(4)))
EXIT_PROBE(operation_exit, operation_returned(bpf_get_attach_cookie(ctx), RET(0)))

char _license[] SEC("license") = "Dual BSD/GPL";
