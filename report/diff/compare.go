// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
)

// Options say what counts as a difference.
type Options struct {
	// Latency is the change of a role's median or 99th percentile, in percent, above which the latency
	// counts as a difference; 0: latency never counts.
	Latency float64
	// Rename maps programs of A to the programs of B that they are compared with.
	Rename map[string]string
}

// Input is one run to compare.
type Input struct {
	Name string // of the run in the result
	replay.Source
	// Again reads the run once more, starting at the given event or at an earlier one.
	Again func(id uint64) (replay.Source, error)
}

// comparison holds two runs that were read, and what the comparison has found.
type comparison struct {
	runs       [2]*run
	sameKernel bool
	aligner    aligner
	singles    [][]*single // by program
	gaps       int
	pairs      []match
	// touched holds, by hash of a name and for each side, the first event by which a call that differs changed
	// the name in the cache, or used it (see used); 0: none.
	touched     map[uint64][2]uint64
	groups      map[any]*Difference // by the key of equal differences: the shape of a hunk, two gaps, or lines
	differences []*Difference
	unread      uint64  // number of calls that could not be read again
	inOne       kindSet // kinds of claim that need a column which only one run has
	result      *Result
}

// match is a call that is not the same on both sides. of[side] is nil if that side did not make it in this
// place.
type match struct {
	of    [2]*digest
	gap   *gap
	moved bool // the two are in different places
	vague bool // events were lost where other calls are that each of them may really belong to
}

// gap is a stretch between calls of a program that both sides have.
type gap struct {
	comm     string
	number   int // in the order of programs, and of their calls
	calls    [2]*calls
	from, to [2]int // for each side, index of the first call in it, and of the first one after it
}

// at returns the place of the match in printable form.
func (m *match) at(call string) Pair {
	return Pair{replay.Printable(m.gap.comm), call, Spans{m.of[0].span(), m.of[1].span()}}
}

// single is a call that one side made and the other side did not make in the same place.
type single struct {
	match
	*digest
	side, index int    // index is among the calls of its program and side
	missing     string // why it may be the recording that differs: events were lost in it, or around its place on the other side; empty: it is not
	shown       bool   // it was found elsewhere, or was reported with its program

	// Filled in when the call is read again.
	title, before string   // before: names the first call after it that both sides have there
	varies        []string // see namer.varies
	folded        uint64   // hash of the call without what may be made up in its names, see namer.folded; 0: nothing may be
}

// maxSingles bounds the calls on one side only that are looked at in one gap.
const maxSingles = 4096

// Compare reads two runs concurrently, and then reads again the calls in which they differ. It returns the
// error of the source that failed.
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

