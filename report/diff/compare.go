// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
)

// Options say what counts.
type Options struct {
	// Latency makes a difference of a role's median or 99th percentile by more than
	// so many percent one that counts; 0: latency never counts.
	Latency float64
	// Rename says which program of A is taken for which of B.
	Rename map[string]string
}

// Input is one run to compare.
type Input struct {
	Name string // as the result calls it
	replay.Source
	// Again reads the run once more, from the event or from one before it.
	Again func(id uint64) (replay.Source, error)
}

// comparison is two runs that were read, and what comes of them.
type comparison struct {
	runs        [2]*run
	sameKernel  bool
	aligner     aligner
	singles     [][]*single // by program
	gaps        int
	pairs       []match
	touched     map[uint64][2]uint64 // by the hash of a name: at which event of each side a difference first changed what the cache has of it; 0: never
	groups      map[any]*Difference  // by what tells that two are the same: the shape of a hunk, two gaps, lines
	differences []*Difference
	unread      uint64  // calls that could not be read again
	inOne       kindSet // kinds of claim that take a column which one run has not
	result      *Result
}

// match is a call that is not the same on both sides; nil: a side did not make it in that place.
type match struct {
	of    [2]*digest
	gap   *gap
	moved bool // the two stand in different places
}

// gap is where calls of a program stand: between which of those that both sides have.
type gap struct {
	comm     string
	number   int // in the order of programs, and of their calls
	calls    [2]*calls
	from, to [2]int // indexes of the first call in it on each side, and of the first after it
}

// at is the match in words.
func (m *match) at(call string) Pair {
	return Pair{replay.Printable(m.gap.comm), call, Spans{m.of[0].span(), m.of[1].span()}}
}

// single is a call that one side made and the other did not, in its place.
type single struct {
	match
	*digest
	side, index int  // among the calls of its program and side
	missing     bool // events are missing around it on the other side, or in it
	shown       bool // it was found elsewhere, or reported with its program

	// Read later.
	title, before string   // before: the first call after it that both sides have in that place
	varies        []string // see namer.varies
}

// maxSingles bounds the calls on one side only that are looked at between two pairs.
const maxSingles = 4096

// Compare reads two runs, each on its own, and then again what they differ in. The error is
// that of the source that failed.
func Compare(a, b Input, o Options) (*Result, error) {
	ha, hb := a.Header(), b.Header()
	seed := maphash.MakeSeed()
	c := &comparison{
		runs:       [2]*run{newRun(a, hb, seed), newRun(b, ha, seed)},
		sameKernel: ha.GetKernel().GetRelease() == hb.GetKernel().GetRelease() && ha.GetKernel().GetVersion() == hb.GetKernel().GetVersion(),
		touched:    make(map[uint64][2]uint64),
		groups:     make(map[any]*Difference),
		result:     &Result{Differences: kernelChanges(ha, hb), Doubts: []string{}, Notes: []string{}},
	}
	c.runs[0].rename = o.Rename
	var errs [2]error
	var reading sync.WaitGroup
	for side, r := range c.runs {
		reading.Go(func() { errs[side] = r.read() })
	}
	if reading.Wait(); errs[0] != nil || errs[1] != nil {
		return nil, cmp.Or(errs[0], errs[1])
	}
	for _, k := range report.Kinds() {
		if k.Columns&(c.runs[0].findings.Columns()^c.runs[1].findings.Columns()) != 0 {
			c.inOne |= 1 << k.Kind
		}
	}
	for side, r := range c.runs {
		for _, comm := range r.order {
			if side == 0 || c.runs[0].calls[comm] == nil {
				c.result.programs = append(c.result.programs, replay.Printable(comm))
				c.program(comm)
			}
		}
	}
	if err := c.explain(); err != nil {
		return nil, err
	}
	c.finish(o)
	return c.result, nil
}

// worth is what it is worth to see two calls side by side.
func (d *digest) worth(e *digest) int {
	switch {
	case d.same(e):
		return sameWorth
	case d.coarse == e.coarse:
		return nearWorth
	case d.label == e.label:
		return labelWorth
	}
	return 0
}

// program aligns the calls of one program.
//
//  1. Calls that are the same in both runs, and in one order, are paired off.
//  2. Between them calls of one label are paired, in order.
//  3. The others are on one side only, or elsewhere on the other.
func (c *comparison) program(comm string) {
	both := [2]*calls{c.runs[0].of(comm), c.runs[1].of(comm)}
	a, b := both[0], both[1]
	g := c.gap(comm, both, [2]int{}, [2]int{})
	var singles []*single
	worth := func(i, j int) int { return a.at(i).worth(b.at(j)) }
	key := func(side, i int) uint64 { return uint64(both[side].at(i).coarse) }
	var next [2]int
	for _, p := range c.aligner.align(a.n, b.n, worth, key) {
		if p.a > next[0] || p.b > next[1] || p.partial {
			g = c.gap(comm, both, next, [2]int{p.a, p.b})
			singles = append(singles, c.between(g, p.n == 0)...)
		}
		for i := range p.n { // what chance may explain too: the lines show how
			if x, y := a.at(p.a+i), b.at(p.b+i); x.exact == y.exact {
				c.result.Same++
			} else {
				c.pairs = append(c.pairs, match{[2]*digest{x, y}, g, false})
			}
		}
		next = [2]int{p.a + p.n, p.b + p.n}
	}
	if a.n == 0 || b.n == 0 {
		c.onOneSideOnly(singles)
	}
	c.singles = append(c.singles, singles)
}

