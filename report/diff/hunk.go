// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// hunk is what two calls of one label differ in.
type hunk struct {
	why    string // not empty: nothing that counts
	edits  []edit // in order; both sides' lines where they agree
	claims []Line
	places mapping
}

// edit is a line of one side, or one that both have.
type edit struct {
	op   byte // '-', '+', ' '
	a, b *line
}

// changed counts the lines that one side alone has.
func (h *hunk) changed() int {
	n := 0
	for i := range h.edits {
		if h.edits[i].op != ' ' {
			n++
		}
	}
	return n
}

// compare looks inside two calls of one label.
//
//  1. What a projection hides is taken out.
//  2. Lines that say the same but for their dentries are aligned; the dentries of
//     the two sides are then held one against one, in order.
//  3. What is left is the difference, with the claims it changed.
func (c *comparison) compare(a, b *call) hunk {
	la, lb, under := c.projected(a, b)
	h := hunk{places: mapping{make(map[int16]int16), make(map[int16]int16)}}
	h.align(&c.inner, la, lb)
	lines := h.changed() > 0 || under != nil && under.followed
	h.claims = claimLines(a, b, under != nil && under.refuted, lines)
	if h.changed() == 0 && len(h.claims) == 0 {
		h.why = byChance(a, b, under)
	}
	if h.why == "" && a.more != b.more {
		h.claims = append(h.claims, countLine("-", a.more), countLine("+", b.more))
	}
	return h
}

func countLine(op string, n uint64) Line {
	return Line{Op: op, Text: fmt.Sprintf("%d further events, not looked at one by one", n)}
}

// align fills in the edits between two lists of lines.
func (h *hunk) align(al *aligner, la, lb []*line) {
	pairs := al.align(len(la), len(lb), sequence{
		worth: func(i, j int) int {
			if la[i].like(lb[j]) {
				return sameWorth
			}
			return 0
		},
		keyA: func(i int) uint64 { return la[i].name.coarse ^ uint64(la[i].role) },
		keyB: func(j int) uint64 { return lb[j].name.coarse ^ uint64(lb[j].role) },
	})
	a, b := 0, 0
	for _, p := range append(pairs, pair{a: len(la), b: len(lb)}) {
		for ; a < p.a; a++ {
			h.edits = append(h.edits, edit{op: '-', a: la[a]})
		}
		for ; b < p.b; b++ {
			h.edits = append(h.edits, edit{op: '+', b: lb[b]})
		}
		for ; a < p.a+p.n; a, b = a+1, b+1 {
			if x, y := la[a], lb[b]; h.places.agree(x.in, y.in) && h.places.agree(x.out, y.out) {
				h.edits = append(h.edits, edit{' ', x, y})
			} else {
				h.edits = append(h.edits, edit{op: '-', a: x}, edit{op: '+', b: y})
			}
		}
	}
}

// mapping holds the places of one side against those of the other, one to one.
type mapping struct{ ab, ba map[int16]int16 }

// agree reports whether two places may be the same dentry, and takes them for it.
func (m *mapping) agree(a, b int16) bool {
	if a == 0 || b == 0 {
		return a == b
	}
	y, ok := m.ab[a]
	if x, known := m.ba[b]; ok || known {
		return ok && known && y == b && x == a
	}
	m.ab[a], m.ba[b] = b, a
	return true
}

