// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Sizes of record.h, bytes.
const (
	headSize    = 104
	fstypeSize  = 16
	maxRecord   = headSize + fstypeSize + 4096 // the largest size class
	maxNameSize = 4096
)

// Fact bits beside a dentry or its parent. Values are those of schema.Fact.
const (
	FactParentIsRoot   = 1
	FactParentOpHash   = 2
	FactMountpoint     = 4
	FactUnhashed       = 8
	FactNameUnreadable = 32
	FactUnwatched      = 64
	FactExchange       = 128
)

// Record is one event as the kernel side wrote it. Which fields mean something
// follows from role and phase; the others are zero.
type Record struct {
	Time     uint64 // nanoseconds since boot (CLOCK_BOOTTIME)
	Parent   uint64 // address of the parent dentry
	NameAddr uint64 // address of the name
	Dentry   uint64
	Inode    uint64
	Value    uint64 // open, unlink exit: return value; insert: bucket; move enter: target; exit: wait status; lookup enter, alloc exit: see Session.FilesystemType
	PID      uint32 // tgid, initial pid namespace
	TID      uint32
	NameLen  uint32 // qstr.len; larger than len(Name) where the name was cut or unreadable
	Hash     uint32 // qstr.hash
	Facts    uint32
	Flags    uint32 // open enter: open_flag; open exit, lookup enter, alloc exit: s_dev; fork: the child's tgid
	Entered  uint64 // exits of open, delete, move, unlink, evict: Time of the entry; 0: not known
	Mode     uint16 // open enter
	CPU      uint16
	Role     Role
	Phase    Phase

	// These point into the buffer decoded from.
	Comm   []byte
	Name   []byte
	FSType []byte // open exit
}

var errShortRecord = errors.New("record is cut short")

// size returns how many of b's bytes the record at its start uses, a multiple of 8.
func size(b []byte) (int, error) {
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

func hasFSType(b []byte) bool { return Role(b[78]) == RoleOpen && Phase(b[79]) == Exit }

// Decode reads the record at the start of b, which Drain filled, and returns how
// many bytes it takes there.
func (r *Record) Decode(b []byte) (int, error) {
	n, err := size(b)
	if err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	r.Time, r.Parent, r.NameAddr = le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
	r.Dentry, r.Inode, r.Value = le.Uint64(b[24:]), le.Uint64(b[32:]), le.Uint64(b[40:])
	r.PID, r.TID, r.NameLen = le.Uint32(b[48:]), le.Uint32(b[52:]), le.Uint32(b[56:])
	r.Hash, r.Facts, r.Flags = le.Uint32(b[60:]), le.Uint32(b[64:]), le.Uint32(b[68:])
	r.Mode, r.CPU = le.Uint16(b[72:]), le.Uint16(b[76:])
	r.Role, r.Phase = Role(b[78]), Phase(b[79])
	r.Comm = cString(b[80:96])
	r.Entered = le.Uint64(b[96:])
	rest := b[headSize:]
	r.FSType = nil
	if hasFSType(b) {
		r.FSType, rest = cString(rest[:fstypeSize]), rest[fstypeSize:]
	}
	r.Name = rest[:le.Uint16(b[74:])]
	return n, nil
}

// cString cuts b before its first NUL.
func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
