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
	shapes  [256][4]*schema.Shape    // by role and phase
	fields  [32][]schema.Field       // by column: a word each
	typeOf  func(addr uint64) string // the name of a struct file_system_type
	types   map[uint64]string        // by address, as typeOf told
	typ     uint64                   // asked for last
	groupOf func(id uint64) string   // the path of a cgroup
	name    string                   // its name
}

// NewDecoder returns a decoder that asks typeOf once for the name of each struct
// file_system_type: see Session.FilesystemType; and groupOf for the path of a cgroup: see CgroupPaths.
func NewDecoder(typeOf, groupOf func(uint64) string) *Decoder {
	d := &Decoder{fields: schema.Fields(), typeOf: typeOf, types: make(map[uint64]string), groupOf: groupOf}
	for _, info := range schema.Catalogue() {
		d.shapes[info.Role][schema.Enter], d.shapes[info.Role][schema.Exit] = info.Enter, info.Exit
	}
	return d
}

// Decode reads a record into e, and of a call as a whole its entry into entry, both Half. Their strings are
// the record's own bytes: they are good for as long as those. An error is a record that the
// catalogue does not have so.
func (d *Decoder) Decode(record []byte, entry, e *schema.Event) error {
	if len(record) < headSize {
		return errShortRecord
	}
	role := record[headRole]
	if record[headPhase] == byte(schema.Whole) && schema.Role(role).Is(schema.Leaf) {
		return d.call(record, d.shapes[role][schema.Enter], d.shapes[role][schema.Exit], entry, e)
	}
	shape := d.shapes[role][record[headPhase]&3]
	if shape == nil {
		return fmt.Errorf("record of role %d and phase %d", role, record[headPhase])
	}
	w := words{left: record[headSize:]}
	head(record, shape.Columns, e)
	e.Phase, e.Half = schema.Phase(record[headPhase]), false
	for columns := uint32(shape.Columns); columns != 0; columns &= columns - 1 {
		d.column(schema.Column(bits.TrailingZeros32(columns)), &w, e)
	}
	stored := int(binary.LittleEndian.Uint16(record[headStored:]))
	if w.short || stored > len(w.left) {
		return errShortRecord
	}
	e.Name = view(w.left[:stored])
	if e.NameLen == 0 { // a path: its length is found by reading it
		e.NameLen = uint32(stored)
	}
	return nil
}

// call reads a call as a whole.
func (d *Decoder) call(record []byte, enter, exit *schema.Shape, entry, e *schema.Event) error {
	w := words{left: record[headSize:]}
	head(record, enter.Columns, entry)
	head(record, exit.Columns, e)
	entry.Phase, entry.Half = schema.Enter, true
	e.Phase, e.Half, e.Facts, e.Name = schema.Exit, true, 0, ""
	found := uint64(0)
	for columns := uint32(enter.Columns | exit.Columns); columns != 0; columns &= columns - 1 {
		c := schema.Column(bits.TrailingZeros32(columns))
		if enter.Columns.Has(c) {
			d.column(c, &w, entry)
			continue
		}
		if d.column(c, &w, e); c == schema.ColumnDentry && e.Dentry != 0 {
			found = w.next()
		}
	}
	stored, second := int(binary.LittleEndian.Uint16(record[headStored:])), 0
	if e.Dentry != 0 {
		e.Facts, second = schema.Fact(uint16(found)), len(w.left)/2
	}
	end := second + int(found>>16)
	if w.short || stored > len(w.left) || end > len(w.left) {
		return errShortRecord
	}
	entry.Name = view(w.left[:stored])
	if e.Dentry != 0 {
		e.Name = view(w.left[second:end])
	}
	return nil
}

// head reads the head of a record, but for the phase.
func head(record []byte, columns schema.Columns, e *schema.Event) {
	le := binary.LittleEndian
	if e.Columns != columns { // or what is set in the same columns takes the place of all
		*e = schema.Event{Columns: columns}
	}
	e.Time, e.PID, e.TID = le.Uint64(record), le.Uint32(record[headTGID:]), le.Uint32(record[headTID:])
	e.Comm, e.CPU = view(cString(record[headComm:][:commSize])), uint32(le.Uint16(record[headCPU:]))
	e.Facts, e.Role = schema.Fact(le.Uint16(record[headFacts:])), schema.Role(record[headRole])
}

// words are what is left of a record's.
type words struct {
	left  []byte
	short bool
}

func (w *words) next() uint64 {
	if len(w.left) < 8 {
		w.short = true
		return 0
	}
	v := binary.LittleEndian.Uint64(w.left)
	w.left = w.left[8:]
	return v
}

// column reads the words of a column, as record.h has them.
func (d *Decoder) column(c schema.Column, w *words, e *schema.Event) {
	switch c {
	case schema.ColumnKey:
		w.key(e)
	case schema.ColumnDentry:
		e.Inode, e.NameAddr, e.Parent, e.NameLen, e.Hash = 0, 0, 0, 0, 0
		if e.Dentry = w.next(); e.Dentry != 0 {
			e.Inode, e.NameAddr = w.next(), w.next()
			w.key(e)
		}
	case schema.ColumnOpen:
		v := w.next()
		e.Flags, e.Mode = uint32(v), uint32(v>>32)
	case schema.ColumnCgroup:
		e.Cgroup = d.groupOf(w.next())
	case schema.ColumnFilesystem:
		e.FSType, e.Dev = d.fsType(w.next()), uint32(w.next())
	default:
		for i := range d.fields[c] {
			d.fields[c][i].Set(e, w.next())
		}
	}
}

func (w *words) key(e *schema.Event) {
	e.Parent = w.next()
	v := w.next()
	e.NameLen, e.Hash = uint32(v), uint32(v>>32)
}

// fsType returns the name of the filesystem type at an address; a kernel has a few dozen.
func (d *Decoder) fsType(addr uint64) string {
	if addr == d.typ {
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
