// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// hunk is the difference between two calls.
type hunk struct {
	edits   []edit // all lines in order
	changed int    // number of lines that only one side has
	full    bool   // lines were left out that the other side may lack as its watch set was full
	claims  []Line
	inB     map[int16]int16 // places of A, and of B, taken to be the same dentry
	inA     map[int16]int16
}

// edit is a line of one side, or a line of A and the line of B that is the same.
type edit struct {
	side int // both, 0 for A, 1 for B
	*line
	other *line // the line of B
}

const both = -1

// compare compares the lines and claims of two calls.
//
//  1. Lines that a projection hides are removed.
//  2. Lines that are equal except for their dentries are aligned, and the dentries of the two
//     sides are then matched one to one, in order.
//  3. Lines are left out that the other side need not have recorded, as its watch set was full.
//  4. The rest is the difference, together with the claims it changed.
//
// why is the reason for which the calls still count as the same; it is empty if they differ, or if nothing varies.
func (c *comparison) compare(a, b *call) (h hunk, why string) {
	la, lb, under := c.projected(a, b)
	h.inB, h.inA = make(map[int16]int16), make(map[int16]int16)
	h.align(&c.aligner, la, lb)
	h.unwatched(a, b)
	lines := h.changed > 0 || under != nil && under.onBoth
	h.claims = c.claimLines(a, b, under != nil && under.refuted, lines)
	if h.changed == 0 && len(h.claims) == 0 {
		why = byChance(a, b, under)
	}
	if why == "" && a.more != b.more {
		further := "%d further events, not looked at one by one"
		h.claims = append(h.claims, changed(fmt.Sprintf(further, a.more), fmt.Sprintf(further, b.more))...)
	}
	return h, why
}

// align sets the edits between two lists of lines.
func (h *hunk) align(al *aligner, la, lb []*line) {
	worth := func(i, j int) int {
		if la[i].like(lb[j]) {
			return sameWorth
		}
		return 0
	}
	key := func(side, i int) uint64 {
		l := [2][]*line{la, lb}[side][i]
		return l.name.coarse ^ uint64(l.role)
	}
	alone := func(side int, lines ...*line) {
		for _, l := range lines {
			h.edits = append(h.edits, edit{side: side, line: l})
		}
		h.changed += len(lines)
	}
	a, b := 0, 0
	for _, p := range al.align(len(la), len(lb), worth, key) {
		alone(0, la[a:p.a]...)
		alone(1, lb[b:p.b]...)
		for a, b = p.a, p.b; a < p.a+p.n; a, b = a+1, b+1 {
			if x, y := la[a], lb[b]; h.agree(x.in, y.in) && h.agree(x.out, y.out) {
				h.edits = append(h.edits, edit{both, x, y})
			} else {
				alone(0, x)
				alone(1, y)
			}
		}
	}
}

// unwatched leaves out the lines that only one call has and that may be missing in the other one because a
// dentry was not watched: the ends of dentries, and where others than the recorded tasks made the calls, any.
func (h *hunk) unwatched(a, b *call) {
	lackedBy, others := [2]bool{b.unwatched, a.unwatched}, a.watched && b.watched
	h.edits = slices.DeleteFunc(h.edits, func(e edit) bool {
		out := e.side != both && lackedBy[e.side] && (others || ends.Has(e.role))
		if out {
			h.changed, h.full = h.changed-1, true
		}
		return out
	})
}

// agree reports whether two places can be the same dentry, and if so records that they are.
func (h *hunk) agree(a, b int16) bool {
	if a != 0 && b != 0 && h.inB[a] == 0 && h.inA[b] == 0 {
		h.inB[a], h.inA[b] = b, a
	}
	return h.inB[a] == b && h.inA[b] == a
}

// lines returns the text of a hunk: the lines of one side only, each group with the line before it. A
// dentry of B is shown with the number it has in A.
func (h *hunk) lines() (out []Line) {
	h.guess()
	next := int16(0) // number of the last dentry of A
	for _, e := range h.edits {
		if e.side != 1 {
			next = max(next, e.in, e.out)
		}
	}
	inA := func(place int16) int16 {
		if place != 0 && h.inA[place] == 0 {
			next++
			h.inA[place] = next
		}
		return h.inA[place]
	}
	for i, e := range h.edits {
		l := *e.line
		if e.side == 1 {
			l.in, l.out = inA(l.in), inA(l.out)
		}
		if e.side != both {
			out = append(out, l.span().line(e.side, l.text()))
		} else if i+1 < len(h.edits) && h.edits[i+1].side != both {
			out = append(out, Line{Op: " ", Text: l.text(), Spans: Spans{l.span(), e.other.span()}})
		}
	}
	return append(out, h.claims...)
}

