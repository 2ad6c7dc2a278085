// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// atOnce is the number of calls of each run that are read again in one pass.
const atOnce = 4096

// explain reads the calls that differ again and reports what differs.
//
//  1. Calls on one side only get their titles, and the names they changed are noted. Those
//     that the other side made elsewhere are reported by the calls they stand before.
//  2. Paired calls of the same label are compared line by line in order of time, because one
//     difference may follow from an earlier one.
//  3. The remaining calls on one side only are reported as they are.
func (c *comparison) explain() error {
	singles := slices.Concat(c.singles...)
	for some := range slices.Chunk(singles, atOnce) {
		if err := c.titles(some); err != nil {
			return err
		}
	}
	for _, ofProgram := range c.singles {
		c.unmade(ofProgram)
		c.moves(ofProgram)
	}
	slices.SortStableFunc(c.pairs, func(x, y match) int { return cmp.Compare(x.of[0].first, y.of[0].first) })
	for some := range slices.Chunk(c.pairs, atOnce) {
		var wanted [2][]*digest
		for _, p := range some {
			wanted[0], wanted[1] = append(wanted[0], p.of[0]), append(wanted[1], p.of[1])
		}
		calls, err := c.again(wanted)
		if err != nil {
			return err
		}
		for i := range some {
			p := &some[i]
			c.compareCalls(p, calls[0][p.of[0].first], calls[1][p.of[1].first])
		}
	}
	c.onOneSide(singles)
	slices.SortStableFunc(c.differences, func(x, y *Difference) int { return x.gap.number - y.gap.number })
	for i := range c.result.Excused {
		if e := &c.result.Excused[i]; e.Why == whyConsequence && len(c.differences) == 0 && c.result.Omitted == 0 {
			e.Why = whyFound
			c.result.Same += e.Count
		}
	}
	return nil
}

// again reads calls of both runs once more.
func (c *comparison) again(wanted [2][]*digest) (calls [2]map[uint64]*call, err error) {
	for side, r := range c.runs {
		if calls[side], err = r.again(wanted[side]); err != nil {
			break
		}
	}
	return calls, err
}

// titles reads the calls on one side only, and the calls of both sides that they stand before.
func (c *comparison) titles(singles []*single) error {
	var wanted [2][]*digest
	next := func(s *single) *digest {
		if list, to := s.gap.calls[s.side], s.gap.to[s.side]; to < list.n {
			return list.at(to)
		}
		return s.digest
	}
	for _, s := range singles {
		wanted[s.side] = append(wanted[s.side], s.digest, next(s))
	}
	calls, err := c.again(wanted)
	if err != nil {
		return err
	}
	for _, s := range singles {
		s.title, s.before = "a call", "before "
		if u := calls[s.side][s.first]; u != nil {
			s.title, s.varies, s.folded = title(u, u), c.runs[s.side].names.varies(u), c.runs[s.side].names.folded(u)
			c.touch(s.side, u)
		} else {
			c.unread++
		}
		if n := next(s); n == s.digest {
			s.before = "at the end"
		} else if u := calls[s.side][n.first]; u != nil {
			s.before += u.words()
		}
	}
	return nil
}

// unmade excuses calls that are on one side only because of a name that may be made up for the run, and that the other
// side made with a name that is alike: if events were lost before, the call that made it up may not be recorded.
func (c *comparison) unmade(singles []*single) {
	type found struct{ on, lossy [2]bool }
	met := make(map[uint64]found)
	for _, s := range singles {
		f := met[s.folded]
		f.on[s.side], f.lossy[s.side] = true, f.lossy[s.side] || c.runs[s.side].lost(0, s.from)
		met[s.folded] = f
	}
	for _, s := range singles {
		if f := met[s.folded]; s.folded != 0 && s.missing == "" && f.on == [2]bool{true, true} && (f.lossy[0] || f.lossy[1]) {
			s.missing = whyLost
		}
	}
}

