// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// maxAhead bounds, in tokens, how far after an address the page is read for statements about it. A longer
// list of places is not understood.
const maxAhead = 512

// read checks the statements of a passage.
func (j *judge) read(p *passage) {
	j.passage = p
	for i := range j.tokens {
		switch t := &j.tokens[i]; {
		case t.isAddress():
			j.address(i)
		case t.kind == word && isBroken(t.text):
			j.add(t.span, "address", Wrong, nil, "this is no address")
		case t.kind == word && strings.EqualFold(t.text, "hash"):
			j.hash(i)
		case t.kind == word && (t.text == "length" || t.text == "len"):
			j.nameLength(i)
		case t.kind == word && t.text == "d_hash_shift":
			j.shift(i)
		case len(t.ids()) > 0 && !j.inSpan(t):
			j.event(t)
		}
	}
	for _, s := range statements(j.tokens) {
		j.statement(&s)
	}
	for _, s := range j.spans {
		j.directory(s)
	}
	j.layout()
}

// directory checks "`/tmp/` = 5": a directory in a code span, and the length of its path.
func (j *judge) directory(s span) {
	i, _ := slices.BinarySearchFunc(j.tokens, s.to, func(t token, at int) int { return t.from - at })
	path, is, n := j.text[s.from:s.to], j.token(i), j.token(i+1)
	if strings.HasPrefix(path, "/") && strings.HasSuffix(path, "/") && is.sign == "==" && n.kind == number {
		j.computed(span{s.from, n.to}, "length", uint64(len(plain(path))) == n.value, fmt.Sprintf("%q has %d bytes", path, len(plain(path))))
	}
}

