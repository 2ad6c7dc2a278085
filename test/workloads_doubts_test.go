// SPDX-License-Identifier: Apache-2.0

package test

// doubtful is a claim about the workloads that is not proven, with the reason.
type doubtful struct {
	line   string // see doubtLines
	only   string // filesystem on which it occurs; empty: any
	folded bool   // only in a directory that folds case
	some   bool   // not on every kernel
}

func (d doubtful) on(fs string) bool { return d.only == "" || d.only == fs }

// workloadDoubts are all doubts that may occur when all workloads are recorded.
var workloadDoubts = []doubtful{
	// A file without a name is not in the hash table. Overlayfs refuses to make one on 5.10 and 6.1.
	{line: "unproven equality of tmpfile: the new dentry was not inserted into the hash table", some: true},
	// At most 255 bytes of a component are recorded, which is all that a filesystem accepts.
	{line: "unproven hash of NAME: the name could not be read whole"},
	{line: "unproven prefix of names/NAME: the name could not be read whole"},
	// If case is folded, the new file's dentry stays out of the hash table, and the hash is of the
	// folded name. Later kernels set d_op for the whole filesystem.
	{line: "unproven hash of dir: the filesystem has its own hash (d_op->d_hash)", folded: true, some: true},
	{line: "unproven hash of Name: the filesystem has its own hash (d_op->d_hash)", folded: true},
	{line: "unproven hash of NAME: the filesystem has its own hash (d_op->d_hash)", folded: true},
	{line: "unproven equality of /mnt/casefold/dir/Name: the new dentry was not inserted into the hash table", folded: true},
}