// compareCalls compares two paired calls line by line.
func (c *comparison) compareCalls(p *match, a, b *call) {
	if a == nil || b == nil {
		c.unread++
		return
	}
	a.unwatched, b.unwatched = c.runs[0].unwatched(a.to), c.runs[1].unwatched(b.to)
	switch h, why := c.compare(a, b); {
	case h.changed == 0 && len(h.claims) == 0 && !h.full:
		if c.result.Same++; why != "" {
			c.result.excuse(why, p.at(a.words()))
		}
	case a.lossy, b.lossy, p.vague, h.changed == 0 && (c.runs[0].lost(0, a.to) || c.runs[1].lost(0, b.to)):
		c.result.excuse(whyLost, p.at(a.words())) // a claim may rest on what was lost
	case (h.changed == 0 || a.more+b.more > 0) && (a.unwatched || b.unwatched):
		c.result.excuse(whyFull, p.at(a.words()))
	default:
		c.differ(p, &h, a, b)
	}
}

// differ reports two calls that differ.
//
//  1. The same hunk in another call is added to the first one.
//  2. A hunk that is only about names that an earlier difference has changed follows from that
//     difference and is excused.
//  3. Any other hunk is a difference of its own.
func (c *comparison) differ(p *match, h *hunk, a, b *call) {
	last := a.lastName()
	shape := h.shape(a.kind, last)
	at := p.at(a.words())
	if c.joins(shape, at) {
		return
	}
	if c.isConsequence(p, h, last) {
		c.result.excuse(whyConsequence, at)
		return
	}
	for _, e := range h.edits {
		if e.side != both && changes.Has(e.role) {
			c.touchName(e.side, e.name.coarse, p.of[e.side].first)
		}
	}
	at.Call = title(a, b)
	varies := append(c.runs[1].names.varies(b), c.runs[0].names.varies(a)...)
	d := &Difference{Kind: Steps, Pair: at, Lines: h.lines(), gap: p.gap, varies: varies}
	if h.changed == 0 {
		d.Kind = Claims
	}
	c.add(shape, d)
}

// add keeps a difference, unless there are too many. All equal differences have the same key; see joins.
func (c *comparison) add(key any, d *Difference) {
	if len(c.differences) >= maxDifferences {
		c.result.Omitted++
		return
	}
	if n := len(d.Lines) - maxShown; n > 0 {
		d.Lines = append(d.Lines[:maxShown], Line{Op: " ", Text: fmt.Sprintf("%s%d more lines", more, n)})
	}
	d.others = make(map[string]bool)
	c.groups[key], c.differences = d, append(c.differences, d)
}

// joins adds a place to the difference with the key and reports whether there is one.
func (c *comparison) joins(key any, at Pair) bool {
	d := c.groups[key]
	if d != nil {
		d.also(at)
	}
	return d != nil
}

// onOneSide reports the calls on one side only. Those of one gap make one difference, and gaps with equal
// lines are reported together.
func (c *comparison) onOneSide(singles []*single) {
	var last *Difference
	var all []*Difference
	for _, s := range singles {
		switch {
		case s.shown:
			continue
		case s.missing != "":
			c.result.excuse(s.missing, s.at(s.title))
			continue
		case c.repeats(s):
			c.result.excuse(whyTwice, s.at(s.title))
			continue
		case last == nil || last.gap != s.gap:
			last = &Difference{Kind: CallsOnly, Pair: Pair{Program: s.at("").Program}, gap: s.gap}
			all = append(all, last)
		}
		l := s.span().line(s.side, s.title)
		last.A, last.B, last.varies = last.A.join(l.A), last.B.join(l.B), append(last.varies, s.varies...)
		last.Lines = append(last.Lines, l)
	}
	for _, d := range all {
		key := d.Program + "\n"
		for _, l := range d.Lines {
			key += l.Op + l.Text + "\n"
		}
		if !c.joins(key, d.Pair) {
			c.add(key, d)
		}
	}
}

// repeats reports whether a call is a lookup like the one before or after it. Where no walk is recorded, two lookups of a
// name are taken for one that was repeated if the kernel gave the second path the buffer of the first.
func (c *comparison) repeats(s *single) bool {
	list, i := s.gap.calls[s.side], s.index
	like := func(i int) bool { return i >= 0 && i < list.n && list.at(i).coarse == s.coarse }
	return s.kind == 0 && !c.runs[s.side].both.has(schema.RoleWalk, schema.Enter) && (like(i-1) || like(i+1))
}
