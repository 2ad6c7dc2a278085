// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// NewDmesg prints the lines that the kernel module of the stage 2 page printed, in the form of dmesg, and
// nothing for an event for which the module had no line. It uses the module's function names, whatever the
// kernel calls the functions: an insert is "__d_add", as that is where the module saw it. The name of a
// lookup is the component alone; the module printed the rest of the path after it, which is not recorded.
// Lines on loss and damage begin with "dtrec:".
func NewDmesg() Format { return &dmesg{moving: make(map[uint32]bool)} }

type dmesg struct {
	imported bool
	moving   map[uint32]bool // threads inside a rename, which inserts without __d_add
	now      uint64
}

func (d *dmesg) begin(_ *shown.Text, h *schema.Header) { d.imported = h.Logged() }

func (d *dmesg) observe(s *Step) {
	d.now = s.Event.Time
	move := s.Event.Role == schema.RoleMove
	if move && s.Event.Phase == schema.Enter {
		if len(d.moving) > maxThreads {
			clear(d.moving)
		}
		d.moving[s.Event.TID] = true
	} else if len(d.moving) > 0 && (move || s.Depth == 0) {
		delete(d.moving, s.Event.TID)
	}
}

func (d *dmesg) event(dst *shown.Text, s *Step) {
	s.EachPhase(func(s *Step) { d.line(dst, s.Event) })
}

func (d *dmesg) line(dst *shown.Text, e *schema.Event) {
	if e.Symbol != "" && e.Phase == schema.Enter { // an event of an imported kernel log
		var prefix shown.Text
		prefix.Name(e.Symbol)
		prefix.Put(" entry: ")
		dmesgName(dst, e, &prefix)
		return
	}
	for i := range dmesgLines {
		if l := &dmesgLines[i]; l.role == e.Role && (l.phase == e.Phase || l.phase == 0) && (l.when == nil || l.when(d, e)) {
			l.form(dst, e, &l.prefix)
			return
		}
	}
}

// dmesgLines holds the lines that the module printed.
var dmesgLines = []struct {
	role   schema.Role
	phase  schema.Phase // 0: any
	prefix shown.Text
	form   func(dst *shown.Text, e *schema.Event, prefix *shown.Text)
	when   func(*dmesg, *schema.Event) bool // nil: always
}{
	{schema.RoleLookupRCU, schema.Enter, shown.Of("__d_lookup_rcu entry: hash "), dmesgKey, nil},
	{schema.RoleLookupRCU, schema.Exit, shown.Of("__d_lookup_rcu return: "), dmesgFound, nil},
	{schema.RoleLookup, schema.Enter, shown.Of("d_lookup entry: hash "), dmesgKey, nil},
	{schema.RoleLookup, schema.Exit, shown.Of("d_lookup return: "), dmesgFound, nil},
	{schema.RoleLookupChain, schema.Enter, shown.Of("__d_lookup entry: hash "), dmesgKey, nil},
	{schema.RoleLookupChain, schema.Exit, shown.Of("__d_lookup return: "), dmesgFound, func(d *dmesg, _ *schema.Event) bool { return d.imported }},
	{schema.RoleOpen, schema.Enter, shown.Of("[O] IN: "), dmesgName, nil},
	{schema.RoleOpen, schema.Exit, shown.Of("[O] OUT: "), dmesgName, func(d *dmesg, e *schema.Event) bool { return e.Errno() == 0 || d.imported }},
	{schema.RoleAlloc, schema.Enter, shown.Of("[A] SRC: "), dmesgPointer, nil},
	{schema.RoleAlloc, schema.Exit, shown.Of("[A] DST: "), dmesgPointer, func(_ *dmesg, e *schema.Event) bool { return !returnedNull(e) }},
	{schema.RoleInsert, 0, shown.Of("__d_add entry: "), dmesgName, func(d *dmesg, e *schema.Event) bool { return !d.moving[e.TID] }},
	{schema.RoleDelete, schema.Enter, shown.Of("d_delete entry: "), dmesgName, nil},
	{schema.RoleKill, schema.Enter, shown.Of("__dentry_kill entry: "), dmesgName, nil},
	{schema.RoleHash, 0, shown.Of("full_name_hash return: "), dmesgHash, nil},
}

