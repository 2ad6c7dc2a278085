// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// atOnce is how many calls of each run are read again together.
const atOnce = 4096

// tell reads again what differs, and says what it is.
//
//  1. The calls of one side only get their titles; what they did to names is noted. Those that
//     the other side made elsewhere are told by what stands around them.
//  2. Calls of one label are compared line by line, in order of time: one difference
//     may follow from another.
//  3. The others are told as they are.
func (c *comparison) tell() error {
	for some := range slices.Chunk(slices.Concat(c.singles...), atOnce) {
		if err := c.titles(some); err != nil {
			return err
		}
	}
	for _, ofProgram := range c.singles {
		c.moves(ofProgram)
	}
	slices.SortStableFunc(c.pairs, func(x, y callPair) int { return cmp.Compare(x.a.first, y.a.first) })
	for some := range slices.Chunk(c.pairs, atOnce) {
		var a, b []*digest
		for _, p := range some {
			a, b = append(a, p.a), append(b, p.b)
		}
		calls, err := c.again(a, b)
		if err != nil {
			return err
		}
		for _, p := range some {
			c.compareCalls(p, calls[0][p.a.first], calls[1][p.b.first])
		}
	}
	c.onOneSide()
	slices.SortStableFunc(c.differences, func(x, y *Difference) int {
		return cmp.Or(cmp.Compare(x.gap.program, y.gap.program), cmp.Compare(x.gap.number, y.gap.number))
	})
	for i := range c.result.Excused {
		if e := &c.result.Excused[i]; e.Why == whyFollows && len(c.differences) == 0 && c.result.Omitted == 0 {
			e.Why = whyFound
			c.result.Same += e.Count
		}
	}
	return nil
}

// again reads calls of both runs once more.
func (c *comparison) again(a, b []*digest) (calls [2]map[uint64]*call, err error) {
	for side, wanted := range [][]*digest{a, b} {
		if calls[side], err = c.runs[side].again(wanted); err != nil {
			return calls, err
		}
	}
	return calls, nil
}

// titles reads the calls of one side only.
func (c *comparison) titles(singles []*oneSided) error {
	var wanted [2][]*digest
	for _, s := range singles {
		wanted[s.side] = append(wanted[s.side], s.digest)
		if s.next != nil {
			wanted[s.side] = append(wanted[s.side], s.next)
		}
	}
	calls, err := c.again(wanted[0], wanted[1])
	if err != nil {
		return err
	}
	for _, s := range singles {
		if u := calls[s.side][s.first]; u != nil {
			s.title, s.varies = u.title(), c.varies(s.side, u, nil)
			c.touch(s.side, u)
		} else {
			s.title = "a call"
			c.unread++
		}
		if s.next != nil && calls[s.side][s.next.first] != nil {
			s.before = calls[s.side][s.next.first].words()
		}
	}
	return nil
}

// compareCalls compares two calls of one label.
func (c *comparison) compareCalls(p callPair, a, b *call) {
	if a == nil || b == nil {
		c.unread++
		return
	}
	h := c.compare(a, b)
	switch changed := h.changed(); {
	case h.why == "" && changed == 0 && len(h.claims) == 0:
		c.result.Same++
	case h.why != "":
		c.result.Same++
		c.result.excuse(h.why, pairOf(p.gap.comm, a.words(), p.a, p.b))
	case a.lossy, b.lossy, changed == 0 && (c.runs[0].lost(0, a.to) || c.runs[1].lost(0, b.to)):
		c.result.excuse(whyLost, pairOf(p.gap.comm, a.words(), p.a, p.b)) // a claim may rest on what was lost
	default:
		c.differ(p, &h, a, b)
	}
}

// varies adds the names of a call that another run may have otherwise.
func (c *comparison) varies(side int, u *call, to []string) []string {
	return append(to, c.runs[side].names.varies(u)...)
}

// differ takes two calls with what they differ in.
//
//  1. The same hunk in another call joins the first one.
//  2. One that is all about names an earlier difference has changed follows from it.
//  3. Else it is a difference of its own.
func (c *comparison) differ(p callPair, h *hunk, a, b *call) {
	last := a.lastName()
	shape := h.shape(a.kind, last)
	at := pairOf(p.gap.comm, a.words(), p.a, p.b)
	if d := c.groups[shape]; d != nil {
		d.also(at)
		return
	}
	if c.follows(p, h, last) {
		c.result.excuse(whyFollows, at)
		return
	}
	for i := range h.edits {
		if e := &h.edits[i]; e.op == '-' && changes.Has(e.a.role) {
			c.touchName(0, e.a.name.coarse, a.first)
		} else if e.op == '+' && changes.Has(e.b.role) {
			c.touchName(1, e.b.name.coarse, b.first)
		}
	}
	at.Call = titles(a, b)
	d := &Difference{Kind: Steps, Pair: at, Lines: h.lines(), gap: p.gap, varies: c.varies(0, a, c.varies(1, b, nil))}
	d.bound()
	if h.changed() == 0 {
		d.Kind = Claims
	}
	if c.add(d) {
		c.groups[shape] = d
	}
}

// add keeps a difference unless there are too many.
func (c *comparison) add(d *Difference) bool {
	if len(c.differences) >= maxDifferences {
		c.result.Omitted++
		return false
	}
	c.differences = append(c.differences, d)
	return true
}

// order is that both sides made a call at different places.
func (c *comparison) order(a, b *oneSided, at Pair) *Difference {
	d := &Difference{Kind: Order, Pair: at, gap: a.gap, varies: append(a.varies, b.varies...),
		Lines: []Line{a.line(a.position()), b.line(b.position())}}
	if !a.same(b.digest) {
		d.Lines = append(d.Lines, Line{Op: " ", Text: "and its steps differ"})
	}
	return d
}

// position says what a call stands before.
func (s *oneSided) position() string {
	if s.next == nil {
		return "the last call"
	}
	return "before " + s.before
}

// line is a line that one side alone has.
func (s *oneSided) line(text string) Line {
	return Line{Op: "-+"[s.side : s.side+1], Text: text, Spans: s.span().on(s.side)}
}

// pair is the call, on its side.
func (s *oneSided) pair() Pair {
	return Pair{replay.Printable(s.gap.comm), s.title, s.span().on(s.side)}
}

// onOneSide reports the calls on one side only, those of one gap together, and what is said
// in one gap as in another once.
func (c *comparison) onOneSide() {
	by := make(map[*gap]*Difference)
	var order []*Difference
	for _, s := range slices.Concat(c.singles...) {
		switch {
		case s.told:
			continue
		case s.missing:
			c.result.excuse(whyLost, s.pair())
			continue
		}
		d := by[s.gap]
		if d == nil {
			d = &Difference{Kind: CallsOnly, Pair: Pair{Program: replay.Printable(s.gap.comm)}, gap: s.gap}
			by[s.gap] = d
			order = append(order, d)
		}
		l := s.line(s.title)
		d.A, d.B, d.varies = d.A.join(l.A), d.B.join(l.B), append(d.varies, s.varies...)
		d.Lines = append(d.Lines, l)
	}
	first := make(map[string]*Difference)
	for _, d := range order {
		key := d.Program + "\n"
		for _, l := range d.Lines {
			key += l.Op + l.Text + "\n"
		}
		if same := first[key]; same != nil {
			same.also(d.Pair)
			continue
		}
		d.bound()
		if c.add(d) {
			first[key] = d
		}
	}
}

// pairOf is a call on both sides.
func pairOf(program, call string, a, b *digest) Pair {
	return Pair{replay.Printable(program), call, Spans{a.span(), b.span()}}
}
