// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// finding is what two variants of one call differ in.
type finding struct {
	excuse string // not empty: nothing that counts
	edits  []edit // in order; both sides' steps where they agree
	claims []Line
}

// edit is a step of one side, or one that both have.
type edit struct {
	op   byte // '-', '+', ' '
	a, b *step
}

func (f *finding) none() bool { return f.excuse == "" && f.changed() == 0 && len(f.claims) == 0 }

// changed counts the steps that one side alone has.
func (f *finding) changed() int {
	n := 0
	for i := range f.edits {
		if f.edits[i].op != ' ' {
			n++
		}
	}
	return n
}

// distance is what a pair of variants leaves to tell.
func (c *comparison) distance(a, b *unit) int {
	f := c.compare(a, b)
	if f.excuse != "" {
		return 0
	}
	return f.changed() + len(f.claims)
}

// compare looks inside two variants of one call.
//
//  1. Components that one side had in its cache before the recording are taken out.
//  2. Steps that say the same but for their dentries are aligned; the dentries of
//     the two sides are then held one against one, in order.
//  3. What is left is excused where only the number of attempts differs, on one
//     kernel; else it is the difference, with the claims it changed.
func (c *comparison) compare(a, b *unit) finding {
	sa, sb, older := c.younger(a, b)
	f := finding{edits: c.edits(sa, sb)}
	f.claims = claimLines(a, b, older, f.changed() > 0)
	switch n := f.changed(); {
	case n == 0 && len(f.claims) == 0 && older:
		f.excuse = whyOlder
	case n > 0 && c.sameKernel && asksAgain(sa, sb):
		f.excuse = whyAgain
	}
	if f.excuse == "" && a.more != b.more {
		f.claims = append(f.claims, countLine('-', a.more), countLine('+', b.more))
	}
	return f
}

func countLine(op byte, n uint64) Line {
	return Line{Op: op, Text: fmt.Sprintf("%d further events, not looked at one by one", n)}
}

// edits aligns two lists of steps.
func (c *comparison) edits(sa, sb []*step) []edit {
	pairs := c.inner.align(len(sa), len(sb), sequence{
		same: func(i, j int) bool { return sa[i].like(sb[j]) },
		keyA: func(i int) uint64 { return sa[i].hash.folded ^ uint64(sa[i].role) },
		keyB: func(j int) uint64 { return sb[j].hash.folded ^ uint64(sb[j].role) },
	})
	var out []edit
	var m mapping
	a, b := 0, 0
	for _, p := range append(pairs, pair{a: len(sa), b: len(sb)}) {
		for ; a < p.a; a++ {
			out = append(out, edit{op: '-', a: sa[a]})
		}
		for ; b < p.b; b++ {
			out = append(out, edit{op: '+', b: sb[b]})
		}
		if a == len(sa) || b == len(sb) {
			continue
		}
		if x, y := sa[a], sb[b]; m.agree(x.in, y.in) && m.agree(x.out, y.out) {
			out = append(out, edit{' ', x, y})
		} else {
			out = append(out, edit{op: '-', a: x}, edit{op: '+', b: y})
		}
		a, b = a+1, b+1
	}
	return out
}

// mapping holds the places of one side against those of the other, one to one.
type mapping struct{ ab, ba map[int16]int16 }

// agree reports whether two places may be the same dentry, and takes them for it.
func (m *mapping) agree(a, b int16) bool {
	if a == 0 || b == 0 {
		return a == b
	}
	if m.ab == nil {
		m.ab, m.ba = make(map[int16]int16), make(map[int16]int16)
	}
	y, ok := m.ab[a]
	if x, met := m.ba[b]; ok || met {
		return ok && met && y == b && x == a
	}
	m.ab[a], m.ba[b] = b, a
	return true
}

// lines spells a finding out: what one side alone has, with the step before it.
// Dentries of B are called by the number A has for them.
func (f *finding) lines() []Line {
	var m mapping
	names := func(p int16) string { return placeName(int(p)) }
	nextName := 0
	for _, e := range f.edits {
		if e.op == ' ' {
			m.agree(e.a.in, e.b.in)
			m.agree(e.a.out, e.b.out)
		}
		if e.a != nil {
			nextName = max(nextName, int(e.a.in), int(e.a.out))
		}
	}
	f.guess(&m)
	own := make(map[int16]int)
	namesB := func(p int16) string {
		if x, ok := m.ba[p]; ok {
			return placeName(int(x))
		}
		if own[p] == 0 {
			nextName++
			own[p] = nextName
		}
		return placeName(own[p])
	}
	var out []Line
	for i, e := range f.edits {
		switch {
		case e.op == '-':
			out = append(out, Line{Op: '-', Text: e.a.text(names), A: e.a.span()})
		case e.op == '+':
			out = append(out, Line{Op: '+', Text: e.b.text(namesB), B: e.b.span()})
		case i+1 < len(f.edits) && f.edits[i+1].op != ' ':
			out = append(out, Line{Op: ' ', Text: e.a.text(names), A: e.a.span(), B: e.b.span()})
		}
	}
	return append(out, f.claims...)
}

