// SPDX-License-Identifier: Apache-2.0

package schema

import "strings"

// Columns is a set of Column: what an event of one kind carries.
type Columns uint32

// Has reports whether the set holds c.
func (s Columns) Has(c Column) bool { return s&(1<<c) != 0 }

// With returns the set with c added.
func (s Columns) With(c Column) Columns { return s | 1<<c }

// LookupInRoot is LOOKUP_IN_ROOT of include/linux/namei.h, in the old and in the new numbering: with
// RESOLVE_IN_ROOT of openat2(2), / is the directory that the walk starts from.
const LookupInRoot = 1<<20 | 1<<28

// LookupFollow is LOOKUP_FOLLOW: a symbolic link is followed if it is the last component.
const LookupFollow = 1

// FromRoot reports whether the walk that the event is the entry of starts in the root directory.
func (e *Event) FromRoot() bool { return strings.HasPrefix(e.Name, "/") && e.How&LookupInRoot == 0 }

// ATFDCWD is AT_FDCWD of include/uapi/linux/fcntl.h: a relative path starts in the working directory.
const ATFDCWD = -100

// Errno returns the positive errno in an ERR_PTR or a negative int, or 0 if Ret is neither.
func (e *Event) Errno() int { return Errno(e.Ret) }

// fmodeExec is __FMODE_EXEC of include/linux/fs.h. Only the kernel sets it: open(2) takes no such flag.
const fmodeExec = 0x20

// Execute reports whether the entry of an open is of a file to execute: the program of an execve(2), the
// interpreter that a script names, or the one that an ELF header names.
func (e *Event) Execute() bool { return e.Flags&fmodeExec != 0 }

// Clone returns a copy that may be kept, with a copy of its Entry.
func (e *Event) Clone() *Event {
	out := *e
	if e.Entry != nil {
		entry := *e.Entry
		out.Entry = &entry
	}
	return &out
}

// PhaseInFile returns the phase that the event has in the file: Whole for a call that is one event.
func (e *Event) PhaseInFile() Phase {
	if e.Entry != nil {
		return Whole
	}
	return e.Phase
}

// Negative reports whether the event shows a dentry without inode.
func (e *Event) Negative() bool {
	return e.Dentry != 0 && e.Inode == 0 && e.Facts&FactInodeUnknown == 0
}

// NameCut reports whether fewer name bytes were recorded than the name has.
func (e *Event) NameCut() bool { return uint64(len(e.Name)) < uint64(e.NameLen) }
