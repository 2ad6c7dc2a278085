// SPDX-License-Identifier: Apache-2.0

// Package diff compares two runs by what happened in them, not by addresses or times.
//
// Each trace is read once from front to back and cut into calls. A call is an operation on paths (open, stat,
// mkdir, rename) with everything in it, if the trace records operations; otherwise what a thread looked up,
// with the result; or a write to drop_caches. A call is turned into lines without addresses and times, in
// which a dentry is identified by its place (D1, D2 … in order of appearance). Only hashes of the lines are
// kept, 48 bytes per call. The calls are aligned program by program, by their hashes. Calls that differ are
// read again with the seek index of the file, compared line by line, and reported in hunks as diff(1) does;
// the same hunk in several calls is reported once.
//
// A call outside operations is named by its events: unlink (vfs_unlink), rename (__d_move), create (a name got
// an inode: mkdir, mknod, symlink, link), delete (a name lost its inode: rmdir), alloc (a dentry that is no name
// in a directory got an inode: a socket, a pipe), and lookup if names were looked up without any such effect.
//
// # What is not a difference
//
// Two recordings of one workload on one kernel never agree completely. What the program does not control, or
// what the recording does not contain, is left out:
//
//   - addresses, times, process and thread ids, cpus, devices, hashes, the run and
//     boot ids;
//   - the end of a dentry outside the call that used it, as by reclaim, a last close or
//     the reaping of a process. Its effect shows in the next call that looks for the
//     name;
//   - claims that are undecided only because of what a recording lacks, those of hash, bucket and storage
//     that are not refuted, and those of delete, which a later call decides.
//
// Other variations are excused by a projection, which states why two calls that differ count as the same. The
// result says how often each reason was needed, with an example:
//
//   - a number in a name that is the id of the process or thread using it, a process
//     below /proc, the inode of a file without a name (O_TMPFILE), or a time since this
//     kernel booted, if it is one on both sides;
//   - a name that the program creates (O_CREAT|O_EXCL, mkdir) and that differs in six
//     or more random letters, like those of mkstemp(3), or in an address of the process
//     in decimal, as Python names the file that becomes NAME.pyc;
//   - which dentries drop_caches ended, and in which order;
//   - whether a dentry was in the cache before the recording began: a first hit of
//     an older dentry on one side is equal to the miss with alloc and insert on the other;
//   - on the same kernel, how often a walk had to ask the cache again, if the answers
//     agree; this includes a dentry allocated in vain;
//   - where not both runs recorded walks, whether a name was looked up once or, with the same answers, twice: such a
//     lookup has no beginning and no end;
//   - the order of calls made by different threads, or by different processes of the same
//     name, and which of them therefore finds a name cached. The order of calls belongs to
//     the program only where a single thread made them;
//   - the order of calls, alike but for it, on names of a directory that the program had
//     opened: reading one gives its names in the order of the filesystem.
//
// What follows from a race in the cache itself is reported: a task that finds the dentry of another's lookup in flight
// takes other steps.
//
// Where events were lost, differences are not reported, and if there are none elsewhere the runs are not called
// the same either. That holds for the calls of which events may be missing and for those around a loss: all between
// the nearest two of the program that both runs made once, since a call that is left may be another one than it seems.
// After a loss it also holds for names that look made up, and for the order of names of a directory, as the call that
// created or opened them may be missing. Once a watch set was full, no difference is reported in the ends of dentries
// and in what others than the recorded tasks did to them. Differences caused by the kernels (symbols, layout) are
// reported separately from differences in what programs did.
package diff
