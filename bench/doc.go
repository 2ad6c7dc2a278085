// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command bench compares dtrec with perf, trace-cmd and bpftrace. It measures what recording costs and what
// is lost, in a guest that counts instructions, and what reading costs on this machine. README.md in this
// directory says what each number means.
//
// The same program has three uses: on the host it plans, judges and prints; in the guest it is init and the
// job that makes one recording after the other; and it is the work that is recorded.
package main