// isBroken reports whether a word looks like an address but is none: the 0 of its 0x is another digit, or
// it has too many digits.
func isBroken(w string) bool {
	digits, ok := strings.CutPrefix(w, w[:1]+"x")
	return ok && w[0] >= '0' && w[0] <= '9' && len(digits) > 5 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// token returns a token, or a stop if there is none at i.
func (j *judge) token(i int) *token {
	if i < 0 || i >= len(j.tokens) {
		return &token{kind: stop}
	}
	return &j.tokens[i]
}

// after returns the token after a word, skipping "=" and ":".
func (j *judge) after(i int) *token {
	t := j.token(i + 1)
	for ; t.kind == relation || t.text == ":"; t = j.token(i + 1) {
		i++
	}
	return t
}

// event checks the event ids in a token.
func (j *judge) event(t *token) {
	for _, id := range t.ids() {
		if _, ok := j.x.cited[id]; !ok {
			j.add(t.span, "event", Absent, nil, fmt.Sprintf("the run has no event #%d", id))
			return
		}
	}
	j.add(t.span, "event", Found, t.ids(), "")
}

// address checks an address against the events, with what the page calls it and in the event that the page
// names.
func (j *judge) address(i int) {
	t, uses := &j.tokens[i], j.x.uses[j.tokens[i].value]
	if t.value == j.x.header.GetLayout().GetDentryHashtable() {
		j.add(t.span, "address", Found, nil, "")
		return
	}
	if n := j.token(i - 1).dentry(); n != 0 && len(uses) > 0 && j.x.dentries[n] != t.value {
		j.add(t.span, "address", Elsewhere, nil, j.x.dentry(n))
		return
	}
	l, ids := j.label(i), j.idsOf(i, false)
	for _, id := range ids {
		if slices.ContainsFunc(j.x.cited[id], func(e schema.Event) bool { return has(&e, t.value, l) }) {
			j.add(t.span, "address", Found, []uint64{id}, "")
			j.appears(i, uses)
			return
		}
	}
	for u := range uses {
		if len(ids) == 0 && l.fits(&uses[u].Event, uses[u].field) && j.named(i, &uses[u]) {
			j.add(t.span, "address", Found, []uint64{uses[u].ID}, "")
			j.appears(i, uses)
			return
		}
	}
	switch {
	case len(uses) == 0 && j.printed(t):
		j.add(t.span, "address", Found, nil, "") // an intermediate value of a hash
	case len(uses) == 0:
		j.add(t.span, "address", Absent, nil, "")
	case len(ids) > 0:
		j.add(t.span, "address", Elsewhere, nil, fmt.Sprintf("not in #%d; it is %s", ids[len(ids)-1], j.says(&uses[0])))
	default:
		j.add(t.span, "address", Elsewhere, nil, "it is "+j.says(&uses[0]))
	}
}

// nameLength checks "length N" against the events that the clause names.
func (j *judge) nameLength(i int) {
	n := j.after(i)
	if n.kind != number || j.code {
		return
	}
	for _, id := range j.idsOf(i, true) {
		for _, e := range j.x.cited[id] {
			if e.NameLen != 0 && uint64(e.NameLen) != n.value {
				j.add(n.span, "length", Elsewhere, nil, fmt.Sprintf("the name of #%d has %d bytes", id, e.NameLen))
				return
			}
		}
	}
}

// says describes a use in the words of a report.
func (j *judge) says(u *use) string {
	symbol := u.Symbol
	for _, p := range j.x.header.GetProbe() {
		if symbol == "" && p.Attached && p.Role == u.Role {
			symbol = p.Symbol
		}
	}
	where := map[field]string{parentField: "the parent at ", inodeField: "the inode at ", bucketField: "the bucket at ", hashField: "the hash at ", startField: "the directory that the walk starts in at "}[u.field]
	when := map[schema.Phase]string{schema.Enter: " entry", schema.Exit: " return"}[u.Phase]
	return fmt.Sprintf("%s%s%s of %q (#%d)", where, replay.Printable(symbol), when, u.Name, u.ID)
}

// label returns what the page calls the address at token i, in the parentheses after it or else before it
// in the same clause; nil if it says nothing.
func (j *judge) label(i int) *label {
	if next := j.token(i + 1); next.kind == open && next.text == "(" {
		if l, next := j.labelAt(i + 2); l != nil && !j.token(next).isAddress() {
			return l
		}
	}
	for k := i - 1; k >= max(0, i-8); k-- {
		switch t := j.token(k); {
		case t.kind == stop && t.text != ":" && t.text != ",", t.kind == operator && t.text != "→", t.kind == shut && t.text == ")", t.isAddress():
			return nil
		}
		if l, next := j.labelAt(k); l != nil && next <= i && (l.symbol != "" || j.adjoins(next, i)) {
			return l
		}
	}
	return nil
}

// adjoins reports whether only "=", ":" or words that name nothing else stand from token k up to token i.
func (j *judge) adjoins(k, i int) bool {
	for ; k < i; k++ {
		if t := j.token(k); t.kind != relation && !slices.Contains([]string{":", "pointer", "address", "at", "dentry"}, t.text) {
			return false
		}
	}
	return true
}

// labelAt reads the label of one or two words that begins at token k, and returns the index of the token
// after it.
func (j *judge) labelAt(k int) (*label, int) {
	first, second := j.token(k).text, j.token(k+1).text
	if l := j.labels[first+" "+second]; l != nil {
		return l, k + 2
	}
	return j.labels[first], k + 1
}

// idsOf returns the events that the page names for the address at token i: the next ids in its clause,
// before another address, and in a code block also the last ids of the line, which follow the names that
// the line is about. Ids in a code span may be part of a name and count only if there are no others. With
// past, the search continues past other addresses, and ids in code spans do not count.
func (j *judge) idsOf(i int, past bool) []uint64 {
	var near, last []uint64
	open := true // no other address so far
	for k := i + 1; k < min(len(j.tokens), i+maxAhead); k++ {
		t := j.token(k)
		if open = open && (past || !t.isAddress()); t.text == "\n" || !j.code && (!open || t.text == ";" || t.text == ".") {
			break
		}
		if found := t.ids(); len(found) > 0 && !(past && j.inSpan(t)) {
			if last = found; open && near == nil {
				near = found
			}
			if !j.code && !j.inSpan(t) {
				break
			}
		}
	}
	if last == nil && j.code {
		return j.lineID(i)
	}
	return append(near, last...)
}

// inSpan reports whether a token is in a code span.
func (j *judge) inSpan(t *token) bool {
	i := j.spanFrom(t.from + 1)
	return i > 0 && t.to <= j.spans[i-1].to
}

// spanFrom returns the index of the first code span that begins at or after a byte offset.
func (j *judge) spanFrom(at int) int {
	i, _ := slices.BinarySearchFunc(j.spans, at, func(s span, at int) int { return s.from - at })
	return i
}

// named reports whether an event has the path or quoted name that the page gives directly after an address.
// It is true if the page gives none.
func (j *judge) named(i int, u *use) bool {
	rest := strings.TrimLeft(j.text[j.tokens[i].to:], " ")
	behind := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(rest, "| "), "with "), "\"“`")
	if len(behind) == len(rest) || !strings.HasPrefix(behind, "/") || u.Role != schema.RoleOpen || u.Phase != schema.Enter {
		return true
	}
	end := strings.IndexAny(behind, "\"”`\n")
	if end < 0 {
		end = len(behind)
	}
	name, printed := behind[:end], replay.Printable(u.Name)
	return strings.HasPrefix(name, u.Name) || strings.HasPrefix(name, printed) && printed != ""
}

