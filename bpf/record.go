// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/dtrec/dtrec/schema"
)

// What stands where in struct head of record.h, bytes.
const (
	headTGID, headTID, headComm    = 8, 12, 16
	headFacts, headStored, headCPU = 32, 34, 36
	headRole, headPhase            = 38, 39
	headSize                       = 40
	commSize                       = 16 // TASK_COMM_LEN
	fstypeSize                     = 16
	maxRecord                      = ringHeader + headSize + 11*8 + 4096 // MAX_WORDS, and the largest name
)

var errShortRecord = errors.New("record is cut short")

// Split returns the record at a place of what Drain filled, and where the next one begins.
// The record is nil where a program has taken it back.
func Split(filled []byte, at int) (record []byte, next int, err error) {
	if len(filled)-at < ringHeader {
		return nil, 0, errShortRecord
	}
	header := binary.LittleEndian.Uint32(filled[at:])
	next = at + int(recordSize(header))
	switch {
	case next > len(filled):
		return nil, 0, errShortRecord
	case header&ringDiscard != 0:
		return nil, next, nil
	case next < at+ringHeader+headSize:
		return nil, 0, errShortRecord
	}
	return filled[at+ringHeader : next], next, nil
}

// Time returns when a record was made, nanoseconds since boot.
func Time(record []byte) uint64 { return binary.LittleEndian.Uint64(record) }

// Decoder turns records into events.
type Decoder struct {
	kinds   [256][4]*kind            // by role and phase
	comms   map[[2]uint64]string     // names of tasks, by their words
	words   [2]uint64                // of the last task
	comm    string                   // its name
	typeOf  func(addr uint64) string // the name of a struct file_system_type
	types   map[uint64]string        // by address, as typeOf told
	typ     uint64                   // asked for last
	groupOf func(id uint64) string   // the path of a cgroup
	name    string                   // its name
}

// kind is what records of one role and phase have, and the events that they are decoded into, one after the other: what
// is in no column of theirs stays 0.
type kind struct {
	parts       []part
	call, leaf  bool          // leaf: a call with leafColumns
	entry, exit schema.Event  // entry: of a call as a whole
	filesystem  *schema.Event // of a leaf: which of them has it
}

// part is the words of one column.
type part struct {
	column schema.Column
	of     *schema.Event
	size   int            // bytes that there are at least
	fields []schema.Field // a word each, where the column is one of numbers
}

// leafColumns are those of nearly all calls as a whole, that are half of all events: what they have stands at fixed places.
const leafColumns = 1<<schema.ColumnKey | 1<<schema.ColumnNameAddr | 1<<schema.ColumnDentry | 1<<schema.ColumnFilesystem

// NewDecoder returns a decoder that asks typeOf once for the name of each struct
// file_system_type: see Session.FilesystemType; and groupOf for the path of a cgroup: see CgroupPaths.
func NewDecoder(typeOf, groupOf func(uint64) string) *Decoder {
	d := &Decoder{typeOf: typeOf, types: make(map[uint64]string), comms: make(map[[2]uint64]string), groupOf: groupOf}
	for _, info := range schema.Catalogue() {
		for _, phase := range []schema.Phase{schema.Enter, schema.Exit, schema.Whole} {
			d.kinds[info.Role][phase] = newKind(&info, phase)
		}
	}
	return d
}

