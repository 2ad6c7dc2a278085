// SPDX-License-Identifier: Apache-2.0

package schema

import "google.golang.org/protobuf/encoding/protowire"

// The columns; each has a row in columnNames, and one or more in columnTable. Other files that list the
// numbers are generated from these: DTREC_UPDATE=1 go test -run StandOnce ./schema.
const (
	ColumnKey        Column = 0
	ColumnNameAddr   Column = 1
	ColumnDentry     Column = 2
	ColumnRet        Column = 3
	ColumnOpen       Column = 4
	ColumnFilesystem Column = 5
	ColumnBucket     Column = 6
	ColumnTarget     Column = 7
	ColumnChild      Column = 8
	ColumnSymbol     Column = 9
	ColumnTook       Column = 10
	ColumnStart      Column = 11
	ColumnHow        Column = 12
	ColumnIno        Column = 13
	ColumnCgroup     Column = 14
)

// columnNames holds each column's name in the proto, and what a probe reads of the kernel for it; empty if
// it reads nothing more.
var columnNames = [...][2]string{
	ColumnKey:        {"KEY", "qstr: name, len, hash"},
	ColumnNameAddr:   {"NAME_ADDRESS", "the address of the name"},
	ColumnDentry:     {"DENTRY", "dentry: d_parent, d_name, d_inode, d_flags"},
	ColumnRet:        {"RET", "what it returns"},
	ColumnOpen:       {"OPEN", "open_flags: open_flag, mode"},
	ColumnFilesystem: {"FILESYSTEM", "d_sb: s_type->name, s_dev"},
	ColumnBucket:     {"BUCKET", "d_hash.pprev, the bucket"},
	ColumnTarget:     {"TARGET", "target"},
	ColumnChild:      {"CHILD", "the child's tgid"},
	ColumnSymbol:     {"SYMBOL", ""},
	ColumnTook:       {"TOOK", ""},
	ColumnStart:      {"START", "where the walk starts: fs->root, fs->pwd or the file of dfd"},
	ColumnHow:        {"HOW", "how the walk is to go: open_flags.lookup_flags, or the flags argument"},
	ColumnIno:        {"INO", "d_inode->i_ino"},
	ColumnCgroup:     {"CGROUP", "cgroup"},
}

// knownColumns are all columns of this version. A reader drops others from an event, which has no values
// for them, so that the event can be written again.
const knownColumns Columns = 1<<len(columnNames) - 1

// Field numbers of EventBatch that the writer or the reader use directly.
const (
	fieldKey        = 36
	fieldNameAddr   = 37
	fieldDentry     = 38
	fieldFilesystem = 42
	fieldBucket     = 43

	fieldKeyCode      = 58
	fieldDentryCode   = 59
	fieldBucketOffset = 60

	fieldsEnd = 64 // one more than the largest
)

// Event is one hit of a probe. Columns says which fields were recorded; a field whose column is absent is
// zero and says nothing.
//
// A call that is one event in the file, a leaf, is one Event too: the exit, with its entry in Entry.
//
// A Reader returns the same Event again and again; Clone it to keep or change it. The strings stay valid.
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
	// Entry holds the arguments of a call that is one event in the file: an event with the phase Enter, and
	// the ID, time and task of this one, the exit. When the call was entered is not known. nil: the event
	// is no such call.
	Entry *Event

	// Key, on entry of a lookup or alloc: the arguments. With a Dentry: as read
	// from it, d_parent and d_name. With TraitWalks: the path alone.
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
	Dev    uint32 // with FSType: s_dev, major << 20 | minor; 0: none
	Bucket uint64 // insert exit: d_hash.pprev, the hash bucket itself
	Target uint64 // move enter: the dentry whose place is taken
	// Entered is the time of the entry this exit belongs to, nanoseconds since boot; 0: not known.
	Entered uint64
	Child   uint32 // fork: process id of the child
	Start   uint64 // entry of a walk or open: the dentry the walk starts from; 0: not known
	DirFD   int32  // with Start: the dfd argument, a descriptor or ATFDCWD
	How     uint32 // entry of an open or walk: LOOKUP_* of the kernel, RESOLVE_* of openat2 among them; of a rename: RENAME_*
	Ino     uint64 // exit of an open or walk: the inode's number; 0: no inode
	Cgroup  string // exec, exit: path of the cgroup in the cgroup2 hierarchy; empty: not known
	Symbol  string // the function, where the header names several for role and phase; imported traces only
}

// Field is a value that events of some kinds have. The printers loop over the fields, and so does what
// decodes the records of the eBPF programs.
type Field struct {
	Column Column
	Name   string // as printed
	Form   Form
	Value  func(*Event) uint64
	Set    func(*Event, uint64) // nil: a number does not suffice
}

// Form is how the value of a field is printed, as text and in JSON.
type Form uint8

