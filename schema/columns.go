// SPDX-License-Identifier: Apache-2.0

package schema

import "google.golang.org/protobuf/encoding/protowire"

// Short names for the columns.
const (
	ColumnKey        = Column_COLUMN_KEY
	ColumnNameAddr   = Column_COLUMN_NAME_ADDRESS
	ColumnDentry     = Column_COLUMN_DENTRY
	ColumnRet        = Column_COLUMN_RET
	ColumnOpen       = Column_COLUMN_OPEN
	ColumnFilesystem = Column_COLUMN_FILESYSTEM
	ColumnBucket     = Column_COLUMN_BUCKET
	ColumnTarget     = Column_COLUMN_TARGET
	ColumnChild      = Column_COLUMN_CHILD
	ColumnSymbol     = Column_COLUMN_SYMBOL
	ColumnTook       = Column_COLUMN_TOOK
	ColumnStart      = Column_COLUMN_START
)

// Their field numbers of EventBatch.
const (
	fieldKey        = 36
	fieldNameAddr   = 37
	fieldDentry     = 38
	fieldRet        = 39
	fieldOpenFlags  = 40
	fieldOpenMode   = 41
	fieldFilesystem = 42
	fieldBucket     = 43
	fieldTarget     = 44
	fieldChild      = 45
	fieldSymbol     = 46
	fieldTook       = 47
	fieldStart      = 48
	fieldDirFD      = 49

	fieldKeyCode      = 58
	fieldDentryCode   = 59
	fieldBucketOffset = 60

	fieldsEnd = 61 // one more than the largest
)

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
	// from it, d_parent and d_name. With the trait Walks: the path alone.
	Parent  uint64 // parent dentry; 0 not known
	Name    string // raw bytes of the component or path, cut at NameLen
	NameLen uint32 // qstr.len in bytes; larger than len(Name) where the name was cut or unreadable
	Hash    uint32 // qstr.hash

	NameAddr uint64 // address of the name: qstr.name, filename.name, or the dentry's d_name.name
	Dentry   uint64 // argument or return value; 0 = NULL
	Inode    uint64 // the dentry's d_inode; 0 = negative, unless FactInodeUnknown
	Facts    Fact

	Ret    uint64 // open exit: struct file or ERR_PTR as returned; exit: wait status; else an int, sign-extended
	Flags  uint32 // open enter: open_flags.open_flag
	Mode   uint32 // open enter: open_flags.mode
	FSType string // open exit, alloc exit: s_type->name; lookup enter: that of the parent; empty: not known, or no file
	Dev    uint32 // beside FSType: s_dev, major << 20 | minor; 0: none
	Bucket uint64 // insert exit: d_hash.pprev, the hash bucket itself
	Target uint64 // move enter: the dentry whose place is taken
	// Entered is the time of the entry this exit belongs to, nanoseconds since boot; 0: not known.
	Entered uint64
	Child   uint32 // fork: process id of the child
	Start   uint64 // entry of a walk or open: the dentry the walk starts from; 0: not known
	DirFD   int32  // beside Start: the dfd argument, a descriptor or ATFDCWD
	Symbol  string // the function, where the header names several for role and phase; imported traces only
}

// Field is a value that events of some kinds have. Printers are loops over the fields.
type Field struct {
	Column Column
	Name   string // as printed
	Form   Form
	Of     func(*Event) uint64
}

// Form is how the value of a field is printed, as text and in JSON.
type Form uint8

const (
	Apart      Form = iota // it is no number, and what prints it knows it: names, dentries
	Number                 // decimal
	Hex                    // hexadecimal; in JSON a number
	Octal                  // as Hex, and in text only where it is not 0
	Address                // hexadecimal; in JSON a string, null for 0
	Return                 // by the traits of the role: an address, a wait status, or a number, and an errno by its name
	Filesystem             // FSType and Dev
	Moment                 // nanoseconds since boot, in JSON where it is not 0
	Descriptor             // an int, in text where it is not ATFDCWD
)

// column is one row of the table of columns: a field of EventBatch, which events take from
// it, where in an Event the value goes, and how it is printed. The writer, the reader and
// its checks, and the printers are loops over the rows, in this order; what is new is one
// more row.
type column struct {
	Field
	field protowire.Number // of EventBatch
	old   protowire.Number // of version 1, if that was another: without what is new here
	delta bool             // the file holds the difference to the value before
	codes bool             // the file holds codes of follower
	set   func(*batchReader, *Event, uint64)
	// What stands in the file where that is not Of: an index of a table, mostly.
	put  func(*batchWriter, *Event) uint64
	rows func(*batchReader) int // of that table; nil: it is no index
}