// worth returns the worth of pairing two calls.
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
// 1. Calls that are the same in both runs, and in the same order, are paired.
// 2. Between these, calls of the same label are paired in order.
// 3. The remaining calls are on one side only, or in another place on the other side.
func (c *comparison) program(comm string) {
	both := [2]*calls{c.runs[0].of(comm), c.runs[1].of(comm)}
	a, b := both[0], both[1]
	c.landmarks(both)
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
		for i := range p.n { // also if chance may explain what differs: the lines show how
			if x, y := a.at(p.a+i), b.at(p.b+i); x.exact == y.exact {
				c.result.Same++
			} else {
				vague := c.vague(a, 0, p.a+i) || c.vague(b, 1, p.b+i)
				c.pairs = append(c.pairs, match{[2]*digest{x, y}, g, false, vague})
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

// between returns the calls of each side in the gap. In the last gap, after which nothing is common, calls
// beyond the end of a run that was cut are not compared.
func (c *comparison) between(g *gap, last bool) (singles []*single) {
	for side := range c.runs {
		other, kept := 1-side, 0
		for i := g.from[side]; i < g.to[side]; i++ {
			d := g.calls[side].at(i)
			s := &single{match: match{gap: g}, digest: d, side: side, index: i, missing: c.missing(g, other, d)}
			s.of[side] = d
			switch {
			case last && c.runs[other].short() && i-g.from[side] >= g.to[other]-g.from[other]:
				c.result.excuse(whyShort, s.at(""))
			case kept < maxSingles:
				singles = append(singles, s)
				kept++
			case s.missing != "":
				c.result.excuse(s.missing, s.at(""))
			default:
				c.result.Omitted++
			}
		}
	}
	return singles
}

// landmarks notes which calls of a program both runs made once, if events were lost.
func (c *comparison) landmarks(both [2]*calls) {
	if len(c.runs[0].losses.Windows())+len(c.runs[1].losses.Windows()) == 0 {
		return
	}
	met := make(map[uint32][2]int) // by label
	for side, list := range both {
		for i := range list.n {
			n := met[list.at(i).label]
			n[side]++
			met[list.at(i).label] = n
		}
	}
	for _, list := range both {
		for i := range list.n {
			if met[list.at(i).label] == [2]int{1, 1} {
				list.only = append(list.only, uint32(i))
			}
		}
	}
}

// missing returns why a call that a run does not have in a gap may be missing only in the recording: events were
// lost in the gap, or before the run's next call. If the run has several calls of the labels around the gap, it is
// not known which one it lacks, so losses between the calls around them that both runs made once count as well.
// It is empty if the run did not make the call.
func (c *comparison) missing(g *gap, side int, d *digest) string {
	r, list := c.runs[side], g.calls[side]
	if d.lossy {
		return whyLost
	} else if len(r.losses.Windows()) == 0 {
		return ""
	}
	switch from, to := list.around(g.from[side], g.to[side]); {
	case r.lost(from, to):
		return whyLost
	case d.watched && r.unwatched(to):
		return whyFull
	}
	return ""
}

// vague reports whether a run may have lost the call that is really the other run's, and the one at the index is
// another one that is named alike.
func (c *comparison) vague(list *calls, side, i int) bool {
	if _, once := slices.BinarySearch(list.only, uint32(i)); once || len(c.runs[side].losses.Windows()) == 0 {
		return false
	}
	return c.runs[side].lost(list.around(i, i+1))
}

// onOneSideOnly reports once that a program ran on one side only.
func (c *comparison) onOneSideOnly(singles []*single) {
	if !slices.ContainsFunc(singles, func(s *single) bool { return s.missing == "" }) {
		return // the other run ended before it, or onOneSide says of each call why it does not count
	}
	s := singles[0]
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

// mayBeListed reports whether the program may have opened the directory of the call's last name: it did, or events were
// lost before.
func (c *comparison) mayBeListed(s *single) bool { return s.listed || c.runs[s.side].lost(0, s.from) }

// moves finds the calls of a program that both sides made in different places: first calls with the same
// coarse hash, then those of the same label. The order is the program's only if one thread made all calls
// in between; such calls that moved between the same two gaps are reported together. Otherwise the
// scheduler decided the order.
func (c *comparison) moves(singles []*single) {
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
			vague := c.vague(a.gap.calls[0], 0, a.index) || c.vague(b.gap.calls[1], 1, b.index)
			p, gaps := match{[2]*digest{a.digest, b.digest}, a.gap, true, vague}, [2]*gap{a.gap, b.gap}
			switch alone := a.gap.calls[0].alone(a.index, b.gap.from[0]) && b.gap.calls[1].alone(b.index, a.gap.from[1]); {
			case !alone && a.same(b.digest):
				c.result.Same++
				c.result.excuse(whyOrder, p.at(a.title))
			case !alone:
				c.pairs = append(c.pairs, p)
			case a.missing != "", b.missing != "":
				c.result.excuse(cmp.Or(a.missing, b.missing), p.at(a.title))
			case a.listed && b.listed && a.same(b.digest):
				c.result.Same++
				c.result.excuse(whyListed, p.at(a.title))
			case c.mayBeListed(a) && c.mayBeListed(b) && a.coarse == b.coarse: // a loss may change what is proven
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
