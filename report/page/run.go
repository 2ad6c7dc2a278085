// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is kept of a trace: the number of different meanings of one value, and the bytes for all
// uses.
const (
	maxUses    = 1024
	usesBudget = 16 << 20
	useBytes   = 512 // approximate size of a use without its name
)

// field names the part of an event that a value is in.
type field uint8

const (
	itself field = iota // the dentry
	nameField
	parentField
	inodeField
	bucketField
	hashField
	retField
	startField
)

// use is one meaning of a value: the first event that had the value in this field.
type use struct {
	field
	schema.Event
}

// meaning is the key that is equal for uses of the same meaning.
type meaning struct {
	value  uint64
	role   schema.Role
	phase  schema.Phase
	symbol string
	field  field
	name   string
}

// Run holds what a page needs from a trace.
type Run struct {
	page   *Page
	header *schema.Header
	uses   map[uint64][]use
	met    map[meaning]bool
	cited  map[uint64][]schema.Event // by id; for a call recorded as one event also its entry
	bytes  int                       // size of uses

	state    *replay.State
	dentries map[uint64]uint64 // addresses of the dentries that the page gives an address of, by number
}

// Look returns a Run for a trace with the header. Record must then be called for every record in order.
func Look(p *Page, h *schema.Header) *Run {
	return &Run{page: p, header: h, uses: make(map[uint64][]use), met: make(map[meaning]bool), cited: make(map[uint64][]schema.Event),
		state: replay.New(h), dentries: make(map[uint64]uint64)}
}

// Record keeps what the page mentions of a record.
func (x *Run) Record(rec schema.Record) {
	if s := x.state.Record(rec); s != nil && len(x.page.numbered) > 0 {
		x.number(s.Object)
		x.number(x.state.Objects.At(s.Event.Parent)) // of a directory there may be no other event
	}
	if e, ok := rec.(*schema.Event); ok {
		if e.Entry != nil {
			x.event(e.Entry)
		}
		x.event(e)
	}
}

// number keeps the address of a dentry of which the page gives one.
func (x *Run) number(d *replay.Object) {
	if d != nil && x.page.numbered[d.Seq] {
		x.dentries[d.Seq] = d.Addr
	}
}

// dentry says where a dentry is.
func (x *Run) dentry(n uint64) string {
	if at := x.dentries[n]; at != 0 {
		return fmt.Sprintf("D%d is at %#x", n, at)
	}
	return fmt.Sprintf("the run has no D%d", n)
}

func (x *Run) event(e *schema.Event) {
	if x.page.cited[e.ID] {
		x.cited[e.ID] = append(x.cited[e.ID], *e)
	}
	for f, v := range values(e) {
		if v == 0 || !x.page.wanted[v] {
			continue
		}
		m := meaning{v, e.Role, e.Phase, e.Symbol, f, e.Name}
		if !x.met[m] && len(x.uses[v]) < maxUses && x.bytes < usesBudget {
			x.met[m] = true
			x.bytes += useBytes + len(e.Name)
			x.uses[v] = append(x.uses[v], use{f, *e})
		}
	}
}

// values yields every number of an event that a page may mention.
func values(e *schema.Event) func(func(field, uint64) bool) {
	return func(yield func(field, uint64) bool) {
		_ = yield(itself, e.Dentry) && yield(nameField, e.NameAddr) && yield(parentField, e.Parent) && yield(inodeField, e.Inode) &&
			yield(bucketField, e.Bucket) && yield(retField, e.Target) && yield(retField, e.Ret) && yield(startField, e.Start) &&
			(e.Columns.Has(schema.ColumnOpen) || yield(hashField, uint64(e.Hash)))
	}
}

// has reports whether a number is in a field of the event that the label names, or in any field if l is
// nil.
func has(e *schema.Event, v uint64, l *label) bool {
	for f, got := range values(e) {
		if got == v && l.fits(e, f) {
			return true
		}
	}
	return false
}

// label is a name that a page uses for a value.
type label struct {
	text   string
	role   schema.Role  // 0: any
	phase  schema.Phase // 0: either
	symbol string
	field  field // itself: any field
}

// labelsOf returns, by text, the labels that a page can use for this trace: certain words, and the
// functions that have probes.
func labelsOf(h *schema.Header) map[string]*label {
	out := make(map[string]*label)
	add := func(l label) { out[l.text] = &l }
	for _, p := range h.GetProbe() {
		if p.Attached && p.Symbol != "" {
			add(label{p.Symbol, p.Role, 0, p.Symbol, itself})
			add(label{p.Symbol + " entry", p.Role, schema.Enter, p.Symbol, itself})
			add(label{p.Symbol + " return", p.Role, schema.Exit, p.Symbol, itself})
		}
	}
	add(label{"copy source", schema.RoleAlloc, schema.Enter, "", nameField})
	add(label{"copy destination", schema.RoleAlloc, schema.Exit, "", nameField})
	for word, f := range map[string]field{"parent": parentField, "under": parentField, "salt": parentField, "bucket": bucketField, "inode": inodeField} {
		add(label{word, 0, 0, "", f})
	}
	return out
}

// fits reports whether the label names this field of the event. The phase counts only for roles that have
// both an entry and an exit.
func (l *label) fits(e *schema.Event, f field) bool {
	switch {
	case l == nil:
		return true
	case l.role != 0 && e.Role != l.role, e.Symbol != "" && l.symbol != "" && e.Symbol != l.symbol:
		return false
	case l.phase != 0 && e.Role.Paired() && e.Phase != l.phase:
		return false
	}
	return l.field == itself || f == l.field
}

// layout checks offsets as in "struct dentry, 192 bytes { d_parent @24, …" against those of the kernel that
// ran, taken from its report. Structures and members that the report does not have are not checked.
func (j *judge) layout() {
	from := 0
	for line := range strings.SplitAfterSeq(j.text, "\n") {
		for _, m := range membersOf(line) {
			if want, ok := j.offsets[m.name]; ok && j.code {
				j.computed(span{from + m.from, from + m.to}, "layout", m.offset == want, "it is at "+want)
			}
		}
		from += len(line)
	}
}

// member is a member of a structure with its offset.
type member struct {
	span
	name, offset string
}

// membersOf returns the members for which a line about a structure gives offsets.
func membersOf(line string) (list []member) {
	rest, ok := strings.CutPrefix(line, "struct ")
	if !ok || !strings.Contains(rest, " @") {
		return nil
	}
	of := regexp.MustCompile(`^\w*`).FindString(rest)
	for _, m := range regexp.MustCompile(`(\w+)(?:\[\d+\])? @(\d+)`).FindAllStringSubmatchIndex(line, -1) {
		list = append(list, member{span{m[0], m[1]}, of + "." + line[m[2]:m[3]], line[m[4]:m[5]]})
	}
	return list
}

// shift checks "d_hash_shift = 15" against the kernel that ran.
func (j *judge) shift(i int) {
	is, n, ran := j.token(i+1), j.token(i+2), j.x.header.GetLayout().GetDHashShift()
	if is.sign == "==" && n.kind == number && ran > 0 {
		j.computed(span{j.tokens[i].from, n.to}, "layout", n.value == uint64(ran), fmt.Sprintf("it was %d", ran))
	}
}

// printed reports whether a token is in a code block, on a line that the report of this run has too.
func (j *judge) printed(t *token) bool {
	line, _ := j.x.page.place(j.at[t.from])
	return j.code && j.report[j.x.page.lines[line-1]] != nil
}
