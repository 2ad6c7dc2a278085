// SPDX-License-Identifier: Apache-2.0

// Package bpf attaches the probes to a running kernel and reads what they see. It knows kernels but not trace
// files: it hands out the records of the ring buffer (record.h), which schema.Sender appends to the columns
// of a trace.
//
// Which kernel function stands for which role, and how it is attached to, is a table (plan.go) whose
// candidates are tried by attaching them. The kernel's version is looked at for one thing only: whether
// kprobe_profile is complete (profile.go). What a program does is written once (dcache.h) and compiled twice:
// for fentry and fexit into one object for all architectures (dcache.bpf.c), and for kprobes into one object
// per architecture (kprobe.bpf.c; regs.h is the only place that knows registers). The objects are committed;
// `go generate` needs clang 16 and nothing else.
//
// Both ways of attaching give the same events. They differ in cost (a kprobe costs more) and in what they may
// miss, which is reported as loss. A trampoline misses hits of its function while another task is preempted
// inside its program, so kprobe.multi is tried first where the kernel preempts (preempt.go). A kretprobe
// misses calls beyond the number it has room for (kretprobeCalls at once). Links report missed hits of either
// kind since 6.7. Before that, tracefs reports them for kprobes that have a name there (profile.go); where
// neither does, Attempt.Uncounted is set. A kprobe attached through tracefs is an event named
// dtrec_PID_*/SYMBOL* in kprobe_events. If dtrec is killed by SIGKILL, the event stays there, inactive, until
// the next recording removes it (leftover.go).
//
// Where kprobe.multi comes first, one link holds all operations on paths (share.go), because each link costs
// the verification of a program and a pass over all functions of the kernel.
package bpf

//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -no-global-types -cflags "-mcpu=v2 -Wall -Werror" dcache dcache.bpf.c
//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -tags linux -no-global-types -cflags "-mcpu=v2 -Wall -Werror" kprobe kprobe.bpf.c
