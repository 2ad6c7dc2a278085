// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Probes set by perf or trace-cmd as in docs/peers.md: an event is named after dtrec's role and phase, its
// arguments after what they hold. In the text "(do_filp_open+0x0/0xa0) name_addr=0xffff… name="/tmp/x"" the
// name is the last argument, because the kernel prints it as it is, including quotes inside it.

// probeOf returns the role and phase of an event's name, such as "lookup_rcu_exit".
func probeOf(event string) (schema.Role, schema.Phase, bool) {
	at := strings.LastIndexByte(event, '_')
	if at < 0 {
		return 0, 0, false
	}
	phase, ok := map[string]schema.Phase{"enter": schema.Enter, "exit": schema.Exit}[event[at+1:]]
	role, known := schema.RoleNamed(event[:at])
	return role, phase, known && ok
}

// isProbe reports whether an event is named like one of the documented probes.
func isProbe(event string) bool {
	_, _, ok := probeOf(event)
	return ok
}

// arguments maps the name of a probe's argument to the column it fills and the field it sets.
var arguments = map[string]struct {
	column schema.Column
	set    func(*schema.Event, uint64)
}{
	"parent":    {schema.ColumnKey, func(e *schema.Event, v uint64) { e.Parent = v }},
	"hash":      {schema.ColumnKey, func(e *schema.Event, v uint64) { e.Hash = uint32(v) }},
	"name_len":  {schema.ColumnKey, func(e *schema.Event, v uint64) { e.NameLen = uint32(v) }},
	"name_addr": {schema.ColumnNameAddr, func(e *schema.Event, v uint64) { e.NameAddr = v }},
	"dentry":    {schema.ColumnDentry, func(e *schema.Event, v uint64) { e.Dentry = v }},
	"inode":     {schema.ColumnDentry, func(e *schema.Event, v uint64) { e.Inode = v }},
	"ret":       {schema.ColumnRet, func(e *schema.Event, v uint64) { e.Ret = v }},
	"bucket":    {schema.ColumnBucket, func(e *schema.Event, v uint64) { e.Bucket = v }},
	"target":    {schema.ColumnTarget, func(e *schema.Event, v uint64) { e.Target = v }},
}

// probeEvent makes the event of a probe. ok is false for other events, for an unknown argument, and for an
// argument that is not a number.
func probeEvent(event, text string) (e schema.Event, ok bool) {
	e.Role, e.Phase, ok = probeOf(event)
	if !ok {
		return e, false
	}
	text, name, named := strings.Cut(text, ` name="`)
	if text == "" || text[0] != '(' {
		return e, false
	}
	_, rest, _ := strings.Cut(text, ")") // cuts off where the probe was hit
	e.Symbol = "dtrec:" + e.Role.Label() // the text does not name the function
	given := make(map[string]bool)
	for _, field := range strings.Fields(rest) {
		key, value, _ := strings.Cut(field, "=")
		if given[key] = true; key == "name" && value == "(fault)" {
			e.Columns, e.Facts = e.Columns.With(schema.ColumnKey), e.Facts|schema.FactNameUnreadable
			continue
		}
		v, err := strconv.ParseUint(value, 0, 64)
		a, known := arguments[key]
		if err != nil || !known {
			return e, false
		}
		a.set(&e, v)
		e.Columns = e.Columns.With(a.column)
	}
	if named {
		bytes, closed := strings.CutSuffix(strings.TrimRight(name, " "), `"`)
		if !closed {
			return e, false
		}
		e.Columns = e.Columns.With(schema.ColumnKey)
		if !given["name_len"] {
			e.NameLen = uint32(len(bytes))
		}
		e.Name = bytes[:min(uint64(len(bytes)), uint64(e.NameLen), maxName)] // the kernel reads up to a NUL: the rest of the path
	}
	if e.Columns.Has(schema.ColumnDentry) && !given["inode"] {
		e.Facts |= schema.FactInodeUnknown
	}
	return e, true
}
