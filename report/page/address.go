// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// stated is a value as a page gives it.
type stated struct {
	value  uint64
	label  label    // zero: the page does not say what it is
	name   string   // the text after the value's " | ", from the name on; empty: none
	ids    []uint64 // nil: no event is cited
	dentry uint64   // of D1, D2 …; 0 none
	within bool     // it is inside the open at hand
}

var (
	// between is what may stand between a label and its address.
	between = regexp.MustCompile(`^(?: pointer| prints| reads| returns)?(?: \([^()]*\))?\**[:,]?\**(?: =)?(?: D\d+)? $`)
	// numbered is a dentry's number before its address.
	numbered = regexp.MustCompile(`\bD(\d+) $`)
	// operandLabel is what stands between an address and its label in parentheses.
	operandLabel = regexp.MustCompile(`^ \((?:later |earlier )?$`)
	// resultOf stands before what a call gave; where a clause has two ids, the last is its return.
	resultOf  = regexp.MustCompile(`(?:→|->) (?:D\d+ )?$`)
	oneInode  = regexp.MustCompile(`\bhave one inode: [^;]*$`)
	lookedUp  = regexp.MustCompile("(`[^`]+`) under $")
	nameWords = regexp.MustCompile(`^(?: \| | with )`)
	// ofName begins a bullet about one name, chainOf a line of one name's addresses.
	ofName  = regexp.MustCompile(`^\s*[-*] (\S.*) (?:hit|delete|evict): `)
	chainOf = regexp.MustCompile(`^(\S.*?): 0x[0-9a-fA-F]+(?: #\d+)? (?:→|->) `)
)

// resultBefore is how far before an address its arrow may begin, bytes.
const resultBefore = 32

// addresses judges the addresses on a line but for those already judged.
func (j *judge) addresses(l *line, labels []label, cites []cite, done map[int]bool) {
	for _, m := range brokenToken.FindAllStringIndex(l.text, -1) {
		j.report(l, span{m[0], m[1]}, "address", Wrong, nil, "this is no address")
	}
	last := 0 // end of the address before
	for _, m := range addressToken.FindAllStringIndex(l.text, -1) {
		s := span{m[0], m[1]}
		st := stated{value: hexadecimal(l.text[s.from:s.to]), ids: ofSpan(clauseOf(l.text, cites, s), s)}
		st.label = labelOf(l.text, labels, s, last)
		if n := numbered.FindStringSubmatch(l.text[last:s.from]); n != nil {
			st.dentry = decimal(n[1])
		}
		switch {
		case st.label.symbol != "" && oneInode.MatchString(l.text[:s.from]):
			st.label.field = inodeField
		case st.label.text == "" && st.dentry != 0 && !strings.HasPrefix(l.text[s.to:], " (#"):
			st.ids = allOf(clauseOf(l.text, cites, s)) // of several dentries that a clause tells of, each has its events
		}
		if st.label.text == "" && resultOf.MatchString(l.text[max(0, s.from-resultBefore):s.from]) {
			st.label.field = itself
			st.ids = st.ids[max(0, len(st.ids)-1):]
		}
		st.name = nameOf(l, s)
		if isRow(l) && st.label.text == "" {
			st.label, st.name = j.inRow(l, labels, s)
		}
		last = s.to
		if st.label.text == "under" {
			j.salt = st.value
			if m := lookedUp.FindStringSubmatch(l.name[:s.from]); m != nil && strings.HasPrefix(l.text[s.to:], " (#") {
				st.name, st.label.phase = m[1], schema.Enter // a component's key, and the lookup with it
			}
		}
		if done[s.from] || j.tableAddress(l, s, st.value) {
			continue
		}
		st.within = isWithin(l, st.label)
		v, events, note := j.judge(&st)
		j.report(l, s, "address", v, events, note)
		if l.block == prose && st.label.role == schema.RoleOpen && st.label.phase == schema.Enter {
			j.opens = j.x.windowsOf(st.value, st.name)
		}
	}
}

// nameOf returns the text that begins with the name the page gives with the address
// at s; empty where it gives none.
func nameOf(l *line, s span) string {
	if n := nameWords.FindString(l.text[s.to:]); n != "" {
		if content, ok := quotation(l.name[s.to+len(n):]); ok && n == " with " {
			return content
		}
		return l.name[s.to+len(n):]
	}
	if n := ofName.FindStringSubmatch(l.name); n != nil {
		return n[1]
	}
	if n := chainOf.FindStringSubmatch(l.name); n != nil && l.block == code {
		return n[1]
	}
	return ""
}