// newKind is nil for a phase that is not recorded.
func newKind(info *schema.RoleInfo, phase schema.Phase) *kind {
	k := &kind{call: phase == schema.Whole}
	k.exit.Role, k.exit.Phase = info.Role, phase
	shape := info.Role.Shape(phase)
	if k.call {
		if info.Traits&schema.Leaf == 0 {
			return nil
		}
		shape = info.Exit
		k.exit.Phase, k.exit.Half = schema.Exit, true
		k.entry = schema.Event{Role: info.Role, Phase: schema.Enter, Half: true, Columns: info.Enter.Columns}
	}
	if shape == nil {
		return nil
	}
	k.exit.Columns = shape.Columns
	fields := schema.Fields()
	for columns := uint32(k.exit.Columns | k.entry.Columns); columns != 0; columns &= columns - 1 {
		p := part{column: schema.Column(bits.TrailingZeros32(columns)), of: &k.exit}
		if k.entry.Columns.Has(p.column) {
			p.of = &k.entry
		}
		p.fields = fields[p.column]
		switch p.column {
		case schema.ColumnKey, schema.ColumnFilesystem:
			p.size = 16
		case schema.ColumnDentry, schema.ColumnOpen, schema.ColumnCgroup:
			p.size = 8
		default:
			p.size = 8 * len(p.fields)
		}
		k.parts = append(k.parts, p)
	}
	k.leaf = k.call && k.exit.Columns|k.entry.Columns == leafColumns && k.exit.Columns.Has(schema.ColumnDentry)
	if k.filesystem = &k.exit; k.entry.Columns.Has(schema.ColumnFilesystem) {
		k.filesystem = &k.entry
	}
	return k
}

// Decode reads a record; of a call as a whole entry is its entry, both Half, and else it is nil. The events are good
// until the next call, and their names are the record's own bytes, good for as long as those. An error is a record that
// the catalogue does not have so.
func (d *Decoder) Decode(record []byte) (entry, e *schema.Event, err error) {
	if len(record) < headSize {
		return nil, nil, errShortRecord
	}
	var k *kind
	if phase := record[headPhase]; int(phase) < len(d.kinds[0]) {
		k = d.kinds[record[headRole]][phase]
	}
	if k == nil {
		return nil, nil, fmt.Errorf("record of role %d and phase %d", record[headRole], record[headPhase])
	}
	d.head(record, &k.exit)
	stored, left := int(binary.LittleEndian.Uint16(record[headStored:])), record[headSize:]
	if k.call {
		return d.call(k, left, stored)
	}
	for i := range k.parts {
		if left = d.part(&k.parts[i], left); left == nil {
			return nil, nil, errShortRecord
		}
	}
	if stored > len(left) {
		return nil, nil, errShortRecord
	}
	k.exit.Name = view(left[:stored])
	if k.exit.NameLen == 0 { // a path: its length is found by reading it
		k.exit.NameLen = uint32(stored)
	}
	return nil, &k.exit, nil
}

// call reads the rest of a call as a whole.
func (d *Decoder) call(k *kind, left []byte, stored int) (entry, e *schema.Event, err error) {
	entry, e = &k.entry, &k.exit
	entry.Time, entry.PID, entry.TID, entry.Comm, entry.CPU, entry.Facts = e.Time, e.PID, e.TID, e.Comm, e.CPU, e.Facts
	found := uint64(0)
	if k.leaf {
		left, found = d.leaf(k, left)
	} else {
		left, found = d.rest(k, left)
	}
	second := 0
	if e.Dentry != 0 {
		second = len(left) / 2
	}
	end := second + int(found>>16)
	if left == nil || stored > len(left) || end > len(left) {
		return nil, nil, errShortRecord
	}
	entry.Name = view(left[:stored])
	e.Facts, e.Name = schema.Fact(uint16(found)), view(left[second:end])
	return entry, e, nil
}

// rest reads the words of a call, and returns what is behind them, or nil, and the word with the facts of its dentry.
func (d *Decoder) rest(k *kind, left []byte) (behind []byte, found uint64) {
	for i := range k.parts {
		if left = d.part(&k.parts[i], left); left == nil {
			return nil, 0
		}
		if k.parts[i].column == schema.ColumnDentry && k.exit.Dentry != 0 {
			if len(left) < 8 {
				return nil, 0
			}
			found, left = binary.LittleEndian.Uint64(left), left[8:]
		}
	}
	return left, found
}

