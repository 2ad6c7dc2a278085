// SPDX-License-Identifier: Apache-2.0

// Package diff compares two runs by what happened in them, not by addresses.
//
// Each trace is read once from front to back and cut into calls: an operation on paths
// (open, stat, mkdir, rename) with all within it, where the recording has them; else what
// a thread looked up, with what came of it; a write to drop_caches. A call becomes lines
// without addresses and times, in which a dentry is known by its place (D1, D2 … in order
// of appearance). Of the lines only hashes are kept, 48 bytes a call. Calls are aligned
// program by program, by their hashes. What differs is read again, by the seek index of
// the file, compared line by line, and reported in hunks as diff(1) does: the same hunk in
// many calls once.
//
// A call outside of operations is called by what the events bear: unlink (vfs_unlink),
// rename (__d_move), create (a name got an inode: mkdir, mknod, symlink, link), delete (it
// lost it: rmdir), and lookup where names were looked up and nothing came of it.
//
// # What is not a difference
//
// Two recordings of one workload on one kernel never agree in everything. What lies
// outside the program's control, or outside the recording, is left out:
//
//   - addresses, times, process and thread ids, cpus, devices, hashes, the run and
//     boot ids;
//   - the end of a dentry outside the call that used it: when reclaim, a last close or
//     a reaped process takes it along. What comes of it shows in the next call that
//     looks for the name;
//   - claims that are open only because of what a recording lacks.
//
// Or it is looked at under a projection, which says why two calls that differ are the
// same. How often each was needed is counted, with an example:
//
//   - a number in a name that is the id of the process or thread using it, a process
//     below /proc, the inode of a file without a name (O_TMPFILE), or a moment since this
//     kernel booted, if it is one on both sides;
//   - a name that the program creates (O_CREAT|O_EXCL, mkdir) and that differs in six
//     or more random letters, as those of mkstemp(3);
//   - which dentries drop_caches ended, and in which order;
//   - whether a dentry was in the cache before the recording began: a first hit of
//     an older dentry on one side is the miss with alloc and insert on the other;
//   - on one and the same kernel, how often a walk had to ask the cache again, if the
//     answers agree, a dentry allocated in vain included;
//   - the order of calls made by different threads or processes of one name, and which
//     of them therefore finds a name cached: only where one thread alone made calls
//     is their order the program's.
//
// Where events were lost, a difference is not reported, and without any the runs are not
// said to be the same. What differs because the kernels do (symbols, layout) is reported
// separately from what programs met.
package diff