// labelOf finds what the page calls the address at s: the label in the parentheses
// after it, or the one before it.
func labelOf(text string, labels []label, s span, last int) label {
	for _, lb := range labels {
		if lb.symbol != "" && lb.from > s.to && operandLabel.MatchString(text[s.to:lb.from]) {
			return lb
		}
	}
	for _, lb := range slices.Backward(labels) {
		if lb.to <= s.from && lb.from >= last {
			if between.MatchString(text[lb.to:s.from]) {
				return lb
			}
			break
		}
	}
	return label{}
}

// judge looks a stated value up: in the events it cites, in the open of a tree, or in
// the whole run.
func (j *judge) judge(st *stated) (Verdict, []uint64, string) {
	if st.ids != nil {
		for _, id := range st.ids {
			if e, ok := j.x.cited[id]; ok && st.in(&e) {
				return Found, []uint64{id}, ""
			}
		}
		v, events, note := j.anywhere(st)
		if v == Found {
			v = Elsewhere
		}
		return v, events, strings.TrimPrefix("not in "+idWords(st.ids)+"; "+note, "; ")
	}
	if j.tree != nil {
		if e, ordered := j.tree.find(st.in); ordered {
			return Found, []uint64{e.ID}, ""
		} else if e != nil {
			return Wrong, []uint64{e.ID}, beforeTheLineAbove
		}
		v, events, note := j.anywhere(st)
		if v == Found {
			return Elsewhere, events, "outside the open that the tree is of: " + note
		}
		return v, events, note
	}
	if st.within && len(j.opens) > 0 {
		return j.inOpen(st)
	}
	return j.anywhere(st)
}

// inOpen looks a stated value up in the open that the bullets are about.
func (j *judge) inOpen(st *stated) (Verdict, []uint64, string) {
	for _, w := range j.opens {
		for i := range w.events {
			if e := &w.events[i]; st.in(e) {
				return Found, []uint64{e.ID}, ""
			}
		}
	}
	v, events, note := j.anywhere(st)
	if v == Found {
		return Elsewhere, events, "outside the open that the lines before it are of: " + note
	}
	return v, events, note
}

// anotherOpen are words with which a bullet tells of an open that is not at hand.
var anotherOpen = regexp.MustCompile(`(?i)\b(?:first|second|third|other|another|earlier|later|before|after|again|creat)\b`)

var bullet = regexp.MustCompile(`^\s*[-*+] `)

// isWithin reports whether a bullet gives what is inside the open at hand: what was
// allocated or inserted, or what the open returned.
func isWithin(l *line, lb label) bool {
	switch {
	case l.block != prose || !bullet.MatchString(l.text) || anotherOpen.MatchString(l.text):
		return false
	case lb.role == schema.RoleOpen:
		return lb.phase == schema.Exit
	}
	return lb.role == schema.RoleAlloc || lb.role == schema.RoleInsert
}

// anywhere looks a stated value up in the whole run.
func (j *judge) anywhere(st *stated) (Verdict, []uint64, string) {
	uses := j.x.uses[st.value]
	for _, u := range uses {
		if st.is(u) {
			return Found, []uint64{u.ID}, j.x.describe(u)
		}
	}
	if len(uses) == 0 {
		return Absent, nil, noteIf(st.label.text != "", "said to be "+st.label.text)
	}
	var was []string
	var events []uint64
	for _, u := range uses[:min(len(uses), 3)] {
		was, events = append(was, j.x.describe(u)), append(events, u.ID)
	}
	return Elsewhere, events, "it is " + strings.Join(was, ", ")
}

// in reports whether the event holds the value as stated.
func (st *stated) in(e *seen) bool {
	for _, u := range fieldsOf(e) {
		if u.value == st.value && st.is(use{e, u.field}) {
			return true
		}
	}
	return false
}

func (st *stated) is(u use) bool {
	if st.dentry != 0 && (u.dentry != st.dentry || u.field != itself) {
		return false
	}
	return st.label.fits(&u.Event, u.field) && (st.name == "" || nameFits(st.name, &u.Event))
}

