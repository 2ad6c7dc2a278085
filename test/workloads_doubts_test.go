// SPDX-License-Identifier: Apache-2.0

package test

// doubtful is a claim of the workloads that is not proven, with its reason.
type doubtful struct {
	line   string // see doubtLines
	only   string // the filesystem; empty: every one
	folded bool   // of a directory that folds case
	some   bool   // not on every kernel
}

func (d doubtful) on(fs string) bool { return d.only == "" || d.only == fs }

// workloadDoubts are all that may be doubted when all workloads are recorded.
var workloadDoubts = []doubtful{
	// A file without a name is in no hash table. Overlayfs refuses to make one on 5.10 and 6.1.
	{line: "unproven equality of tmpfile: the new dentry was not inserted into the hash table", some: true},
	// Of a component 255 bytes are recorded, which is all that a filesystem takes.
	{line: "unproven hash of NAME: the name could not be read whole"},
	{line: "unproven prefix of names/NAME: the name could not be read whole"},
	// Where case is folded the new file's dentry stays out of the hash table, and the
	// hash is of the folded name. Later kernels set d_op for the whole filesystem.
	{line: "unproven hash of dir: the filesystem has its own hash (d_op->d_hash)", folded: true, some: true},
	{line: "unproven hash of Name: the filesystem has its own hash (d_op->d_hash)", folded: true},
	{line: "unproven hash of NAME: the filesystem has its own hash (d_op->d_hash)", folded: true},
	{line: "unproven equality of /mnt/casefold/dir/Name: the new dentry was not inserted into the hash table", folded: true},
}
