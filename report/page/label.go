// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// field is where in an event a value stands.
type field uint8

const (
	anyField  field = iota
	itself          // what the event is about: the name's address, the dentry, the file
	nameField       // the name's address
	parentField
	inodeField
	bucketField
	hashField
	otherField
)

// label is what a page calls a value.
type label struct {
	span
	text   string
	role   schema.Role  // unspecified: any
	phase  schema.Phase // unspecified: either
	symbol string
	field  field
}

// words are the labels that name no function.
var words = []struct {
	text  string
	role  schema.Role
	phase schema.Phase
	field field
}{
	{"copy source", schema.RoleAlloc, schema.Enter, nameField},
	{"copy destination", schema.RoleAlloc, schema.Exit, nameField},
	{"first open entry", schema.RoleOpen, schema.Enter, itself},
	{"second open entry", schema.RoleOpen, schema.Enter, itself},
	{"name pointer", 0, 0, nameField},
	{"parent", 0, 0, parentField},
	{"under", 0, 0, parentField},
	{"salt", 0, 0, parentField},
	{"bucket", 0, 0, bucketField},
	{"inode", 0, 0, inodeField},
}

// knownSymbols are functions that pages name whatever the trace's kernel calls them.
var knownSymbols = map[string]schema.Role{
	"do_filp_open": schema.RoleOpen, "do_file_open": schema.RoleOpen, "__d_alloc": schema.RoleAlloc,
	"d_lookup": schema.RoleLookup, "__d_lookup": schema.RoleLookupChain, "__d_lookup_rcu": schema.RoleLookupRCU,
	"__d_add": schema.RoleInsert, "d_add": schema.RoleInsert, "d_rehash": schema.RoleInsert, "__d_rehash": schema.RoleInsert,
	"__d_instantiate": schema.RoleInstantiate, "d_delete": schema.RoleDelete, "__d_drop": schema.RoleDrop, "d_drop": schema.RoleDrop,
	"__dentry_kill": schema.RoleKill, "dentry_kill": schema.RoleKill, "dentry_free": schema.RoleFree, "__d_move": schema.RoleMove,
	"drop_slab": schema.RoleEvict, "vfs_unlink": schema.RoleUnlink, "full_name_hash": schema.RoleHash,
}

// vocabulary finds labels on a line.
type vocabulary struct {
	pattern *regexp.Regexp
	wrapped *regexp.Regexp // a label, an address or a hash in markup
	roles   map[string]schema.Role
}

// newVocabulary knows the functions of a trace and those of knownSymbols.
func newVocabulary(h *schema.Header) *vocabulary {
	v := &vocabulary{roles: make(map[string]schema.Role)}
	for symbol, r := range knownSymbols {
		v.roles[symbol] = r
	}
	for _, p := range h.GetProbe() {
		if p.Attached && p.Symbol != "" {
			v.roles[p.Symbol] = p.Role
		}
	}
	var all []string
	for symbol := range v.roles {
		all = append(all, regexp.QuoteMeta(symbol)+`(?: entry| return)?`)
	}
	for _, w := range words {
		all = append(all, regexp.QuoteMeta(w.text))
	}
	// The longest first, since the first that fits is taken.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	v.pattern = regexp.MustCompile(`(?:^|[^\w.>])(` + strings.Join(all, "|") + `)(?:$|[^\w(])`)
	v.wrapped = regexp.MustCompile("(`+|\\*+|__?)(" + strings.Join(all, "|") + "|0[xX][0-9a-fA-F]+|[fF]{2}[0-9a-fA-F]{14})(`+|\\*+|__?)|" +
		"\\b(?:hash|length|len)[ =](`+|\\*+|__?)(\\d+)(`+|\\*+|__?)")
	return v
}

// maxWraps is how many times one thing may be wrapped: bold code has two.
const maxWraps = 4

// unwrap takes the markup off the labels, addresses and hashes on lines of prose, but
// for what stands as a name behind a bar that is none of a table.
func (v *vocabulary) unwrap(lines []line) {
	for i := range lines {
		if l := &lines[i]; l.block == prose || l.block == heading {
			for n := 0; n < maxWraps && l.cut(v.wraps(l.text, isRow(l))); n++ {
			}
		}
	}
}

// wraps finds what is to be taken off, in order.
func (v *vocabulary) wraps(text string, row bool) []span {
	var out []span
	for _, m := range v.wrapped.FindAllStringSubmatchIndex(text, -1) {
		if m[2] < 0 {
			m = m[6:] // the other alternative
		}
		if text[m[2]:m[3]] == text[m[6]:m[7]] && (row || !strings.HasSuffix(text[:m[2]], "| ")) {
			out = append(out, span{m[2], m[3]}, span{m[6], m[7]})
		}
	}
	return out
}

// cut takes stretches out of a line; it reports whether there are any.
func (l *line) cut(out []span) bool {
	for _, s := range slices.Backward(out) {
		l.at = slices.Delete(l.at, s.from, s.to)
	}
	name, text, from := "", "", 0
	for _, s := range append(out, span{len(l.text), len(l.text)}) {
		name, text, from = name+l.name[from:s.from], text+l.text[from:s.from], s.to
	}
	l.name, l.text = name, text
	return len(out) > 0
}

func (v *vocabulary) labels(text string) []label {
	var out []label
	for from := 0; from < len(text); {
		m := v.pattern.FindStringSubmatchIndex(text[from:])
		if m == nil {
			break
		}
		out = append(out, v.label(text[from+m[2]:from+m[3]], span{from + m[2], from + m[3]}))
		from += m[3]
	}
	return out
}

func (v *vocabulary) label(text string, s span) label {
	for _, w := range words {
		if text == w.text {
			return label{s, text, w.role, w.phase, "", w.field}
		}
	}
	l := label{span: s, text: text, symbol: text, field: itself}
	if symbol, ok := strings.CutSuffix(text, " entry"); ok {
		l.symbol, l.phase = symbol, schema.Enter
	} else if symbol, ok := strings.CutSuffix(text, " return"); ok {
		l.symbol, l.phase = symbol, schema.Exit
	}
	l.role = v.roles[l.symbol]
	return l
}

// of reports whether an event is of the kind the label names. A role that is recorded
// at one moment only has one phase, whatever a page calls it; and an event says what
// its function was only where the header leaves that open.
func (l *label) of(e *schema.Event) bool {
	switch {
	case l.role != 0 && e.Role != l.role:
		return false
	case e.Symbol != "" && l.symbol != "" && e.Symbol != l.symbol:
		return false
	}
	return l.phase == 0 || !paired(e.Role) || e.Phase == l.phase
}

func paired(r schema.Role) bool {
	info, ok := r.Info()
	return ok && info.Enter != nil && info.Exit != nil
}

// fits reports whether the label names this field of the event.
func (l *label) fits(e *schema.Event, f field) bool {
	return l.of(e) && (l.field == anyField || l.field == f || l.field == itself && f == nameField)
}
