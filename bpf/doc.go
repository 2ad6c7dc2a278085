// SPDX-License-Identifier: Apache-2.0

// Package bpf puts the probes into a running kernel and reads what they see. It
// knows kernels and nothing of trace files: package record translates.
//
// Which kernel function stands for which role is a table (plan.go), tried by
// attaching; nothing here tests a kernel version. The programs are dcache.bpf.c,
// compiled objects of which are committed; `go generate` needs clang 16 and
// nothing else.
package bpf

//go:generate go tool bpf2go -cc clang-16 -strip llvm-strip-16 -target bpfel -tags linux -no-global-types -cflags "-mcpu=v2 -Wall -Werror" dcache dcache.bpf.c