const (
	FormCustom     Form = iota // not a number: names, dentries; the printer has code for it
	FormNumber                 // decimal
	FormHex                    // hexadecimal; in JSON a number
	FormOctal                  // octal, in text only if it is not 0; in JSON a number
	FormAddress                // hexadecimal; in JSON a string, null for 0
	FormReturn                 // by the traits of the role: an address, a wait status or a number; an errno by its name
	FormFilesystem             // FSType and Dev
	FormTime                   // nanoseconds since boot, in JSON if it is not 0
	FormDescriptor             // an int, in text if it is not ATFDCWD
	FormCgroup                 // Cgroup, if it is known
)

// column is one row of the table of columns: the field of EventBatch that it is stored in, where the value
// goes in an Event, and how it is printed. The writer, the reader with its checks, and the printers loop
// over the rows in this order; a new column is one more row.
type column struct {
	Field
	field  protowire.Number // of EventBatch
	old    protowire.Number // of version 1, if another; without codes
	wire   [3]string        // name, type and meaning of the field; those of version 1 if old is set
	delta  bool             // the file holds the difference to the last value
	signed bool             // the file holds zigzag codes, but no differences
	codes  bool             // the file holds codes of rowCoder
	// put returns what the file holds, if that is not Value: mostly an index into a table. get takes it, if
	// Set does not.
	put  func(*batchWriter, *Event) uint64
	get  func(*batchReader, *Event, uint64)
	rows func(*batchReader) int // of that table; nil: it is no index

	sent     sentForm                      // by a probe
	received func(*Sender, *Event, uint64) // takes the probe's word, if Set does not
}

// columnTable is the table. A dentry comes after the key, and sets the fields that both have.
var columnTable = [columnRows]column{
	{Field: Field{Column: ColumnKey}, field: fieldKeyCode, old: fieldKey, codes: true, sent: twoWords,
		wire: [3]string{"key", "uint32", "version 1, KEY: row of keys"},
		rows: func(b *batchReader) int { return len(b.keys) }},
	{Field: Field{ColumnNameAddr, "name_addr", FormCustom,
		func(e *Event) uint64 { return e.NameAddr }, func(e *Event, v uint64) { e.NameAddr = v }}, field: fieldNameAddr, delta: true,
		wire: [3]string{"name_address_delta", "sint64", "NAME_ADDRESS: address of the name: qstr.name or filename.name"}},
	{Field: Field{Column: ColumnDentry}, field: fieldDentryCode, old: fieldDentry, codes: true,
		wire: [3]string{"dentry", "uint32", "version 1, DENTRY: row of dentries + 1; 0 = NULL"},
		rows: func(b *batchReader) int { return len(b.dentries) + 1 }},
	{Field: Field{ColumnFilesystem, "fs", FormFilesystem, nil, nil}, field: fieldFilesystem, sent: twoWords,
		wire: [3]string{"filesystem", "uint32", "FILESYSTEM: row of filesystems + 1; 0 = none. Of a lookup that of the parent"},
		rows: func(b *batchReader) int { return len(b.filesystems) + 1 }},
	{Field: Field{ColumnOpen, "flags", FormHex, func(e *Event) uint64 { return uint64(e.Flags) }, func(e *Event, v uint64) { e.Flags = uint32(v) }}, field: 40,
		wire: [3]string{"open_flags", "uint32", "OPEN: open_flags.open_flag, O_* as the kernel saw them"}},
	{Field: Field{ColumnOpen, "mode", FormOctal, func(e *Event) uint64 { return uint64(e.Mode) }, func(e *Event, v uint64) { e.Mode = uint32(v) }}, field: 41, sent: upperHalf,
		wire: [3]string{"open_mode", "uint32", "OPEN: open_flags.mode, permission bits"}},
	{Field: Field{ColumnRet, "ret", FormReturn, func(e *Event) uint64 { return e.Ret }, func(e *Event, v uint64) { e.Ret = v }}, field: 39, delta: true,
		wire: [3]string{"ret_delta", "sint64", "RET: return value, sign-extended to 64 bit: by the role an address, a wait status or an int"}},
	{Field: Field{ColumnBucket, "bucket", FormAddress, func(e *Event) uint64 { return e.Bucket }, func(e *Event, v uint64) { e.Bucket = v }},
		field: fieldBucketOffset, old: fieldBucket, delta: true,
		wire: [3]string{"bucket_delta", "sint64", "version 1, BUCKET: d_hash.pprev after the insert, the address of the bucket"},
		put:  func(b *batchWriter, e *Event) uint64 { return e.Bucket - b.derived.bucket(e.Hash) },
		get:  func(b *batchReader, e *Event, v uint64) { e.Bucket = v + b.derived.bucket(e.Hash) }},
	{Field: Field{ColumnTook, "entered_ns", FormTime, func(e *Event) uint64 { return e.Entered }, func(e *Event, v uint64) { e.Entered = v }}, field: 47,
		wire: [3]string{"took_ns", "uint64", "TOOK: time of the exit minus that of the entry of the same call, + 1; 0 = not known"},
		put:  tookValue, get: (*batchReader).setTook},
	{Field: Field{ColumnTarget, "target", FormAddress, func(e *Event) uint64 { return e.Target }, func(e *Event, v uint64) { e.Target = v }}, field: 44, delta: true,
		wire: [3]string{"target_delta", "sint64", "TARGET: address of the dentry whose place is taken"}},
	{Field: Field{ColumnChild, "child", FormNumber, func(e *Event) uint64 { return uint64(e.Child) }, func(e *Event, v uint64) { e.Child = uint32(v) }}, field: 45,
		wire: [3]string{"child", "uint32", "CHILD: process id of the child"}},
	{Field: Field{ColumnStart, "start", FormAddress, func(e *Event) uint64 { return e.Start }, func(e *Event, v uint64) { e.Start = v }}, field: 48, delta: true,
		wire: [3]string{"start_delta", "sint64", "START: address of the dentry the walk of a path starts from; 0 = not known"}},
	{Field: Field{ColumnStart, "dirfd", FormDescriptor, func(e *Event) uint64 { return uint64(e.DirFD) }, func(e *Event, v uint64) { e.DirFD = int32(v) }}, field: 49, signed: true,
		wire: [3]string{"start_dirfd", "sint64", "START: the dfd argument, a file descriptor or AT_FDCWD (−100). Not a delta"}},
	{Field: Field{ColumnHow, "how", FormHex, func(e *Event) uint64 { return uint64(e.How) }, func(e *Event, v uint64) { e.How = uint32(v) }}, field: 61,
		wire: [3]string{"how", "uint32", "HOW: of an open open_flags.lookup_flags, of a walk its flags, LOOKUP_* as the kernel saw them, which were renumbered between Linux 6.12 and 6.18; of a rename RENAME_*"}},
	{Field: Field{ColumnIno, "ino", FormNumber, func(e *Event) uint64 { return e.Ino }, func(e *Event, v uint64) { e.Ino = v }}, field: 62,
		wire: [3]string{"ino", "uint64", "INO: i_ino of the inode of the dentry; 0 = no inode"}},
	{Field: Field{ColumnCgroup, "cgroup", FormCgroup, nil, nil}, field: 63,
		wire: [3]string{"cgroup", "uint32", "CGROUP: row of strings; path of the task's cgroup in the cgroup2 hierarchy, empty where that is not known"},
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.string(e.Cgroup)) },
		get:  func(b *batchReader, e *Event, v uint64) { e.Cgroup = b.strings[v] },
		rows: func(b *batchReader) int { return len(b.strings) }, received: func(s *Sender, e *Event, v uint64) { e.Cgroup = s.groupOf(v) }},
	{Field: Field{Column: ColumnSymbol}, field: 46,
		wire: [3]string{"symbol", "uint32", "SYMBOL: row of strings; the function, where the header names several for role and phase"},
		put:  func(b *batchWriter, e *Event) uint64 { return uint64(b.string(e.Symbol)) },
		get:  func(b *batchReader, e *Event, v uint64) { e.Symbol = b.strings[v] },
		rows: func(b *batchReader) int { return len(b.strings) }},
}

