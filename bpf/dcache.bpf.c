//go:build ignore

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The probes attached by BPF trampoline, those of processes, and inspect. Arguments are
 * typed pointers, which the verifier lets us follow directly, at the price of a load.
 *
 * While a program is preempted, hits of it by other tasks on that cpu are missed; the
 * kernel counts them, and user space reports them as loss. (bpf_preempt_disable does not
 * help: giving the cpu back at its end, the program is still inside.)
 */
#define READ(p, member) ((p)->member)
#define ARG(n) ctx[n]
#define RET(args) ctx[args]
/* The verifier of 5.10 allows no arithmetic on a pointer whose type it knows. */
#define RET_NUMBER(args)                                                         \
	({                                                                       \
		__u64 value_ = 0;                                                \
		bpf_probe_read_kernel(&value_, sizeof(value_), &ctx[args]);      \
		value_;                                                          \
	})
#define CURRENT_TASK() bpf_get_current_task_btf()

#define PROBE(section, name, ...)                                                \
	SEC(section)                                                             \
	int name(__u64 *ctx)                                                     \
	{                                                                        \
		__VA_ARGS__;                                                     \
		return 0;                                                        \
	}

#define ENTER_PROBE(name, ...) PROBE("fentry", name, __VA_ARGS__)
#define EXIT_PROBE(name, ...) PROBE("fexit", name, __VA_ARGS__)
#define EXIT_ARG_PROBE(name, role, n, ...)                                       \
	PROBE("fexit", name, {                                                   \
		__u64 arg = ARG(n);                                              \
		__VA_ARGS__;                                                     \
	})

#define CALL_PROBE(name, role, n, m, ...)                                        \
	PROBE("fexit", name, {                                                   \
		__u64 arg = ARG(n), arg2 = ARG(m);                               \
		__VA_ARGS__;                                                     \
	})

#include "helpers.h"
#include "kernel.h"

/* Kernels before 5.11 do not have the first helper, and the program is loaded there without it. */
static __always_inline void current_comm(__u64 to[2])
{
	if (__builtin_preserve_enum_value(*(enum bpf_func_id *)BPF_FUNC_get_current_task_btf, 0)) {
		const struct task_struct *task = bpf_get_current_task_btf();
		const __u64 *comm = (const void *)&task->comm;

		to[0] = comm[0];
		to[1] = comm[1];
	} else {
		to[0] = to[1] = 0;
		bpf_get_current_comm(to, 16);
	}
}

#define CURRENT_COMM(to) current_comm(to)

/* The only arithmetic that the verifier allows on a typed pointer. */
#define DISTANCE(p)                                                              \
	({                                                                       \
		__u64 distance_ = (__u64)(p);                                    \
		asm volatile("%0 -= %1" : "+r"(distance_) : "r"(&anchor));       \
		distance_;                                                       \
	})

#include "dcache.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* ---- processes, from tracepoints; what is done with them is in dcache.h, with the functions ---- */

/* sched_process_fork(struct task_struct *parent, struct task_struct *child), in the parent */
PROBE("tp_btf", fork_enter, fork_event((const struct task_struct *)ctx[0], (const struct task_struct *)ctx[1]))

/* sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) */
PROBE("tp_btf", exec_enter, exec_event((const struct linux_binprm *)ctx[2]))

/* sched_process_exit(struct task_struct *p): called by every thread */
static __always_inline void on_thread_exit(const struct task_struct *p)
{
	const struct signal_struct *signal = READ(p, signal);

	if (READ(signal, live.counter) == 0)
		process_ended(p);
}

PROBE("tp_btf", thread_exit, on_thread_exit((const struct task_struct *)ctx[0]))

/* Reads a member by its offset: not every kernel has these structures, and a relocation against a member that does not
 * exist would keep the program from being loaded. */
#define WORD_AT(type, base, offset)                                              \
	({                                                                       \
		type word_ = 0;                                                  \
		bpf_probe_read_kernel(&word_, sizeof(word_), (const void *)(base) + (offset)); \
		word_;                                                           \
	})

/*
 * A sysctl was read or written. Reading kernel.ftrace_enabled takes the lock under which hooks come and go, so the recorder does not
 * read that file; its handler is in kernel/trace, where nothing can be attached. A write of 0 is still seen here: a call that is in
 * progress when its hook is removed is seen to return.
 */