// lines spells a hunk out: what one side alone has, with the line before it. Dentries
// of B are called by the number A has for them.
func (h *hunk) lines() []Line {
	h.guess()
	next := int16(0) // number of the last dentry of A
	for _, e := range h.edits {
		if e.a != nil {
			next = max(next, e.a.in, e.a.out)
		}
	}
	text := func(l *line, places map[int16]int16) string { // nil: those of A
		renumbered := *l
		for _, p := range []*int16{&renumbered.in, &renumbered.out} {
			if places == nil || *p == 0 {
				continue
			} else if _, ok := places[*p]; !ok {
				next++
				h.places.agree(next, *p)
			}
			*p = places[*p]
		}
		return renumbered.text()
	}
	var out []Line
	for i, e := range h.edits {
		switch {
		case e.op == '-':
			out = append(out, Line{Op: "-", Text: text(e.a, nil), Spans: e.a.span().on(0)})
		case e.op == '+':
			out = append(out, Line{Op: "+", Text: text(e.b, h.places.ba), Spans: e.b.span().on(1)})
		case i+1 < len(h.edits) && h.edits[i+1].op != ' ':
			out = append(out, Line{Op: " ", Text: text(e.a, nil), Spans: Spans{e.a.span(), e.b.span()}})
		}
	}
	return append(out, h.claims...)
}

// guess takes the dentries of lines that differ for the same where the lines are about
// one name, so that no line differs in a number alone.
func (h *hunk) guess() {
	for i := range h.edits {
		for j := i + 1; j < len(h.edits) && h.edits[i].op == '-' && h.edits[j].op != ' '; j++ {
			if x, y := h.edits[i].a, h.edits[j].b; y != nil && asks.Has(x.role) == asks.Has(y.role) && x.name.coarse == y.name.coarse {
				h.places.agree(x.in, y.in)
				h.places.agree(x.out, y.out)
			}
		}
	}
}

// shape identifies a hunk whatever its names and places: the same in other calls is
// told together. last is the name the call came to.
func (h *hunk) shape(k schema.Role, last uint64) uint64 {
	s := uint64(k) + 1
	for i := range h.edits {
		e := &h.edits[i]
		l := cmp.Or(e.a, e.b)
		if e.op == ' ' {
			continue
		}
		s = mix(mix(s, uint64(e.op)<<1), l.shape())
		if l.name.coarse == last {
			s++
		}
		s = mix(mix(s, uint64(l.errno)), l.value)
		if ends.Has(l.role) {
			s = mix(s, l.name.coarse)
		}
	}
	for _, l := range h.claims {
		for _, c := range []byte(l.Text) {
			s = mix(s, uint64(c))
		}
	}
	return s
}

// claimLines compares the claims of two calls as sets. Where the lines differ only what
// both have a claim on, or one refutes, is told: the others follow from the lines.
// refuted says that of all only what is refuted counts.
func claimLines(a, b *call, refuted, lines bool) []Line {
	if slices.Equal(a.claims, b.claims) {
		return nil
	}
	open, has := [2]uint32{}, [2]uint32{} // sets of kinds
	for side, c := range []*call{a, b} {
		for i := range c.claims {
			has[side] |= 1 << c.claims[i].Kind
			if c.claims[i].Unseen() {
				open[side] |= 1 << c.claims[i].Kind
			}
		}
	}
	told := func(r *report.Ruling) bool {
		return r.Verdict == report.Refuted ||
			(open[0]|open[1])>>r.Kind&1 == 0 && !refuted && (!lines || has[0]&has[1]>>r.Kind&1 != 0)
	}
	return append(missing("-", a, b, told, lines), missing("+", b, a, told, lines)...)
}

// missing lists the claims of a that b has fewer of. Where the lines differ, how many
// claims of one verdict there are follows from them.
func missing(op string, a, b *call, told func(*report.Ruling) bool, lines bool) []Line {
	left := make(map[report.Ruling]int)
	for _, r := range b.claims {
		left[r]++
	}
	var out []Line
	for _, r := range a.claims {
		n, some := left[r]
		left[r]--
		if !told(&r) || n > 0 || some && lines {
			continue
		}
		text := "claim " + r.Kind.String() + ": " + r.Verdict.String()
		if reason := r.Reason(); reason != "" {
			text += ", " + replay.Printable(reason)
		}
		out = append(out, Line{Op: op, Text: text, Spans: a.span().on(strings.Index("-+", op))})
	}
	slices.SortStableFunc(out, func(x, y Line) int { return cmp.Compare(x.Text, y.Text) })
	return slices.CompactFunc(out, func(x, y Line) bool { return x.Text == y.Text })
}
