// SPDX-License-Identifier: Apache-2.0

package schema

// Event is one hit of a probe. Which fields were recorded follows from Columns;
// a field whose column is absent is zero and says nothing.
//
// A Reader hands out the same Event again and again; copy it to keep it. The
// strings stay valid.
type Event struct {
	ID   uint64 // position in the run, from 1; cited as #ID
	Time uint64 // nanoseconds since boot (CLOCK_BOOTTIME)
	CPU  uint32
	PID  uint32 // process (the kernel's tgid), initial pid namespace
	TID  uint32 // thread (the kernel's pid), initial pid namespace
	Comm string // task_struct.comm, at most 15 bytes

	Role    Role
	Phase   Phase
	Columns Columns

	// Key, on entry of a lookup or alloc: the arguments. With a Dentry: as read
	// from it, d_parent and d_name. On open and exec: the path alone.
	Parent  uint64 // parent dentry; 0 not known
	Name    string // raw bytes of the component or path, cut at NameLen
	NameLen uint32 // qstr.len in bytes; larger than len(Name) where the name was cut or unreadable
	Hash    uint32 // qstr.hash

	NameAddr uint64 // address of the name: qstr.name, filename.name, or the dentry's d_name.name
	Dentry   uint64 // argument or return value; 0 = NULL
	Inode    uint64 // the dentry's d_inode; 0 = negative, unless FactInodeUnknown
	Facts    Fact

	Ret    uint64 // open exit: struct file or ERR_PTR as returned; exit: wait status
	Flags  uint32 // open enter: open_flags.open_flag
	Mode   uint32 // open enter: open_flags.mode
	FSType string // open exit, alloc exit: s_type->name; lookup enter: that of the parent; empty: not known, or no file
	Dev    uint32 // beside FSType: s_dev, major << 20 | minor; 0: none
	Bucket uint64 // insert exit: d_hash.pprev, the hash bucket itself
	Target uint64 // move enter: the dentry whose place is taken
	// Entered is the time of the entry this exit belongs to, nanoseconds since boot; 0: not known.
	Entered uint64
	Child   uint32 // fork: process id of the child
	Symbol  string // the function, where the header names several for role and phase; imported traces only
}

// Columns is a set of Column: what an event of one kind carries.
type Columns uint32

// Has reports whether the set holds c.
func (s Columns) Has(c Column) bool { return s&(1<<c) != 0 }

// With returns the set with c added.
func (s Columns) With(c Column) Columns { return s | 1<<c }

// maxErrno is MAX_ERRNO of include/linux/err.h: the last 4095 addresses are errors.
const maxErrno = 4095

// Errno returns the positive errno in an ERR_PTR, or 0 when Ret is none.
func (e *Event) Errno() int {
	if e.Ret > ^uint64(maxErrno) {
		return int(-int64(e.Ret))
	}
	return 0
}

// fmodeExec is __FMODE_EXEC of include/linux/fs.h. Only the kernel sets it: open(2) takes no such flag.
const fmodeExec = 0x20

// Execute reports whether the entry of an open is of a file to execute: the program
// of an execve(2), the interpreter a script names, or the one an ELF header does.
func (e *Event) Execute() bool { return e.Flags&fmodeExec != 0 }

// NameCut reports whether fewer name bytes were recorded than the name has.
func (e *Event) NameCut() bool { return uint64(len(e.Name)) < uint64(e.NameLen) }