// appears checks "appears at X, Y and Z" after an address. An equality needs at least two places.
func (j *judge) appears(i int, uses []use) {
	if !strings.HasPrefix(strings.TrimLeft(j.text[j.tokens[i].to:], "`* "), "appears at ") {
		return
	}
	places, last := 0, i
	for k := i + 1; k < len(j.tokens) && j.tokens[k].text != "." && j.tokens[k].text != "\n" && !j.tokens[k].isAddress(); k++ {
		if k == i+maxAhead {
			j.add(span{j.tokens[i].from, j.tokens[last].to}, "equality", Unread, nil, "it goes on for too long")
			return
		}
		l, next := j.labelAt(k)
		if l == nil {
			continue
		}
		places, last = places+1, next-1
		if !slices.ContainsFunc(uses, func(u use) bool { return l.fits(&u.Event, u.field) }) {
			j.add(span{j.tokens[k].from, j.tokens[next-1].to}, "equality", Elsewhere, nil, "the address was not recorded at "+l.text)
		}
		k = next - 1
	}
	j.computed(span{j.tokens[i].from, j.tokens[last].to}, "equality", places > 1, "at one place only")
}

// statement checks arithmetic. It computes it again, checks a length against its text, and a shifted hash
// against the hashes and d_hash_shift of this run.
func (j *judge) statement(s *statement) {
	first, last := s.values[0], s.values[len(s.values)-1]
	at := span{j.tokens[first.from].from, j.tokens[last.to-1].to}
	if s.fault != "" {
		j.add(at, "arithmetic", Unread, nil, s.fault)
		return
	}
	kind := "equality"
	if s.computes() {
		kind = "arithmetic"
	}
	j.computed(at, kind, s.wrong() == "", s.wrong())
	if len(first.operators) == 1 && first.operators[0] == ">>" {
		hash, shift := first.numbers[0], first.numbers[1]
		if hash.value >= heavy && (len(j.x.uses[hash.value]) == 0 || shift.value != uint64(j.x.header.GetLayout().GetDHashShift())) {
			j.add(at, "hash", Wrong, nil, "no hash of this run, or not shifted as this kernel does")
		}
	}
	if len(first.operators) == 1 && first.operators[0] == "-" {
		j.length(at, first.numbers[1].value, last.result)
	}
}

// maxLength bounds, in bytes, the rest of a sentence that says what a difference is: it is longer than any
// path with each byte escaped.
const maxLength = 20 << 10

// length checks the text whose length a difference is said to be in the rest of its sentence. The text must
// have that length, and begin a path that was recorded at the address that is the right operand.
func (j *judge) length(s span, right, result uint64) {
	rest := j.text[s.to:min(len(j.text), s.to+maxLength)]
	for _, end := range []string{". ", "; ", "\n"} {
		rest, _, _ = strings.Cut(rest, end)
	}
	if !strings.Contains(rest, "length") {
		return
	}
	prefix, found := "", false
	if c := j.spanFrom(s.to); c < len(j.spans) && j.spans[c].to <= s.to+len(rest) {
		prefix, found = j.text[j.spans[c].from:j.spans[c].to], true
	}
	if _, quoted, ok := strings.Cut(rest, `"`); ok && !found {
		prefix, _, found = strings.Cut(quoted, `"`)
	}
	if !found {
		return
	}
	if uint64(len(plain(prefix))) != result {
		j.add(s, "length", Wrong, nil, fmt.Sprintf("%q has %d bytes", prefix, len(prefix)))
		return
	}
	path := ""
	for _, u := range j.x.uses[right] {
		if u.Role == schema.RoleOpen && u.Phase == schema.Enter && u.field == nameField {
			if path = u.Name; strings.HasPrefix(path, plain(prefix)) {
				j.add(s, "length", Found, []uint64{u.ID}, "")
				return
			}
		}
	}
	if path != "" {
		j.add(s, "length", Wrong, nil, fmt.Sprintf("the path at %#x is %q", right, path))
	}
}

// plain reverses the escaping of names in reports.
func plain(name string) string {
	if s, err := strconv.Unquote(`"` + strings.ReplaceAll(name, `"`, `\"`) + `"`); err == nil {
		return s
	}
	return name
}
