// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/dtrec/dtrec/schema"
)

// pattern returns a function that compiles a regular expression when it is first called, because most
// commands need none.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// form is one way in which a line says an event. The groups of its pattern are named after what they hold: at
// (an address), name, hash, length, rest (of the path), null, salt, symbol.
type form struct {
	pattern func() *regexp.Regexp
	role    schema.Role // unspecified: the role of the symbol
	phase   schema.Phase
	symbol  string // empty: taken from the group
}

// symbolRoles maps the functions that the module probes by name to their roles.
var symbolRoles = map[string]schema.Role{
	"do_filp_open": schema.RoleOpen, "__d_alloc": schema.RoleAlloc,
	"d_lookup": schema.RoleLookup, "__d_lookup": schema.RoleLookupChain, "__d_lookup_rcu": schema.RoleLookupRCU,
	"__d_add": schema.RoleInsert, "d_add": schema.RoleInsert, "d_rehash": schema.RoleInsert,
	"d_delete": schema.RoleDelete, "d_drop": schema.RoleDrop, "__dentry_kill": schema.RoleKill,
	"full_name_hash": schema.RoleHash,
}

// roleOf returns the role of a function; RoleCall if it plays none of the others.
func roleOf(symbol string) schema.Role {
	if r, ok := symbolRoles[symbol]; ok {
		return r
	}
	return schema.RoleCall
}

const (
	lookupSymbols = `(?P<symbol>d_lookup|__d_lookup|__d_lookup_rcu)`
	dentrySymbols = `(?P<symbol>d_add|__d_add|d_add_ci|d_rehash|d_delete|d_drop|dput|__dentry_kill)`
	pointer       = `(?P<at>(?:0x)?[0-9a-f]{16}|\(____ptrval____\)|\(ptrval\))`
	nameGroup     = `(?: \| (?P<name>.*))?`
	remarkText    = `(?: \([a-z][a-z ,]*\))?` // a remark by a reader of the log, such as "(later cache hit)"
	callerText    = `(?: from [a-z_]+)?`
	hashGroups    = `hash (?P<hash>\d{1,10}|0x[0-9a-f]{1,8}) length (?P<length>\d{1,10}) name (?P<rest>.*)`
)

func newForm(text string, r schema.Role, p schema.Phase, symbol string) form {
	return form{pattern(`^` + text + remarkText + `$`), r, p, symbol}
}

// driverForms are the forms of the module's lines, newest version first.
var driverForms = []form{
	newForm(`\[O\] IN: `+pointer+nameGroup, schema.RoleOpen, schema.Enter, "do_filp_open"),
	newForm(`\[O\] OUT: `+pointer+nameGroup, schema.RoleOpen, schema.Exit, "do_filp_open"),
	newForm(`\[A\] SRC: `+pointer, schema.RoleAlloc, schema.Enter, "__d_alloc"),
	newForm(`\[A\] DST: `+pointer, schema.RoleAlloc, schema.Exit, "__d_alloc"),
	newForm(lookupSymbols+` entry`+callerText+`: `+hashGroups, 0, schema.Enter, ""),
	newForm(lookupSymbols+` return: (?:(?P<null>NULL)|`+pointer+nameGroup+`)`, 0, schema.Exit, ""),
	newForm(dentrySymbols+` entry`+callerText+`: `+pointer+nameGroup, 0, schema.Enter, ""),
	newForm(`full_name_hash return: (?P<hash>\d{1,10}|0x[0-9a-f]{1,8}) length (?P<length>\d{1,10}) salt (?P<salt>(?:0x)?[0-9a-f]{16}|\(____ptrval____\)) name (?P<rest>.*)`,
		schema.RoleHash, schema.Exit, "full_name_hash"),
	newForm(`\[L\] HIT: `+pointer+nameGroup, schema.RoleCall, schema.Exit, "[L] HIT"),
	newForm(`\[trace_lookup\] Cache Hit: `+pointer+`(?: \| Val: (?P<name>.*))?`, schema.RoleCall, schema.Exit, "[trace_lookup] Cache Hit"),
	newForm(`\[trace_open\] Input Addr: `+pointer+`(?: \| Val: (?P<name>.*))?`, schema.RoleOpen, schema.Enter, "do_filp_open"),
	newForm(`\[trace_open\] Result Addr: `+pointer+`(?: \| Val: (?P<name>.*))?`, schema.RoleOpen, schema.Exit, "do_filp_open"),
	newForm(`\[trace_open\] Input: struct filename @ (?:0x)?[0-9a-f]{16} \| name @ `+pointer, schema.RoleOpen, schema.Enter, "do_filp_open"),
	newForm(`\[trace_open\] Result Name Ptr: `+pointer, schema.RoleOpen, schema.Exit, "do_filp_open"),
	newForm(`\[trace_alloc\] Copy Source:\s+`+pointer, schema.RoleAlloc, schema.Enter, "__d_alloc"),
	newForm(`\[trace_alloc\] Copy Dest:\s+`+pointer, schema.RoleAlloc, schema.Exit, "__d_alloc"),
}