const columnRows = 17

// Rows of the table that nearly every event has; see batchReader.next.
const (
	rowKey, rowNameAddr, rowDentry, rowFilesystem = 0, 1, 2, 3

	commonColumns = 1<<ColumnKey | 1<<ColumnNameAddr | 1<<ColumnDentry | 1<<ColumnFilesystem
)

// rowsOf holds the rows of the table that a column has, in order.
var rowsOf = func() (of [32][]uint8) {
	for i := range columnTable {
		c := columnTable[i].Column
		of[c] = append(of[c], uint8(i))
	}
	return of
}()

// Fields returns what events have besides task, key and dentry, by Column.
func Fields() (of [32][]Field) {
	for i := range columnTable {
		if f := columnTable[i].Field; f.Name != "" {
			of[f.Column] = append(of[f.Column], f)
		}
	}
	return of
}

// ProbeReads returns a text for each thing that a probe of the role reads of the kernel for a set of columns.
func (s Columns) ProbeReads(r Role) []string {
	texts := columnNames
	switch {
	case r.Is(TraitWalks):
		texts[ColumnKey][1] = "the path"
	case r.Is(TraitLooksUp):
		texts[ColumnKey][1] = "parent; qstr: name, len, hash"
	case r.Is(TraitReturnsStatus):
		texts[ColumnRet][1] = "the wait status"
	}
	var out []string
	for c, text := range texts {
		if s.Has(Column(c)) && text[1] != "" {
			out = append(out, text[1])
		}
	}
	return out
}

// tookValue returns the duration of the call that the exit ends + 1, ns; 0 if its entry is not known.
func tookValue(_ *batchWriter, e *Event) uint64 {
	if e.Entered == 0 || e.Entered > e.Time {
		return 0
	}
	return e.Time - e.Entered + 1
}
