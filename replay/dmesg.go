// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"

	"github.com/dtrec/dtrec/schema"
)

// NewDmesg prints the lines that the kernel module of the stage 2 page printed, as
// dmesg showed them, and nothing for an event it had no line for. What the kernels
// call these functions today does not matter here: an insert is "__d_add", since
// that is where the module saw it. The names of lookups are the component alone;
// the module printed the rest of the path after it, which is not recorded. Loss
// and damage have lines that begin with "dtrec:".
func NewDmesg() Format { return &dmesg{moving: make(map[uint32]bool)} }

type dmesg struct {
	imported bool
	moving   map[uint32]bool // threads inside a rename, which inserts without __d_add
	now      uint64
}

func (d *dmesg) begin(dst []byte, h *schema.Header) []byte {
	d.imported = h.Logged()
	return dst
}

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

func (d *dmesg) event(dst []byte, s *Step) []byte {
	s.Halves(func(s *Step) { dst = d.line(dst, s.Event) })
	return dst
}

func (d *dmesg) line(dst []byte, e *schema.Event) []byte {
	if e.Symbol != "" && e.Phase == schema.Enter { // a log that was imported
		return dmesgName(dst, e, Printable(e.Symbol)+" entry: ")
	}
	for i := range dmesgLines {
		if l := &dmesgLines[i]; l.role == e.Role && (l.phase == e.Phase || l.phase == 0) && (l.when == nil || l.when(d, e)) {
			return l.form(dst, e, l.says)
		}
	}
	return dst
}

// dmesgLines are the lines the module had.
var dmesgLines = []struct {
	role  schema.Role
	phase schema.Phase // 0: any
	says  string
	form  func(dst []byte, e *schema.Event, says string) []byte
	when  func(*dmesg, *schema.Event) bool // nil: always
}{
	{schema.RoleLookupRCU, schema.Enter, "__d_lookup_rcu entry: hash ", dmesgKey, nil},
	{schema.RoleLookupRCU, schema.Exit, "__d_lookup_rcu return: ", dmesgFound, nil},
	{schema.RoleLookup, schema.Enter, "d_lookup entry: hash ", dmesgKey, nil},
	{schema.RoleLookup, schema.Exit, "d_lookup return: ", dmesgFound, nil},
	{schema.RoleLookupChain, schema.Enter, "__d_lookup entry: hash ", dmesgKey, nil},
	{schema.RoleLookupChain, schema.Exit, "__d_lookup return: ", dmesgFound, func(d *dmesg, _ *schema.Event) bool { return d.imported }},
	{schema.RoleOpen, schema.Enter, "[O] IN: ", dmesgName, nil},
	{schema.RoleOpen, schema.Exit, "[O] OUT: ", dmesgName, func(d *dmesg, e *schema.Event) bool { return e.Errno() == 0 || d.imported }},
	{schema.RoleAlloc, schema.Enter, "[A] SRC: ", dmesgPointer, nil},
	{schema.RoleAlloc, schema.Exit, "[A] DST: ", dmesgPointer, func(_ *dmesg, e *schema.Event) bool { return !null(e) }},
	{schema.RoleInsert, 0, "__d_add entry: ", dmesgName, func(d *dmesg, e *schema.Event) bool { return !d.moving[e.TID] }},
	{schema.RoleDelete, schema.Enter, "d_delete entry: ", dmesgName, nil},
	{schema.RoleKill, schema.Enter, "__dentry_kill entry: ", dmesgName, nil},
	{schema.RoleHash, 0, "full_name_hash return: ", dmesgHash, nil},
}

// dmesgTime appends "[    5.000123] ": whole seconds in five places, microseconds.
func dmesgTime(dst []byte, ns uint64) []byte {
	dst = append(dst, '[')
	dst = appendPadded(dst, ns/1e9, 5)
	dst = append(dst, '.')
	dst = appendDigits(dst, ns%1e9/1e3, 6)
	return append(dst, "] "...)
}

func dmesgPointer(dst []byte, e *schema.Event, what string) []byte {
	dst = append(dmesgTime(dst, e.Time), what...)
	return append(dmesgAddress(dst, e), '\n')
}

func dmesgName(dst []byte, e *schema.Event, what string) []byte {
	dst = append(dmesgTime(dst, e.Time), what...)
	dst = dmesgAddress(dst, e)
	if e.Columns&(1<<schema.ColumnKey|1<<schema.ColumnDentry) != 0 {
		dst = appendPrintable(append(dst, " | "...), e.Name)
	}
	return append(dst, '\n')
}

func dmesgFound(dst []byte, e *schema.Event, says string) []byte {
	if null(e) {
		return append(append(dmesgTime(dst, e.Time), says...), "NULL\n"...)
	}
	return dmesgName(dst, e, says)
}

func dmesgKey(dst []byte, e *schema.Event, says string) []byte {
	dst = strconv.AppendUint(append(dmesgTime(dst, e.Time), says...), uint64(e.Hash), 10)
	dst = strconv.AppendUint(append(dst, " length "...), uint64(e.NameLen), 10)
	return append(appendPrintable(append(dst, " name "...), e.Name), '\n')
}

// null reports whether the event returned NULL; an imported one without a dentry need not.
func null(e *schema.Event) bool { return e.Columns.Has(schema.ColumnDentry) && e.Dentry == 0 }

// dmesgAddress appends the address of the name, the errno that an imported line had for
// it, or what %p prints before it can hash where such a line had none.
func dmesgAddress(dst []byte, e *schema.Event) []byte {
	if e.Errno() != 0 {
		return appendPointer(dst, e.Ret)
	}
	if e.Dentry == 0 && !e.Columns.Has(schema.ColumnNameAddr) {
		return append(dst, "(____ptrval____)"...)
	}
	return appendPointer(dst, e.NameAddr)
}

func dmesgHash(dst []byte, e *schema.Event, says string) []byte {
	dst = strconv.AppendUint(append(dmesgTime(dst, e.Time), says...), uint64(e.Hash), 10)
	dst = strconv.AppendUint(append(dst, " length "...), uint64(e.NameLen), 10)
	if dst = append(dst, " salt "...); e.Parent != 0 {
		dst = appendPointer(dst, e.Parent)
	} else {
		dst = append(dst, "(____ptrval____)"...)
	}
	return append(appendPrintable(append(dst, " name "...), e.Name), '\n')
}

func (d *dmesg) loss(dst []byte, l *schema.Loss) []byte {
	return append(appendLoss(append(dmesgTime(dst, l.FirstNs), "dtrec: "...), l), '\n')
}

func (d *dmesg) damage(dst []byte, g *schema.Damage, last uint64) []byte {
	return append(appendDamage(append(dmesgTime(dst, d.now), "dtrec: "...), g, last), '\n')
}

func (d *dmesg) program(dst []byte, _ *schema.Program) []byte { return dst }
func (d *dmesg) footer(dst []byte, _ *schema.Footer) []byte   { return dst }

func (d *dmesg) cut(dst []byte, last uint64) []byte {
	dst = append(dmesgTime(dst, d.now), "dtrec: the trace is cut, no event is known after "...)
	return append(appendID(dst, last, 0), '\n')
}
