// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command bench measures dtrec beside perf, trace-cmd and bpftrace: what recording costs, in one guest that counts
// instructions, what is lost, and what reading costs, on this machine. README.md beside it says what each number means.
//
// The program is three things: on the host it plans, judges and prints; in the guest it is init, and the job that runs
// one recording after the other; and it is the work that is recorded.
package main
