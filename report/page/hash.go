// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// hash checks "hash N length L name X": a key with all that the page gives of it must have been recorded, in the
// event that the page names. A small number is a hash where a length or a name follows.
func (j *judge) hash(i int) {
	n := j.after(i)
	if n.kind != number || n.isAddress() {
		return
	}
	length, to := &token{}, n.to
	for k := i + 1; k < i+6 && length.kind != number; k++ {
		if t := j.token(k); t.text == "length" || t.text == "len" {
			length = j.after(k)
		}
	}
	if length.kind == number {
		to = length.to
	}
	name, named := j.nameFrom(to)
	if n.value < heavy && length.kind != number && !named {
		return
	}
	is := func(e *schema.Event) bool {
		return uint64(e.Hash) == n.value && !e.Columns.Has(schema.ColumnOpen) &&
			(length.kind != number || uint64(e.NameLen) == length.value) && (!named || name.is(e))
	}
	ids := j.idsOf(i, true)
	for k := i + 1; k < len(j.tokens) && len(j.tokens[k].ids()) == 0; k++ {
		if strings.EqualFold(j.tokens[k].text, "hash") {
			ids = nil // they are those of the next hash
		}
	}
	uses := slices.DeleteFunc(slices.Clone(j.x.uses[n.value]), func(u use) bool { return u.field != hashField })
	for _, id := range ids {
		if slices.ContainsFunc(j.x.cited[id], func(e schema.Event) bool { return is(&e) }) {
			j.add(n.span, "hash", Found, []uint64{id}, "")
			return
		}
	}
	for u := range uses {
		if len(ids) == 0 && is(&uses[u].Event) {
			j.add(n.span, "hash", Found, []uint64{uses[u].ID}, "")
			return
		}
	}
	if len(uses) == 0 {
		j.add(n.span, "hash", Absent, nil, "")
		return
	}
	note := fmt.Sprintf("it is %s, with length %d", j.says(&uses[0]), uses[0].NameLen)
	if len(ids) > 0 {
		note = fmt.Sprintf("not so in #%d; ", ids[0]) + note
	}
	j.add(n.span, "hash", Elsewhere, nil, note)
}

// given is a name as a page gives it: a whole code span, or in other text the beginning of the rest.
type given struct {
	text string
	span bool
}

// nameFrom returns the name that the page gives from an offset on: after the word name, and in a code block also
// after a parenthesis.
func (j *judge) nameFrom(at int) (given, bool) {
	rest := j.text[at:]
	behind, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), "name ")
	if !ok && j.code {
		behind, ok = strings.CutPrefix(rest, ") ")
	}
	if !ok {
		return given{}, false
	}
	if s := j.spanFrom(len(j.text) - len(behind)); s < len(j.spans) && j.spans[s].from == len(j.text)-len(behind) {
		return given{j.text[j.spans[s].from:j.spans[s].to], true}, true
	}
	return given{behind, false}, true
}

// is reports whether the name is that of an event. Of one that was cut only the beginning is known, of one that
// could not be read nothing.
func (g given) is(e *schema.Event) bool {
	if e.Facts&schema.FactNameUnreadable != 0 {
		return true
	}
	for _, name := range []string{e.Name, replay.Printable(e.Name)} {
		rest, ok := strings.CutPrefix(g.text, name)
		switch {
		case ok:
		case g.span:
			rest, ok = strings.CutPrefix(plain(g.text), name)
		default:
			rest, ok = strings.CutPrefix(strings.TrimLeft(g.text, " \"“`"), name)
		}
		if r, _ := utf8.DecodeRuneInString(rest); ok && (rest == "" || e.NameCut() || !g.span && strings.ContainsRune(" ,;:|)\"”`…\n", r)) {
			return true
		}
	}
	return false
}