static __always_inline void on_sysctl(const struct ctl_table *table)
{
	__u64 data = (__u64)READ(table, data);
	char name[16] = {};

	if (!hook_switch && bpf_probe_read_kernel_str(name, sizeof(name), READ(table, procname)) == sizeof("ftrace_enabled") &&
	    !__builtin_memcmp(name, "ftrace_enabled", sizeof("ftrace_enabled")))
		hook_switch = data;
	if (hook_switch && data == hook_switch && !WORD_AT(__s32, data, 0))
		switched_off++;
}

PROBE("fexit", sysctl, on_sysctl((const struct ctl_table *)ctx[0]))

/* ---- asked by BPF_PROG_TEST_RUN ---- */

/* Reads the recorder's own root directory and three variables of the kernel. Run once. */

SEC("raw_tp")
int inspect(__u64 *ctx)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct fs_struct *fs;

	self_tgid = current_tgid();
	if (hashtable_addr)
		bpf_probe_read_kernel(&hashtable, sizeof(hashtable), (const void *)hashtable_addr);
	if (shift_addr)
		bpf_probe_read_kernel(&hash_shift, sizeof(hash_shift), (const void *)shift_addr);
	if (preempt_addr && !bpf_probe_read_kernel(&preempt_mode, sizeof(preempt_mode), (const void *)preempt_addr))
		preempt_mode++;
	fs = PEEK(task, fs);
	root_seen[0] = (__u64)PEEK(fs, root.mnt);
	root_seen[1] = (__u64)PEEK(fs, root.dentry);
	return 0;
}

/* Finds the address of a kernel symbol. From 6.2 on the kernel has its symbols sorted by name. */
SEC("syscall")
int find_symbol(void *ctx)
{
	symbol_addr = 0;
	bpf_kallsyms_lookup_name(symbol_name, sizeof(symbol_name), 0, &symbol_addr);
	return 0;
}

/* Reads the name of the file system type at fstype_addr. Run once for each. */
SEC("raw_tp")
int fstype_of(__u64 *ctx)
{
	const struct file_system_type *type = (const struct file_system_type *)fstype_addr;
	const char *name = NULL;

	fstype_name[0] = 0;
	bpf_probe_read_kernel(&name, sizeof(name), __builtin_preserve_access_index(&type->name));
	bpf_probe_read_kernel_str(fstype_name, sizeof(fstype_name), name);
	return 0;
}

/* Finds the trampoline that the link at link_fd of this process has put its program on; 0: none. */
SEC("raw_tp")
int trampoline_of(__u64 *ctx)
{
	const struct file *file = file_of((const struct task_struct *)bpf_get_current_task(), link_fd);

	trampoline.at = file && link_trampoline ? WORD_AT(__u64, PEEK(file, private_data), link_trampoline) : 0;
	return 0;
}

#define MUTEX_FLAGS 7 /* flag bits in the owner pointer */

/*
 * Looks whether a trampoline has been rebuilt. When anybody attaches a program to a function or detaches one, the kernel does that
 * under the trampoline's mutex, and has the old code run no program on exit any more (bpf_tramp_image_put), as the programs may
 * be gone before a call in progress returns. The exit of such a call is missed, and the kernel does not count it.
 */
SEC("raw_tp")
int look_at_trampolines(__u64 *ctx)
{
	if (hook_switch)
		unhooked = !WORD_AT(__s32, hook_switch, 0);
	for (int i = 0; i < LOSS_ROLES; i++) {
		__u64 at = trampolines[i].at;

		if (!at)
			break;
		/* The mutex first: if somebody takes it after that, the image shows it, now or next time. */
		trampolines[i].held = trampoline_owner && WORD_AT(__u64, at, trampoline_owner) & ~(__u64)MUTEX_FLAGS;
		trampolines[i].image = WORD_AT(__u64, at, trampoline_image);
		trampolines[i].programs = WORD_AT(__u32, at, trampoline_programs) + WORD_AT(__u32, at, trampoline_programs + 4) +
					  WORD_AT(__u32, at, trampoline_programs + 8); /* fentry, fexit, fmod_ret */
	}
	return 0;
}