// leaf is rest for leafColumns.
func (d *Decoder) leaf(k *kind, left []byte) (behind []byte, found uint64) {
	if len(left) < 48 {
		return nil, 0
	}
	le := binary.LittleEndian
	setKey(&k.entry, left)
	k.entry.NameAddr = le.Uint64(left[16:])
	e := &k.exit
	e.Dentry = le.Uint64(left[24:])
	if left = left[32:]; e.Dentry != 0 {
		if len(left) < 56 {
			return nil, 0
		}
		e.Inode, e.NameAddr = le.Uint64(left), le.Uint64(left[8:])
		setKey(e, left[16:])
		found, left = le.Uint64(left[32:]), left[40:]
	} else {
		e.Inode, e.NameAddr, e.Parent, e.NameLen, e.Hash = 0, 0, 0, 0, 0
	}
	k.filesystem.FSType, k.filesystem.Dev = d.fsType(le.Uint64(left)), le.Uint32(left[8:])
	return left[16:], found
}

// head reads the head of a record, but for what its kind says.
func (d *Decoder) head(record []byte, e *schema.Event) {
	le := binary.LittleEndian
	h := record[:headSize]
	e.Time, e.PID, e.TID = le.Uint64(h), le.Uint32(h[headTGID:]), le.Uint32(h[headTID:])
	if words := [2]uint64{le.Uint64(h[headComm:]), le.Uint64(h[headComm+8:])}; words != d.words || d.comm == "" {
		d.words, d.comm = words, d.commOf(words, h[headComm:][:commSize])
	}
	e.Comm, e.CPU, e.Facts = d.comm, uint32(le.Uint16(h[headCPU:])), schema.Fact(le.Uint16(h[headFacts:]))
}

// commOf is the name of a task: there are few at a time.
func (d *Decoder) commOf(words [2]uint64, name []byte) string {
	comm, ok := d.comms[words]
	if !ok {
		if len(d.comms) >= maxComms {
			clear(d.comms)
		}
		comm = string(cString(name))
		d.comms[words] = comm
	}
	return comm
}

const maxComms = 4096

// part reads the words of a column, as record.h has them, and returns what is behind them; nil: they are cut short.
func (d *Decoder) part(p *part, left []byte) []byte {
	e, le := p.of, binary.LittleEndian
	if len(left) < p.size {
		return nil
	}
	switch p.column {
	case schema.ColumnKey:
		setKey(e, left)
	case schema.ColumnDentry:
		if e.Dentry = le.Uint64(left); e.Dentry == 0 {
			e.Inode, e.NameAddr, e.Parent, e.NameLen, e.Hash = 0, 0, 0, 0, 0
			break
		}
		if left = left[8:]; len(left) < 32 {
			return nil
		}
		e.Inode, e.NameAddr = le.Uint64(left), le.Uint64(left[8:])
		setKey(e, left[16:])
		return left[32:]
	case schema.ColumnOpen:
		e.Flags, e.Mode = le.Uint32(left), le.Uint32(left[4:])
	case schema.ColumnCgroup:
		e.Cgroup = d.groupOf(le.Uint64(left))
	case schema.ColumnFilesystem:
		e.FSType, e.Dev = d.fsType(le.Uint64(left)), le.Uint32(left[8:])
	default:
		for i := range p.fields {
			p.fields[i].Set(e, le.Uint64(left[8*i:]))
		}
	}
	return left[p.size:]
}

func setKey(e *schema.Event, words []byte) {
	le := binary.LittleEndian
	e.Parent, e.NameLen, e.Hash = le.Uint64(words), le.Uint32(words[8:]), le.Uint32(words[12:])
}

// fsType returns the name of the filesystem type at an address; a kernel has a few dozen.
func (d *Decoder) fsType(addr uint64) string {
	switch addr {
	case 0:
		return ""
	case d.typ:
		return d.name
	}
	name, ok := d.types[addr]
	if !ok {
		name = d.typeOf(addr)
		d.types[addr] = name
	}
	d.typ, d.name = addr, name
	return name
}

// cString cuts b before its first NUL.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
