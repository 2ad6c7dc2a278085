// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Bounds on what a result holds in full; what goes beyond is counted.
const (
	maxDifferences = 2000
	maxAlso        = 32
	maxFollows     = 64
	maxLines       = 200
)

// tell takes a pair of variants with what they differ in.
//
//  1. The same finding in another call joins the first one.
//  2. One that is all about names an earlier difference has changed follows from it.
//  3. Else it is a difference of its own.
func (c *comparison) tell(v variant, f *finding, at Pair) {
	last := v.a.lastName()
	shape := f.shape(v.a.kind, last, last)
	if d := c.groups[shape]; d != nil {
		d.also(at)
		return
	}
	if c.follows(v, f, last) {
		if len(c.result.Follows) < maxFollows {
			c.result.Follows = append(c.result.Follows, at)
		} else {
			c.result.FollowsMore++
		}
		return
	}
	c.disturbs(v, f)
	k := Steps
	if f.changed() == 0 {
		k = Claims
	}
	d := &Difference{Kind: k, Program: v.p.comm, Call: v.a.title(), A: at.A, B: at.B, Lines: bounded(f.lines())}
	if v.p.add(v.gap, d) {
		c.groups[shape] = d
	}
}

// title is the unit's label with its outcome.
func (u *unit) title() string {
	u.spell()
	if u.outcome == "" {
		return u.words
	}
	return u.words + " → " + u.outcome
}

func bounded(lines []Line) []Line {
	if n := len(lines) - maxLines; n > 0 {
		return append(lines[:maxLines], Line{Op: ' ', Text: fmt.Sprintf("… %d more lines", n)})
	}
	return lines
}

// placed is a difference with the gap it belongs to.
type placed struct {
	gap int
	d   *Difference
}

// add keeps a difference of the program unless there are too many.
func (p *program) add(gap int, d *Difference) bool {
	if p.c.told++; p.c.told > maxDifferences {
		p.c.result.Omitted++
		return false
	}
	p.diffs = append(p.diffs, placed{gap, d})
	return true
}

// settle tells what only the end decides: which calls are elsewhere on the other
// side, and which are not there at all.
func (p *program) settle() {
	if p.made[0] == 0 || p.made[1] == 0 {
		p.lonely()
		return
	}
	told := make(map[[2]int]*Difference)
	for _, m := range p.moves() {
		p.moved(m[0], m[1], told)
	}
	p.rest()
	if n := p.dropped[0] + p.dropped[1]; n > 0 {
		p.c.result.Omitted += n
	}
}

// lonely tells that a program ran on one side only, once.
func (p *program) lonely() {
	side := int(flag(p.made[0] == 0))
	if p.c.short(1-side) && len(p.only[side]) == 0 {
		return // excused one by one: the other run ended before it
	}
	d := &Difference{Kind: ProgramOnly, Program: p.comm}
	l := Line{Op: '-', Text: fmt.Sprintf("%d opens, %d other calls", p.open[side], p.made[side]-p.open[side])}
	if len(p.only[side]) > 0 {
		l.A = p.only[side][0].span()
	}
	if d.A = l.A; side == 1 {
		l.Op, l.A, l.B = '+', Span{}, l.A
		d.A, d.B = Span{}, d.A
	}
	d.Lines = []Line{l}
	p.add(0, d)
}

// moved tells a call that both sides made at different places, unless only the
// order of threads differs. Calls moved from one gap to another are told together.
func (p *program) moved(a, b *unit, told map[[2]int]*Difference) {
	at := Pair{p.comm, a.words, a.span(), b.span()}
	switch {
	case !swapped(a, b):
		p.c.result.Same++
		p.c.excuse(whyOrder, at)
	case a.lossy || b.lossy:
		p.c.excuse(whyLost, at)
	case told[[2]int{a.gap, b.gap}] != nil:
		told[[2]int{a.gap, b.gap}].also(at)
	default:
		d := &Difference{Kind: Order, Program: p.comm, Call: a.title(), A: at.A, B: at.B, Lines: []Line{
			{Op: '-', Text: position(a), A: at.A}, {Op: '+', Text: position(b), B: at.B}}}
		if a.folded != b.folded && a.strict != b.strict {
			d.Lines = append(d.Lines, Line{Op: ' ', Text: "and its steps differ"})
		}
		if p.add(a.gap, d) {
			told[[2]int{a.gap, b.gap}] = d
		}
	}
}

// position says what a unit stands before.
func position(u *unit) string {
	if u.then == "" {
		return "the last call"
	}
	return "before " + u.then
}

// rest tells the calls on one side only, those of one gap together.
func (p *program) rest() {
	by := make(map[int]*Difference)
	var gaps []int
	for side, units := range p.only {
		for _, u := range units {
			if u.lossy {
				p.c.excuse(whyLost, p.only1(side, u))
				continue
			}
			d := by[u.gap]
			if d == nil {
				d = &Difference{Kind: CallsOnly, Program: p.comm}
				by[u.gap] = d
				gaps = append(gaps, u.gap)
			}
			d.line(side, u)
		}
	}
	slices.Sort(gaps)
	first := make(map[string]*Difference)
	for _, g := range gaps {
		d := by[g]
		key := d.wording()
		if same := first[key]; same != nil {
			same.also(Pair{Program: p.comm, A: d.A, B: d.B})
			continue
		}
		d.Lines = bounded(d.Lines)
		if p.add(g, d) {
			first[key] = d
		}
	}
}

// wording is what the lines of a difference say, without the events.
func (d *Difference) wording() string {
	var b strings.Builder
	for _, l := range d.Lines {
		b.WriteByte(l.Op)
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// also takes the same difference in another place.
func (d *Difference) also(at Pair) {
	if len(d.Also) < maxAlso {
		d.Also = append(d.Also, at)
	} else {
		d.AlsoMore++
	}
}

// line adds a call that a side made alone.
func (d *Difference) line(side int, u *unit) {
	l := Line{Op: '-', Text: u.title(), A: u.span()}
	s := &d.A
	if side == 1 {
		l.Op, l.A, l.B = '+', Span{}, u.span()
		s = &d.B
	}
	if s.First == 0 {
		s.First = u.first
	}
	s.Last = max(s.Last, u.last)
	d.Lines = append(d.Lines, l)
}

// finish tells what only the end of both runs decides.
func (c *comparison) finish(o Options) {
	for _, p := range c.order {
		p.drain(true)
	}
	c.lookInto(len(c.variants))
	for _, p := range c.order {
		p.settle()
	}
	for _, p := range c.order {
		slices.SortStableFunc(p.diffs, func(a, b placed) int { return cmp.Compare(a.gap, b.gap) })
		for _, pl := range p.diffs {
			c.result.Differences = append(c.result.Differences, *pl.d)
		}
	}
	c.outcomes()
	c.unfollowed()
	c.result.A, c.result.B = c.run(0), c.run(1)
	c.result.Timed = o.Latency > 0
	c.result.Latency = latencies(&c.sides[0].took, &c.sides[1].took, o.Latency)
	c.doubts()
	c.notes()
}

// unfollowed excuses what follows from calls that turned out to be elsewhere: with
// no difference left, it follows from the order of threads.
func (c *comparison) unfollowed() {
	if r := c.result; len(r.Differences) == 0 && r.Omitted == 0 {
		for _, at := range r.Follows {
			r.Same++
			c.excuse(whyFound, at)
		}
		r.Same += r.FollowsMore
		r.Follows, r.FollowsMore = nil, 0
	}
}