type fieldValue struct {
	value uint64
	field field
}

func fieldsOf(e *seen) []fieldValue {
	return []fieldValue{{e.Dentry, itself}, {e.NameAddr, nameField}, {e.Parent, parentField}, {e.Inode, inodeField},
		{e.Bucket, bucketField}, {uint64(e.Hash), hashField}, {e.Target, otherField}, {e.Ret, otherField}}
}

// nameFits reports whether the text begins with the event's name, as a whole. An
// event without a name, such as the copy of one in a log, does not contradict it.
func nameFits(text string, e *schema.Event) bool {
	if e.Columns&(1<<schema.ColumnKey|1<<schema.ColumnDentry) == 0 {
		return true
	}
	name := replay.Printable(e.Name)
	if content, ok := codeSpan(text); ok {
		return sameName(content, name)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && (strings.TrimSpace(rest) == "" || nameEnd.MatchString(rest))
}

var nameEnd = regexp.MustCompile(`^(?:, |; | \(|\)| #| →| ->|\. |\.$)`)

// describe says what a value was in an event.
func (x *Run) describe(u use) string {
	what := x.labelOf(&u.Event)
	switch u.field {
	case parentField:
		what = "the parent at " + what
	case inodeField:
		what = "the inode at " + what
	case bucketField:
		what = "the bucket at " + what
	case hashField:
		what = "the hash at " + what
	case otherField:
		what = "another value at " + what
	}
	if u.Name != "" {
		what += " of " + quoted(u.Name)
	}
	return fmt.Sprintf("%s (#%d)", what, u.ID)
}

func quoted(name string) string { return `"` + replay.Printable(name) + `"` }

// labelOf is the function of an event and which side of it.
func (x *Run) labelOf(e *schema.Event) string {
	symbol := e.Symbol
	for _, p := range x.header.GetProbe() {
		if symbol == "" && p.Attached && p.Role == e.Role && p.Phase == e.Phase {
			symbol = p.Symbol
		}
	}
	if symbol == "" {
		symbol = e.Role.Label()
	}
	if e.Phase == schema.Exit {
		return symbol + " return"
	}
	return symbol + " entry"
}

func idWords(ids []uint64) string {
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprintf("#%d", id))
	}
	return strings.Join(out, ", ")
}

var sameAddress = regexp.MustCompile(`same (?:numeric )?(?:address|number|pointer) (0x[0-9a-fA-F]{9,16}) appears at ([^.;]*)`)

// appearsAt judges "same numeric address X appears at A, B and C": each is an event
// with the address, and one alone is no equality. It returns where the addresses stand.
func (j *judge) appearsAt(l *line, labels []label) map[int]bool {
	done := make(map[int]bool)
	for _, m := range sameAddress.FindAllStringSubmatchIndex(l.text, -1) {
		done[m[2]] = true
		places := 0
		for _, lb := range labels {
			if lb.from < m[4] || lb.to > m[5] {
				continue
			}
			places++
			v, events, note := j.anywhere(&stated{value: hexadecimal(l.text[m[2]:m[3]]), label: lb})
			if v != Found {
				note = strings.TrimSuffix(l.text[m[2]:m[3]]+": "+note, ": ")
			}
			j.report(l, lb.span, "address", v, events, note)
		}
		if places < 2 {
			j.report(l, span{m[2], m[3]}, "equality", Wrong, nil, "at one place only: nothing is equal to it")
		}
	}
	return done
}

// tableAddress judges the address of the hash table, which the header holds.
func (j *judge) tableAddress(l *line, s span, value uint64) bool {
	table := j.x.header.GetLayout().GetDentryHashtable()
	if strings.HasSuffix(l.text[:s.from], "dentry_hashtable = ") || value == table && table != 0 {
		v := Found
		if value != table {
			v = Absent
		}
		j.report(l, s, "layout", v, nil, "dentry_hashtable")
		return true
	}
	return false
}

// windowsOf returns the opens whose path has the address, those of the name if any.
func (x *Run) windowsOf(address uint64, name string) []*window {
	var named []*window
	for _, w := range x.windows[address] {
		if name != "" && nameFits(name, &w.enter.Event) {
			named = append(named, w)
		}
	}
	if len(named) > 0 {
		return named
	}
	return x.windows[address]
}
