// SPDX-License-Identifier: Apache-2.0

// Package bpf puts the probes into a running kernel and reads what they see. It
// knows kernels and nothing of trace files: what it hands out are the ring buffer's records (record.h), which
// schema.Sender takes to the columns of a trace.
//
// Which kernel function stands for which role, and how it is attached to, is a table
// (plan.go), tried by attaching; a kernel's version is looked at for one thing, whether its
// profile of kprobes is whole (profile.go). What a program
// does is written once (dcache.h) and compiled twice: for fentry and fexit, one
// object for all architectures (dcache.bpf.c), and for kprobes, one object for each
// (kprobe.bpf.c; regs.h is the only place that knows registers). The objects are
// committed; `go generate` needs clang 16 and nothing else.
//
// Both ways of attaching give the same events. They differ in cost (a kprobe costs
// more) and in what may be missed, which is loss: a trampoline misses hits of its
// function while another task is preempted inside its program, so where the kernel
// preempts kprobe.multi is tried first (preempt.go); a kretprobe misses calls beyond
// those it has room for (kretprobeCalls at once). Links tell of both since 6.7; before,
// tracefs tells of kprobes that have a name there (profile.go), and where neither does
// Attempt.Uncounted is set. A kprobe attached through tracefs is
// an event named dtrec_PID_*/SYMBOL* in kprobe_events; it stays there, asleep, if dtrec is
// killed by SIGKILL, until the next recording removes it (leftover.go).
//
// Where kprobe.multi comes first one link holds all operations on paths (share.go): each link is a program to verify and
// a pass over all functions of the kernel.
package bpf

//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -no-global-types -cflags "-mcpu=v2 -Wall -Werror" dcache dcache.bpf.c
//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -tags linux -no-global-types -cflags "-mcpu=v2 -Wall -Werror" kprobe kprobe.bpf.c
