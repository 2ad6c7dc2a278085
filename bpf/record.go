// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/dtrec/dtrec/schema"
)

// Sizes of record.h, bytes.
const (
	headSize    = 104
	fstypeSize  = 16
	maxRecord   = headSize + fstypeSize + 4096 // the largest size class
	maxNameSize = 4096
)

var errShortRecord = errors.New("record is cut short")

// Size returns how many of b's bytes the record at its start uses, a multiple of 8; the
// error is that it is cut.
func Size(b []byte) (int, error) {
	if len(b) < headSize {
		return 0, errShortRecord
	}
	n := headSize + int(binary.LittleEndian.Uint16(b[74:]))
	if hasFSType(b) {
		n += fstypeSize
	}
	if n > len(b) {
		return 0, errShortRecord
	}
	return min((n+7)&^7, len(b)), nil
}

// Time returns when the record at the start of b was made, nanoseconds since boot.
func Time(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func hasFSType(b []byte) bool {
	return schema.Role(b[78]) == schema.RoleOpen && schema.Phase(b[79]) == schema.Exit
}

// maxInterned bounds how many strings a Decoder keeps.
const maxInterned = 1 << 16

// Decoder turns records into events. Strings are kept and handed out again, so that a name
// seen before costs no allocation.
type Decoder struct {
	strings map[string]string
	typeOf  func(addr uint64) string // the name of a struct file_system_type
	types   map[uint64]string        // by address, as typeOf told
}

// NewDecoder returns a decoder that asks typeOf once for the name of each struct
// file_system_type: see Session.FilesystemType.
func NewDecoder(typeOf func(addr uint64) string) *Decoder {
	return &Decoder{strings: make(map[string]string), typeOf: typeOf, types: make(map[uint64]string)}
}

// Decode reads the record at the start of b, which Drain filled and Size has found to be
// whole, into e. It returns false for a role and phase that the catalogue does not have.
func (d *Decoder) Decode(b []byte, e *schema.Event) bool {
	le := binary.LittleEndian
	role, phase := schema.Role(b[78]), schema.Phase(b[79])
	shape := role.Shape(phase)
	if shape == nil {
		return false
	}
	value, flags := le.Uint64(b[40:]), le.Uint32(b[68:])
	*e = schema.Event{
		Time: le.Uint64(b), CPU: uint32(le.Uint16(b[76:])), PID: le.Uint32(b[48:]), TID: le.Uint32(b[52:]), Comm: d.intern(cString(b[80:96])),
		Role: role, Phase: phase, Columns: shape.Columns,
		Parent: le.Uint64(b[8:]), NameAddr: le.Uint64(b[16:]), Dentry: le.Uint64(b[24:]), Inode: le.Uint64(b[32:]),
		NameLen: le.Uint32(b[56:]), Hash: le.Uint32(b[60:]), Facts: schema.Fact(le.Uint32(b[64:])),
	}
	name := b[headSize:]
	has := shape.Columns
	if hasFSType(b) {
		e.FSType, e.Dev, name = d.intern(cString(name[:fstypeSize])), flags, name[fstypeSize:]
	} else if has.Has(schema.ColumnFilesystem) && (e.Dentry != 0 || !has.Has(schema.ColumnRet)) {
		e.FSType, e.Dev = d.fsType(value), flags
	}
	e.Name = d.intern(name[:le.Uint16(b[74:])])
	switch { // one of these has the value
	case has.Has(schema.ColumnRet) && (e.Dentry == 0 || !has.Has(schema.ColumnFilesystem) || hasFSType(b)):
		e.Ret = value
	case has.Has(schema.ColumnBucket):
		e.Bucket = value
	case has.Has(schema.ColumnTarget):
		e.Target = value
	}
	switch { // and one the flags
	case has.Has(schema.ColumnOpen):
		e.Flags, e.Mode = flags, uint32(le.Uint16(b[72:]))
	case has.Has(schema.ColumnChild):
		e.Child = flags
	}
	if has.Has(schema.ColumnTook) {
		e.Entered = le.Uint64(b[96:])
	}
	if has.Has(schema.ColumnStart) { // no argument is a dentry or a hash
		e.Start, e.DirFD = e.Dentry, int32(e.Hash)
		e.Dentry, e.Hash = 0, 0
	}
	return true
}

func (d *Decoder) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := d.strings[string(b)]; ok {
		return s
	}
	if len(d.strings) >= maxInterned {
		clear(d.strings)
	}
	s := string(b)
	d.strings[s] = s
	return s
}

// fsType returns the name of the filesystem type at an address; a kernel has a few dozen.
func (d *Decoder) fsType(addr uint64) string {
	name, ok := d.types[addr]
	if !ok && addr != 0 {
		name = d.typeOf(addr)
		d.types[addr] = name
	}
	return name
}

// cString cuts b before its first NUL.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
