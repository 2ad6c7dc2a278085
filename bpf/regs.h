/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Where a function's arguments, its return value and the stack pointer are when a kprobe fires. This is
 * the only place that depends on the architecture; the layouts are ABI (asm/ptrace.h).
 */
#ifndef DTREC_REGS_H
#define DTREC_REGS_H

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#define REGS_ARG0(at) ((at)->di)
#define REGS_ARG1(at) ((at)->si)
#define REGS_ARG2(at) ((at)->dx)
#define REGS_ARG3(at) ((at)->cx)
#define REGS_ARG4(at) ((at)->r8)
#define REGS_RET(at) ((at)->ax)
#define REGS_STACK(at) ((at)->sp)

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	unsigned long regs[31], sp, pc, pstate;
};

#define REGS_ARG0(at) ((at)->regs[0])
#define REGS_ARG1(at) ((at)->regs[1])
#define REGS_ARG2(at) ((at)->regs[2])
#define REGS_ARG3(at) ((at)->regs[3])
#define REGS_ARG4(at) ((at)->regs[4])
#define REGS_RET(at) ((at)->regs[0])
#define REGS_STACK(at) ((at)->sp)

#else
#error "no registers known for this architecture"
#endif

#endif