// columnTable is the table. A dentry stands after the key, and gives what both have.
var columnTable = [columnRows]column{
	{Field: Field{Column: ColumnKey}, field: fieldKeyCode, old: fieldKey, codes: true, set: (*batchReader).setKey,
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.key(e, e.Facts)) },
		rows: func(b *batchReader) int { return len(b.keys) }},
	{Field: Field{ColumnNameAddr, "name_addr", Apart, func(e *Event) uint64 { return e.NameAddr }}, field: fieldNameAddr, delta: true,
		set: func(_ *batchReader, e *Event, v uint64) { e.NameAddr = v }},
	{Field: Field{Column: ColumnDentry}, field: fieldDentryCode, old: fieldDentry, codes: true, set: (*batchReader).setDentry,
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.dentry(e)) },
		rows: func(b *batchReader) int { return len(b.dentries) + 1 }},
	{Field: Field{ColumnFilesystem, "fs", Filesystem, nil}, field: fieldFilesystem, set: (*batchReader).setFilesystem,
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.filesystem(e)) },
		rows: func(b *batchReader) int { return len(b.filesystems) + 1 }},
	{Field: Field{ColumnOpen, "flags", Hex, func(e *Event) uint64 { return uint64(e.Flags) }}, field: fieldOpenFlags,
		set: func(_ *batchReader, e *Event, v uint64) { e.Flags = uint32(v) }},
	{Field: Field{ColumnOpen, "mode", Octal, func(e *Event) uint64 { return uint64(e.Mode) }}, field: fieldOpenMode,
		set: func(_ *batchReader, e *Event, v uint64) { e.Mode = uint32(v) }},
	{Field: Field{ColumnRet, "ret", Return, func(e *Event) uint64 { return e.Ret }}, field: fieldRet, delta: true,
		set: func(_ *batchReader, e *Event, v uint64) { e.Ret = v }},
	{Field: Field{ColumnBucket, "bucket", Address, func(e *Event) uint64 { return e.Bucket }}, field: fieldBucketOffset, old: fieldBucket, delta: true,
		put: func(b *batchWriter, e *Event) uint64 { return e.Bucket - b.follows.bucket(e.Hash) },
		set: func(b *batchReader, e *Event, v uint64) { e.Bucket = v + b.follows.bucket(e.Hash) }},
	{Field: Field{ColumnTook, "entered_ns", Moment, func(e *Event) uint64 { return e.Entered }}, field: fieldTook,
		set: (*batchReader).setTook, put: took},
	{Field: Field{ColumnTarget, "target", Address, func(e *Event) uint64 { return e.Target }}, field: fieldTarget, delta: true,
		set: func(_ *batchReader, e *Event, v uint64) { e.Target = v }},
	{Field: Field{ColumnChild, "child", Number, func(e *Event) uint64 { return uint64(e.Child) }}, field: fieldChild,
		set: func(_ *batchReader, e *Event, v uint64) { e.Child = uint32(v) }},
	{Field: Field{ColumnStart, "start", Address, func(e *Event) uint64 { return e.Start }}, field: fieldStart, delta: true,
		set: func(_ *batchReader, e *Event, v uint64) { e.Start = v }},
	{Field: Field{ColumnStart, "dirfd", Descriptor, func(e *Event) uint64 { return uint64(e.DirFD) }}, field: fieldDirFD,
		set: func(_ *batchReader, e *Event, v uint64) { e.DirFD = int32(protowire.DecodeZigZag(v)) },
		put: func(_ *batchWriter, e *Event) uint64 { return protowire.EncodeZigZag(int64(e.DirFD)) }},
	{Field: Field{Column: ColumnSymbol}, field: fieldSymbol,
		set:  func(b *batchReader, e *Event, v uint64) { e.Symbol = b.strings[v] },
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.string(e.Symbol)) },
		rows: func(b *batchReader) int { return len(b.strings) }},
}

const columnRows = 14

// Rows of the table that nearly every event has; see batchReader.next.
const (
	rowKey, rowNameAddr, rowDentry, rowFilesystem = 0, 1, 2, 3

	commonColumns = 1<<ColumnKey | 1<<ColumnNameAddr | 1<<ColumnDentry | 1<<ColumnFilesystem
)

// Fields returns what events have besides task, key and dentry, by Column.
func Fields() (of [32][]Field) {
	for i := range columnTable {
		if f := columnTable[i].Field; f.Form != Apart {
			of[f.Column] = append(of[f.Column], f)
		}
	}
	return of
}

// Read names what a probe of the role reads of the kernel for a set of columns, a text each.
func (s Columns) Read(r Role) []string {
	texts := [...]string{
		ColumnKey:        "qstr: name, len, hash",
		ColumnNameAddr:   "the address of the name",
		ColumnDentry:     "dentry: d_parent, d_name, d_inode, d_flags",
		ColumnRet:        "what it returns",
		ColumnOpen:       "open_flags: open_flag, mode",
		ColumnFilesystem: "d_sb: s_type->name, s_dev",
		ColumnBucket:     "d_hash.pprev, the bucket",
		ColumnTarget:     "target",
		ColumnChild:      "the child's tgid",
		ColumnStart:      "where the walk starts: fs->root, fs->pwd or the file of dfd",
	}
	switch {
	case r.Is(Walks):
		texts[ColumnKey] = "the path"
	case r.Is(Asks):
		texts[ColumnKey] = "parent; qstr: name, len, hash"
	case r.Is(ReturnsStatus):
		texts[ColumnRet] = "the wait status"
	}
	var out []string
	for c, text := range texts {
		if s.Has(Column(c)) && text != "" {
			out = append(out, text)
		}
	}
	return out
}

// took is the duration of the call that the exit ends + 1, ns; 0 where its entry is not known.
func took(_ *batchWriter, e *Event) uint64 {
	if e.Entered == 0 || e.Entered > e.Time {
		return 0
	}
	return e.Time - e.Entered + 1
}