// guess takes the dentries of steps that differ for the same where the steps are
// about one name, so that a line is not told apart by a number alone.
func (f *finding) guess(m *mapping) {
	for i := range f.edits {
		for j := i + 1; j < len(f.edits) && f.edits[i].op == '-' && f.edits[j].op != ' '; j++ {
			if x, y := f.edits[i].a, f.edits[j].b; y != nil && isLookup(x.role) == isLookup(y.role) && x.hash.folded == y.hash.folded {
				m.agree(x.in, y.in)
				m.agree(x.out, y.out)
			}
		}
	}
}

func placeName(n int) string {
	if n < 0 {
		return "D?"
	}
	return "D" + strconv.Itoa(n)
}

func (a *step) span() Span { return Span{a.enter, a.exit} }

// shape identifies a finding whatever the names and places: the same finding in
// other calls is told together. last are the names the two units came to.
func (f *finding) shape(k kind, lastA, lastB uint64) uint64 {
	h := uint64(k) + 1
	for i := range f.edits {
		e := &f.edits[i]
		st, last := e.a, lastA
		switch e.op {
		case ' ':
			continue
		case '+':
			st, last = e.b, lastB
		}
		h = mix(h, uint64(e.op)<<56|uint64(st.role)<<40|uint64(st.form)<<36|uint64(st.state)<<32|uint64(st.marks)<<24|
			uint64(st.base)<<16|uint64(st.depth)<<8|flag(st.hash.folded == last))
		h = mix(h, uint64(st.errno))
		switch st.role {
		case schema.RoleOpen:
			h = mix(h, st.value)
		case schema.RoleKill:
			h = mix(h, st.hash.folded)
		}
	}
	for _, l := range f.claims {
		for _, c := range []byte(l.Text) {
			h = mix(h, uint64(c))
		}
	}
	return h
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// claimLines compares the rulings of two variants as sets. Where the steps differ
// only what both have a claim on, or one refutes, is told: the others follow from
// the steps. Where one side's cache was older than its recording only what is
// refuted counts.
func claimLines(a, b *unit, older, steps bool) []Line {
	if slices.Equal(a.claims, b.claims) {
		return nil
	}
	var open, hasA, hasB uint32 // sets of kinds
	for i := range a.claims {
		hasA |= 1 << a.claims[i].Kind
		open |= flag32(a.claims[i].Unseen()) << a.claims[i].Kind
	}
	for i := range b.claims {
		hasB |= 1 << b.claims[i].Kind
		open |= flag32(b.claims[i].Unseen()) << b.claims[i].Kind
	}
	told := func(r *report.Ruling) bool {
		if r.Verdict == report.Refuted {
			return true
		}
		return open>>r.Kind&1 == 0 && !older && (!steps || hasA&hasB>>r.Kind&1 != 0)
	}
	return append(missing('-', a, b, told, steps), missing('+', b, a, told, steps)...)
}

// missing lists the rulings of a that b has fewer of. Where the steps differ, how
// many claims of one verdict there are follows from them.
func missing(op byte, a, b *unit, told func(*report.Ruling) bool, steps bool) []Line {
	left := make(map[report.Ruling]int)
	for i := range b.claims {
		left[b.claims[i]]++
	}
	var out []Line
	for i := range a.claims {
		r := a.claims[i]
		n, some := left[r]
		left[r]--
		if !told(&r) || n > 0 || some && steps {
			continue
		}
		l := Line{Op: op, Text: rulingText(&r)}
		if op == '-' {
			l.A = a.span()
		} else {
			l.B = a.span()
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(x, y Line) int { return cmp.Compare(x.Text, y.Text) })
	return slices.CompactFunc(out, func(x, y Line) bool { return x.Text == y.Text })
}

func flag32(b bool) uint32 { return uint32(flag(b)) }

func rulingText(r *report.Ruling) string {
	text := "claim " + r.Kind.String() + ": " + r.Verdict.String()
	if reason := r.Reason(); reason != "" {
		text += ", " + replay.Printable(reason)
	}
	return text
}