func (c *comparison) gap(comm string, both [2]*calls, from, to [2]int) *gap {
	c.gaps++
	return &gap{comm, c.gaps, both, from, to}
}

// between takes the calls of each side that stand between two pairs, or after the last
// one: there, what comes after the end of a run that was cut is not compared.
func (c *comparison) between(g *gap, last bool) (singles []*single) {
	for side := range c.runs {
		other, kept := 1-side, 0
		for i := g.from[side]; i < g.to[side]; i++ {
			d := g.calls[side].at(i)
			s := &single{match: match{gap: g}, digest: d, side: side, index: i, missing: d.lossy || c.lostBetween(g, other, d.label)}
			s.of[side] = d
			switch {
			case last && c.runs[other].short() && i-g.from[side] >= g.to[other]-g.from[other]:
				c.result.excuse(whyShort, s.at(""))
			case kept < maxSingles:
				singles = append(singles, s)
				kept++
			case s.missing:
				c.result.excuse(whyLost, s.at(""))
			default:
				c.result.Omitted++
			}
		}
	}
	return singles
}

// lostBetween reports whether a run lost events in a gap, up to its next call after that. Of
// several calls of one label, which one the run lacks is not known: its loss may be
// before those that were found.
func (c *comparison) lostBetween(g *gap, side int, label uint32) bool {
	r, list := c.runs[side], g.calls[side]
	if len(r.losses.Windows()) == 0 {
		return false
	}
	first, from, to := g.from[side]-1, uint64(0), uint64(math.MaxUint64)
	for first >= 0 && list.at(first).label == label {
		first--
	}
	if first >= 0 {
		from = list.at(first).from
	}
	if next := g.to[side]; next < list.n {
		to = list.at(next).from
	}
	return r.lost(from, to)
}

// onOneSideOnly reports that a program ran on one side only, once.
func (c *comparison) onOneSideOnly(singles []*single) {
	if len(singles) == 0 {
		return // the other run ended before it
	}
	s := singles[0]
	if !slices.ContainsFunc(singles, func(s *single) bool { return !s.missing }) {
		c.result.excuse(whyLost, s.at(""))
		return
	}
	whole := s.span()
	for _, o := range singles {
		whole.Last = max(whole.Last, o.span().Last)
	}
	lines := []Line{whole.line(s.side, plural.Of(uint64(s.gap.calls[s.side].n), "call"))}
	c.add(s.gap, &Difference{Kind: ProgramOnly, Pair: s.at(""), Lines: lines, gap: s.gap})
	for _, s := range singles {
		s.shown = true
	}
}

// moves finds the calls of a program that both sides have, in different places: first
// those that are alike, then those that are of one label. Only within one thread is
// order the program's, and those moved from one gap to another are reported together; else it is
// the scheduler's.
func (c *comparison) moves(singles []*single) {
	if len(singles) == 0 {
		return
	}
	var since [2][]int
	for side, list := range singles[0].gap.calls {
		since[side] = aloneSince(list)
	}
	for _, key := range []func(*single) uint32{
		func(s *single) uint32 { return s.coarse },
		func(s *single) uint32 { return s.label },
	} {
		there := make(map[uint32][]*single)
		for _, s := range singles {
			if s.side == 1 && !s.shown {
				there[key(s)] = append(there[key(s)], s)
			}
		}
		for _, a := range singles {
			list := there[key(a)]
			if a.side != 0 || a.shown || len(list) == 0 {
				continue
			}
			b := list[0]
			there[key(a)] = list[1:]
			a.shown, b.shown = true, true
			p, gaps := match{[2]*digest{a.digest, b.digest}, a.gap, true}, [2]*gap{a.gap, b.gap}
			switch alone := passedAlone(since[0], a.index, b.gap.from[0]) && passedAlone(since[1], b.index, a.gap.from[1]); {
			case !alone && a.same(b.digest):
				c.result.Same++
				c.result.excuse(whyOrder, p.at(a.title))
			case !alone:
				c.pairs = append(c.pairs, p)
			case a.missing, b.missing:
				c.result.excuse(whyLost, p.at(a.title))
			case c.joins(gaps, p.at(a.title)):
			default:
				d := &Difference{Kind: Order, Pair: p.at(a.title), gap: a.gap, varies: append(a.varies, b.varies...)}
				d.Lines = []Line{a.span().line(0, a.before), b.span().line(1, b.before)}
				if !a.same(b.digest) {
					d.Lines = append(d.Lines, Line{Op: " ", Text: "and its steps differ"})
				}
				c.add(gaps, d)
			}
		}
	}
}

// aloneSince returns for each call the index of the first one since which its thread made
// all calls of the program.
func aloneSince(list *calls) []int {
	since := make([]int, list.n)
	for i := range since {
		if since[i] = i; list.at(i).sameThread {
			since[i] = since[i-1]
		}
	}
	return since
}

// passedAlone reports whether one thread made all calls that stand between the one at
// index and the place at.
func passedAlone(since []int, index, at int) bool {
	return since[max(index, at-1)] <= min(index, at)
}
