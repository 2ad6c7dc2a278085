// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

const label = `(?: \([^)]*\))?`

// wordingForms are the forms in which reports repeat the lines of the module.
var wordingForms = []form{
	newForm(`(?:do_filp_open|[a-z]+ open) entry pointer`+label+` =? ?`+pointer+nameGroup, schema.RoleOpen, schema.Enter, "do_filp_open"),
	newForm(`do_filp_open return pointer`+label+` =? ?`+pointer+nameGroup, schema.RoleOpen, schema.Exit, "do_filp_open"),
	newForm(`(?:copy source|__d_alloc entry) pointer`+label+` = `+pointer, schema.RoleAlloc, schema.Enter, "__d_alloc"),
	newForm(`(?:copy destination|__d_alloc return) pointer`+label+` = `+pointer, schema.RoleAlloc, schema.Exit, "__d_alloc"),
	newForm(`(?P<symbol>__d_add) entry pointer`+label+` = `+pointer+nameGroup, 0, schema.Enter, ""),
	newForm(lookupSymbols+` entry`+label+`:? `+hashGroups, 0, schema.Enter, ""),
	newForm(lookupSymbols+` return`+label+`(?::| =)? (?:(?P<null>NULL)|`+pointer+nameGroup+`)`, 0, schema.Exit, ""),
	newForm(dentrySymbols+` entry`+label+`(?::| =)? `+pointer+nameGroup, 0, schema.Enter, ""),
}

var (
	// notPrinted matches the statement that a line is missing. It is not an event.
	notPrinted = pattern(`^do_filp_open return pointer: not printed\b`)
	// nextEvent matches where the second event of a bullet begins.
	nextEvent = pattern(`, (?:do_filp_open|__d_add|__d_alloc|d_lookup|__d_lookup|__d_lookup_rcu|d_delete|__dentry_kill) (?:entry|return)\b`)
	// nameLabel matches the label of a bullet about one name.
	nameLabel = pattern(`^(\S.*) (?:hit|delete|evict)$`)
)

// parseWording reads a line of a report. Only a bullet may have a label before its wording, or say two events.
func parseWording(text string, listed bool) (events []schema.Event, hidden int, ok bool) {
	if notPrinted().MatchString(text) {
		return nil, 0, true
	}
	if e, n, ok := match(wordingForms, text, listed); ok && (!listed || !nextEvent().MatchString(text)) {
		return []schema.Event{e}, n, true
	}
	if !listed {
		return nil, 0, false
	}
	before, rest, labelled := strings.Cut(text, ": ")
	if !labelled {
		before, rest = "", text
	}
	for rest != "" {
		part := rest
		if at := nextEvent().FindStringIndex(rest); at != nil {
			part, rest = rest[:at[0]], rest[at[0]+2:]
		} else {
			rest = ""
		}
		e, n, ok := match(wordingForms, part, listed)
		if !ok {
			return nil, 0, false
		}
		if m := nameLabel().FindStringSubmatch(before); m != nil && !e.Columns.Has(schema.ColumnKey) {
			setName(&e, fromCodeSpan(m[1]))
		}
		events, hidden = append(events, e), hidden+n
	}
	return events, hidden, len(events) > 0
}

// isRepeat reports whether a line only repeats the one before in other words: a report also calls what
// __d_alloc returned the copy destination.
func isRepeat(text, before string) bool {
	return strings.HasPrefix(text, "copy destination pointer") && strings.HasPrefix(before, "__d_alloc return pointer")
}