// driverStarts matches the start of a line of the module, whether the rest is valid or not.
var driverStarts = pattern(`^(?:\[[OAL]\] [A-Z]+:|\[trace_(?:open|lookup|alloc)\]|_{0,2}d[a-z_]+ (?:entry|return)\b|full_name_hash return|optional probe not registered)`)

// match finds the form of a text and makes its event. In a bullet of a list (listed) a name may be in a code
// span. hidden counts the pointers that %p made unreadable.
func match(forms []form, text string, listed bool) (e schema.Event, hidden int, ok bool) {
	for i := range forms {
		if m := forms[i].pattern().FindStringSubmatch(text); m != nil {
			return forms[i].event(m, listed)
		}
	}
	return e, 0, false
}

func (f *form) event(m []string, listed bool) (e schema.Event, hidden int, ok bool) {
	e.Role, e.Phase, e.Symbol = f.role, f.phase, f.symbol
	for i, group := range f.pattern().SubexpNames() {
		v, err := m[i], error(nil)
		if i == 0 || v == "" && group != "rest" {
			continue
		}
		if listed && (group == "name" || group == "rest") {
			v = fromCodeSpan(v)
		}
		switch group {
		case "symbol":
			e.Symbol = v
		case "at":
			if !setAddress(&e, v) {
				hidden++
			}
		case "name":
			setName(&e, v)
		case "null":
			e.Columns = e.Columns.With(schema.ColumnDentry)
		case "salt":
			if e.Parent, ok = address(v); !ok {
				hidden++
			}
		case "hash":
			var h uint64
			h, err = number32(v)
			e.Hash = uint32(h)
		case "length":
			var n uint64
			n, err = number32(v)
			e.NameLen = uint32(n)
		case "rest": // comes after the length in the pattern
			setComponent(&e, v)
		}
		if err != nil {
			return e, 0, false
		}
	}
	if e.Role == schema.Role_ROLE_UNSPECIFIED {
		e.Role = roleOf(e.Symbol)
	}
	if severalSymbols[e.Role] {
		e.Columns = e.Columns.With(schema.ColumnSymbol)
	}
	return e, hidden, true
}

// number32 parses a 32-bit number: decimal, or hexadecimal after 0x.
func number32(printed string) (uint64, error) {
	if digits, ok := strings.CutPrefix(printed, "0x"); ok {
		return strconv.ParseUint(digits, 16, 32)
	}
	return strconv.ParseUint(printed, 10, 32)
}

// severalSymbols holds the roles that more than one function plays in a log.
var severalSymbols = [schema.RoleEnd]bool{schema.RoleInsert: true, schema.RoleDrop: true, schema.RoleCall: true}

// dropCaches is the kernel's own line, which it prints after the caches were dropped.
var dropCaches = pattern(`^(.{1,15}) \((\d{1,10})\): drop_caches: (\d{1,2})$`)

// parseDropCaches reads a drop_caches line. slabs is false if only the page cache was dropped.
func parseDropCaches(text string) (e schema.Event, slabs, ok bool) {
	if !strings.Contains(text, "): drop_caches: ") {
		return e, false, false
	}
	m := dropCaches().FindStringSubmatch(text)
	if m == nil {
		return e, false, false
	}
	tid, err := strconv.ParseUint(m[2], 10, 32)
	if err != nil {
		return e, false, false
	}
	bits, _ := strconv.Atoi(m[3])
	return schema.Event{Role: schema.RoleEvict, Phase: schema.Exit, Symbol: "drop_caches", Comm: m[1], TID: uint32(tid)}, bits&2 != 0, true
}