// dmesgTime appends "[    5.000123] ": whole seconds in five places, then microseconds.
func dmesgTime(dst *shown.Text, ns uint64) {
	dst.Put("[")
	dst.Padded(ns/1e9, 5)
	dst.Put(".")
	dst.Digits(ns%1e9/1e3, 6)
	dst.Put("] ")
}

// dmesgPrefix appends the time of an event and the text that its line begins with.
func dmesgPrefix(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	dmesgTime(dst, e.Time)
	dst.Join(prefix)
}

func dmesgPointer(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	dmesgPrefix(dst, e, prefix)
	dmesgAddress(dst, e)
	dst.Put("\n")
}

func dmesgName(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	dmesgPrefix(dst, e, prefix)
	dmesgAddress(dst, e)
	if e.Columns&(1<<schema.ColumnKey|1<<schema.ColumnDentry) != 0 {
		dst.Put(" | ")
		dst.Name(e.Name)
	}
	dst.Put("\n")
}

func dmesgFound(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	if !returnedNull(e) {
		dmesgName(dst, e, prefix)
		return
	}
	dmesgPrefix(dst, e, prefix)
	dst.Put("NULL\n")
}

func dmesgKey(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	dmesgPrefix(dst, e, prefix)
	dst.Uint(uint64(e.Hash))
	dst.Put(" length ")
	dst.Uint(uint64(e.NameLen))
	dst.Put(" name ")
	dst.Name(e.Name)
	dst.Put("\n")
}

// returnedNull reports whether the event returned NULL; an imported event without a dentry column need not have.
func returnedNull(e *schema.Event) bool { return e.Columns.Has(schema.ColumnDentry) && e.Dentry == 0 }

// dmesgAddress appends the address of the name. For an imported line that showed an errno instead it
// appends that, and for one that showed neither the text that %p prints before the kernel can hash
// pointers.
func dmesgAddress(dst *shown.Text, e *schema.Event) {
	switch {
	case e.Errno() != 0:
		dst.Pointer(e.Ret)
	case e.Dentry == 0 && !e.Columns.Has(schema.ColumnNameAddr):
		dst.Put("(____ptrval____)")
	default:
		dst.Pointer(e.NameAddr)
	}
}

func dmesgHash(dst *shown.Text, e *schema.Event, prefix *shown.Text) {
	dmesgPrefix(dst, e, prefix)
	dst.Uint(uint64(e.Hash))
	dst.Put(" length ")
	dst.Uint(uint64(e.NameLen))
	if dst.Put(" salt "); e.Parent != 0 {
		dst.Pointer(e.Parent)
	} else {
		dst.Put("(____ptrval____)")
	}
	dst.Put(" name ")
	dst.Name(e.Name)
	dst.Put("\n")
}

func (d *dmesg) loss(dst *shown.Text, l *schema.Loss) {
	dmesgTime(dst, l.FirstNs)
	dst.Put("dtrec: ")
	putLoss(dst, l)
	dst.Put("\n")
}

func (d *dmesg) damage(dst *shown.Text, g *schema.Damage, last uint64) {
	dmesgTime(dst, d.now)
	dst.Put("dtrec: ")
	putDamage(dst, g, last)
	dst.Put("\n")
}

func (d *dmesg) program(*shown.Text, *schema.Program) {}
func (d *dmesg) footer(*shown.Text, *schema.Footer)   {}

func (d *dmesg) cut(dst *shown.Text, last uint64) {
	dmesgTime(dst, d.now)
	dst.Put("dtrec: the trace is cut, no event is known after ")
	dst.ID(last, 0)
	dst.Put("\n")
}
