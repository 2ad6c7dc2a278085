// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Probes that perf or trace-cmd set, as docs/peers.md has them: the event is called after
// the role and the phase that dtrec knows, its arguments after what they hold. In the text
// "(do_filp_open+0x0/0xa0) name_addr=0xffff… name="/tmp/x"" a name is the last argument, since
// the kernel prints it as it is, quotes inside it too.

// probeOf is the role and phase of an event, "lookup_rcu_exit".
func probeOf(event string) (schema.Role, schema.Phase, bool) {
	at := strings.LastIndexByte(event, '_')
	if at < 0 {
		return 0, 0, false
	}
	phase, ok := map[string]schema.Phase{"enter": schema.Enter, "exit": schema.Exit}[event[at+1:]]
	role, known := schema.RoleNamed(event[:at])
	return role, phase, known && ok
}

// isProbe reports whether an event is called as one of the documented probes is.
func isProbe(event string) bool {
	_, _, ok := probeOf(event)
	return ok
}

// argument is what a probe's argument is called, the column it fills, and how.
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

// probed makes the event of a probe. ok is false for other events, for an argument that is
// not known, and for a number that is none.
func probed(event, text string) (e schema.Event, ok bool) {
	e.Role, e.Phase, ok = probeOf(event)
	if !ok {
		return e, false
	}
	text, name, named := strings.Cut(text, ` name="`)
	if text == "" || text[0] != '(' {
		return e, false
	}
	_, rest, _ := strings.Cut(text, ")") // where the probe was hit: an address
	e.Symbol = "dtrec:" + e.Role.Label() // the text does not name the function
	told := make(map[string]bool)
	for _, field := range strings.Fields(rest) {
		key, value, _ := strings.Cut(field, "=")
		if told[key] = true; key == "name" && value == "(fault)" {
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
		if !told["name_len"] {
			e.NameLen = uint32(len(bytes))
		}
		e.Name = bytes[:min(uint64(len(bytes)), uint64(e.NameLen), maxName)] // what is read goes to a NUL: the rest of the path
	}
	if e.Columns.Has(schema.ColumnDentry) && !told["inode"] {
		e.Facts |= schema.FactInodeUnknown
	}
	return e, true
}
