// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// maxInterned bounds how many strings a translator keeps.
const maxInterned = 1 << 16

// translator turns records into events. Strings are kept and handed out again, so
// that a name seen before costs no allocation.
type translator struct {
	strings map[string]string
	typeOf  func(addr uint64) string // the name of a struct file_system_type
	types   map[uint64]string        // by address, as typeOf told
	event   schema.Event
}

func newTranslator(typeOf func(uint64) string) *translator {
	return &translator{strings: make(map[string]string), typeOf: typeOf, types: make(map[uint64]string)}
}

// fsType returns the name of the filesystem type at an address; a kernel has a few dozen.
func (t *translator) fsType(addr uint64) string {
	name, ok := t.types[addr]
	if !ok && addr != 0 {
		name = t.typeOf(addr)
		t.types[addr] = name
	}
	return name
}

func (t *translator) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := t.strings[string(b)]; ok {
		return s
	}
	if len(t.strings) >= maxInterned {
		clear(t.strings)
	}
	s := string(b)
	t.strings[s] = s
	return s
}

// translate returns the record as an event, valid until the next call; nil for a
// role and phase the catalogue does not have. What the record's shared fields mean
// is record.h's business.
func (t *translator) translate(r *bpf.Record) *schema.Event {
	columns, ok := shapeOf(schema.Role(r.Role), schema.Phase(r.Phase))
	if !ok {
		return nil
	}
	e := &t.event
	*e = schema.Event{
		Time: r.Time, CPU: uint32(r.CPU), PID: r.PID, TID: r.TID, Comm: t.intern(r.Comm),
		Role: schema.Role(r.Role), Phase: schema.Phase(r.Phase), Columns: columns,
		Parent: r.Parent, Name: t.intern(r.Name), NameLen: r.NameLen, Hash: r.Hash, NameAddr: r.NameAddr,
		Dentry: r.Dentry, Inode: r.Inode, Facts: schema.Fact(r.Facts),
	}
	if columns.Has(schema.ColumnRet) {
		e.Ret = r.Value
	}
	if columns.Has(schema.ColumnOpen) {
		e.Flags, e.Mode = r.Flags, uint32(r.Mode)
	}
	if columns.Has(schema.ColumnFilesystem) {
		if e.Dev = r.Flags; e.Role == schema.RoleOpen {
			e.FSType = t.intern(r.FSType)
		} else {
			e.FSType = t.fsType(r.Value)
		}
	}
	if columns.Has(schema.ColumnTook) {
		e.Entered = r.Entered
	}
	if columns.Has(schema.ColumnBucket) {
		e.Bucket = r.Value
	}
	if columns.Has(schema.ColumnTarget) {
		e.Target = r.Value
	}
	if columns.Has(schema.ColumnChild) {
		e.Child = r.Flags
	}
	return e
}

// shapeOf looks the columns up in the catalogue.
func shapeOf(role schema.Role, phase schema.Phase) (schema.Columns, bool) {
	info, ok := role.Info()
	if !ok {
		return 0, false
	}
	shape := info.Enter
	if phase == schema.Exit {
		shape = info.Exit
	}
	if shape == nil {
		return 0, false
	}
	return shape.Columns, true
}

func translateLoss(l bpf.Loss) *schema.Loss {
	return &schema.Loss{
		Cause: schema.LossCause(l.Cause), Role: schema.Role(l.Role), Cpu: l.CPU,
		Count: l.Count, FirstNs: l.First, LastNs: l.Last,
	}
}
