// SPDX-License-Identifier: Apache-2.0

// Package diff compares two runs by what happened in them, not by addresses. Each
// trace is read once, side by side, and cut into calls: an open with all within it,
// an unlink with the walk that leads to it, a write to drop_caches. Within a call a
// dentry is known by its place (D1, D2 … in order of appearance). Calls are aligned
// program by program; those that agree are forgotten at once, so memory grows with
// the differences.
//
// # What is not a difference
//
// Two recordings of one workload on one kernel never agree in everything. What lies
// outside the program's control, or outside the recording, is left out or excused:
//
//   - addresses, times, process and thread ids, cpus, devices, hashes, the run and
//     boot ids: replaced by places, or not compared;
//   - a number in a name that is the id of the process or thread using it, a process
//     below /proc, or a moment since this kernel booted, if it is one on both sides;
//   - the order of calls made by different threads or processes of one name, and which
//     of them therefore finds a name cached: only where one thread alone made calls
//     is their order the program's;
//   - whether a dentry was in the cache before the recording began: a first hit of
//     an older dentry on one side excuses a miss with alloc and insert on the other;
//   - the end of a dentry that this program, in this process, has not used: whose
//     dentries reclaim, drop_caches or a reaped process take along, and in which order;
//   - what the kernel closes after a process has ended, and the end of dentries no
//     path leads to (pipes, sockets): they end with the last of those who share them;
//   - on one and the same kernel, how often a walk had to ask the cache again, if the
//     answers agree, a dentry allocated in vain included;
//   - claims that are open only because of what a recording lacks.
//
// What is excused is counted, with an example. What differs because the kernels do
// (symbols, layout) is told apart from what programs met.
package diff