// guess matches the dentries of lines that differ if the lines are about the same name, so that no two
// lines differ only in the number of a dentry.
func (h *hunk) guess() {
	for i, x := range h.edits {
		for _, y := range h.edits[i+1:] {
			if x.side != 0 || y.side == both {
				break
			}
			if y.side == 1 && asks.Has(x.role) == asks.Has(y.role) && x.name.coarse == y.name.coarse {
				h.agree(x.in, y.in)
				h.agree(x.out, y.out)
			}
		}
	}
}

// shape returns a hash of a hunk that does not depend on names and places, so that equal hunks in other
// calls are reported together. last is the name that the call reached, see lastName.
func (h *hunk) shape(k schema.Role, last uint64) uint64 {
	s := uint64(k) + 1
	for _, e := range h.edits {
		if e.side == both {
			continue
		}
		s = mix(mix(s, uint64(e.side)<<1), e.shape())
		if e.name.coarse == last {
			s++
		}
		s = mix(mix(s, uint64(e.errno)), e.value)
		if ends.Has(e.role) {
			s = mix(s, e.name.coarse)
		}
	}
	for _, l := range h.claims {
		for _, c := range []byte(l.Text) {
			s = mix(s, uint64(c))
		}
	}
	return s
}

// claimLines compares the claims of two calls as sets. If the lines differ too, only kinds of claim that
// both have, or that one refutes, are reported, because the others follow from the lines. refuted says that
// only refuted claims count at all.
func (c *comparison) claimLines(a, b *call, refuted, lines bool) (out []Line) {
	if slices.Equal(a.claims, b.claims) {
		return nil
	}
	var open kindSet
	var has [2]kindSet
	count := make(map[report.Ruling][2]int)
	for side, u := range []*call{a, b} {
		for _, r := range u.claims {
			if c.inOne.has(r.Kind) {
				continue
			}
			n := count[r]
			n[side]++
			count[r] = n
			has[side] |= 1 << r.Kind
			if r.Unseen() {
				open |= 1 << r.Kind
			}
		}
	}
	var reported [2][]string // claims that the other side has fewer of
	for r, n := range count {
		counts := r.Verdict == report.Refuted || !refuted && !open.has(r.Kind) && (!lines || (has[0]&has[1]).has(r.Kind))
		if n[0] == n[1] || min(n[0], n[1]) > 0 && lines || !counts {
			continue // if the lines differ, the number of claims with one verdict follows from them
		}
		text := "claim " + r.Kind.String() + ": " + r.Verdict.String()
		if reason := r.Reason(); reason != "" {
			text += ", " + replay.Printable(reason)
		}
		more := 0
		if n[1] > n[0] {
			more = 1
		}
		reported[more] = append(reported[more], text)
	}
	for side, u := range []*call{a, b} {
		slices.Sort(reported[side])
		for _, text := range slices.Compact(reported[side]) {
			out = append(out, u.span().line(side, text))
		}
	}
	return out
}

// maxTouched bounds the names in comparison.touched.
const maxTouched = 1 << 16

// used is combined with the hash of a name that a call used, to distinguish it from a name that a call
// changed. Claims look back at both.
const used = 0x75736564

// touch records the names that a call on one side only has changed or used, since differences in later
// calls on them follow from it.
func (c *comparison) touch(side int, u *call) {
	for _, name := range u.evicted {
		c.touchName(side, name, u.first)
	}
	for i := range u.lines {
		l := &u.lines[i]
		c.touchName(side, l.name.coarse^used, u.first)
		if changes.Has(l.role) {
			c.touchName(side, l.name.coarse, u.first)
		}
	}
}

func (c *comparison) touchName(side int, name, at uint64) {
	w, ok := c.touched[name]
	if (ok || len(c.touched) < maxTouched) && (w[side] == 0 || at < w[side]) {
		w[side] = at
		c.touched[name] = w
	}
}

// isConsequence reports whether a hunk is only about names that an earlier difference has changed. last is
// the name that the call reached.
func (c *comparison) isConsequence(p *match, h *hunk, last uint64) bool {
	before := func(name uint64) bool {
		w := c.touched[name]
		return w[0] != 0 && (p.moved || w[0] < p.of[0].first) || w[1] != 0 && (p.moved || w[1] < p.of[1].first)
	}
	if h.changed == 0 { // only claims differ: they look back at what was done to the name
		return before(last) || before(last^used)
	}
	return !slices.ContainsFunc(h.edits, func(e edit) bool {
		name := e.name.coarse
		if paths.Has(e.role) {
			name = last
		}
		return e.side != both && !before(name)
	})
}
