// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/dtrec/dtrec/replay"
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
	align       aligner       // of calls
	inner       aligner       // of lines
	programs    int           // looked at
	singles     [][]*oneSided // of each program
	pairs       []callPair
	touched     map[uint64][2]uint64 // by the hash of a name: at which event of each side a difference first changed what the cache has of it; 0: never
	groups      map[uint64]*Difference
	differences []*Difference
	unread      uint64 // calls that could not be read again
	result      *Result
}

// callPair is two calls of one label that are not the same.
type callPair struct {
	a, b  *digest
	gap   *gap // before them
	moved bool // they stand in different places
}

// gap is where calls of a program stand: between which of those that both sides have.
type gap struct {
	comm            string
	program, number int
	a, b            int // index of the first call in it on each side
}

// oneSided is a call that one side made and the other did not, in its place.
type oneSided struct {
	*digest
	side    int
	index   int     // among the calls of its program and side
	next    *digest // the call after it on its side; nil at the end
	gap     *gap
	missing bool   // events are missing around it on the other side, or in it
	told    bool   // it was found elsewhere, or told with its program
	title   string // read later
	before  string // title of next
	varies  []string
}

// maxSingles bounds the calls on one side only that are looked at between two pairs.
const maxSingles = 4096

// Compare reads two runs, each on its own, and then again what they differ in. The error is
// that of the source that failed.
func Compare(a, b Input, o Options) (*Result, error) {
	ha, hb := a.Header(), b.Header()
	pa, pb := probesOf(ha), probesOf(hb)
	c := &comparison{
		sameKernel: ha.GetKernel().GetRelease() == hb.GetKernel().GetRelease() && ha.GetKernel().GetVersion() == hb.GetKernel().GetVersion(),
		touched:    make(map[uint64][2]uint64),
		groups:     make(map[uint64]*Difference),
		result:     &Result{Differences: kernelChanges(ha, hb, pa, pb), Doubts: []string{}, Notes: []string{}},
	}
	seed := maphash.MakeSeed()
	var cutters [2]*cutter
	var errs [2]error
	var reading sync.WaitGroup
	for side, in := range []Input{a, b} {
		d := newCutter(in, pa.in(pb), judgingOf(pa, pb), newNamer(seed, in.Header()))
		if ma, mb := ha.GetKernel().GetMachine(), hb.GetKernel().GetMachine(); ma != mb {
			d.machine = in.Header().GetKernel().GetMachine()
		}
		cutters[side], c.runs[side] = d, d.run
	}
	c.runs[0].rename = o.Rename
	for side, d := range cutters {
		reading.Go(func() { errs[side] = d.read() })
	}
	if reading.Wait(); errs[0] != nil || errs[1] != nil {
		return nil, cmp.Or(errs[0], errs[1])
	}
	for _, comm := range c.comms() {
		c.result.programs = append(c.result.programs, replay.Printable(comm))
		c.program(comm)
	}
	if err := c.tell(); err != nil {
		return nil, err
	}
	c.finish(o)
	return c.result, nil
}

// comms lists the programs of both runs, in order of the first call.
func (c *comparison) comms() []string {
	all := slices.Clone(c.runs[0].order)
	for _, comm := range c.runs[1].order {
		if c.runs[0].calls[comm] == nil {
			all = append(all, comm)
		}
	}
	return all
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
	a, b := c.runs[0].of(comm), c.runs[1].of(comm)
	c.programs++
	var singles []*oneSided
	g, nextA, nextB := &gap{comm: comm, program: c.programs}, 0, 0
	for _, p := range append(c.align.align(a.n, b.n, sequence{
		worth: func(i, j int) int { return a.at(i).worth(b.at(j)) },
		keyA:  func(i int) uint64 { return uint64(a.at(i).coarse) },
		keyB:  func(j int) uint64 { return uint64(b.at(j).coarse) },
	}), pair{a: a.n, b: b.n}) {
		if p.a > nextA || p.b > nextB || p.partial {
			g = &gap{comm, c.programs, g.number + 1, nextA, nextB}
			singles = append(singles, c.between(g, p)...)
		}
		differ := 0 // also where chance may explain it: the lines tell how
		for i := range p.n {
			if a.at(p.a+i).exact != b.at(p.b+i).exact {
				differ++
			}
		}
		c.result.Same += uint64(p.n - differ)
		c.pairs = slices.Grow(c.pairs, differ) // at once: where all differ it is large
		for i := range p.n {
			if x, y := a.at(p.a+i), b.at(p.b+i); x.exact != y.exact {
				c.pairs = append(c.pairs, callPair{x, y, g, false})
			}
		}
		nextA, nextB = p.a+p.n, p.b+p.n
	}
	if a.n == 0 || b.n == 0 {
		c.onOneSideOnly(singles)
	}
	c.singles = append(c.singles, singles)
}

// between takes the calls of each side that stand between two pairs, or after the last
// one: there, what comes after the end of a run that was cut is not compared.
func (c *comparison) between(g *gap, p pair) (singles []*oneSided) {
	from, to := [2]int{g.a, g.b}, [2]int{p.a, p.b}
	for side, r := range c.runs {
		list, kept := r.of(g.comm), 0
		for i := from[side]; i < to[side]; i++ {
			rec := list.at(i)
			missing := rec.lossy || c.lostBetween(g.comm, 1-side, from[1-side]-1, to[1-side], rec.label)
			switch {
			case p.n == 0 && c.runs[1-side].short() && i-from[side] >= to[1-side]-from[1-side]:
				c.result.excuse(whyShort, Pair{replay.Printable(g.comm), "", rec.span().on(side)})
			case kept >= maxSingles && missing:
				c.result.excuse(whyLost, Pair{replay.Printable(g.comm), "", rec.span().on(side)})
			case kept >= maxSingles:
				c.result.Omitted++
			default:
				s := &oneSided{digest: rec, side: side, index: i, gap: g, missing: missing}
				if i+1 < list.n {
					s.next = list.at(i + 1)
				}
				singles = append(singles, s)
				kept++
			}
		}
	}
	return singles
}

// lostBetween reports whether a run lost events between two calls of a program. Of
// several calls of one label, which one the run lacks is not known: its loss may be
// before those that were found.
func (c *comparison) lostBetween(comm string, side, first, next int, label uint32) bool {
	r, from, to := c.runs[side], uint64(0), uint64(math.MaxUint64)
	list := r.of(comm)
	for len(r.losses.Windows()) > 0 && first >= 0 && first < list.n && list.at(first).label == label {
		first--
	}
	if first >= 0 && first < list.n {
		from = list.at(first).from
	}
	if next < list.n {
		to = list.at(next).from
	}
	return r.lost(from, to)
}

// onOneSideOnly reports that a program ran on one side only, once.
func (c *comparison) onOneSideOnly(singles []*oneSided) {
	if len(singles) == 0 {
		return // the other run ended before it
	}
	s := singles[0]
	if !slices.ContainsFunc(singles, func(s *oneSided) bool { return !s.missing }) {
		c.result.excuse(whyLost, s.pair())
		return
	}
	n, list := 0, c.runs[s.side].of(s.gap.comm)
	for i := range list.n {
		if opens.Has(list.at(i).kind) {
			n++
		}
	}
	l := s.line(fmt.Sprintf("%d opens, %d other calls", n, list.n-n))
	c.add(&Difference{Kind: ProgramOnly, Pair: s.pair(), Lines: []Line{l}, gap: s.gap})
	for _, s := range singles {
		s.told = true
	}
}

// moves finds the calls of a program that both sides have, in different places: first
// those that are alike, then those that are of one label. Only within one thread is
// order the program's, and those moved from one gap to another are told together; else it is
// the scheduler's.
func (c *comparison) moves(singles []*oneSided) {
	var since [2][]int
	told := make(map[[2]*gap]*Difference)
	for _, key := range []func(*oneSided) uint32{
		func(s *oneSided) uint32 { return s.coarse },
		func(s *oneSided) uint32 { return s.label },
	} {
		there := make(map[uint32][]*oneSided)
		for _, s := range singles {
			if s.side == 1 && !s.told {
				there[key(s)] = append(there[key(s)], s)
			}
		}
		for _, a := range singles {
			list := there[key(a)]
			if a.side != 0 || a.told || len(list) == 0 {
				continue
			}
			b := list[0]
			there[key(a)] = list[1:]
			a.told, b.told = true, true
			if since[0] == nil {
				since = [2][]int{aloneSince(c.runs[0].of(a.gap.comm)), aloneSince(c.runs[1].of(a.gap.comm))}
			}
			switch at := pairOf(a.gap.comm, a.title, a.digest, b.digest); {
			case !passedAlone(since[0], a.index, b.gap.a) || !passedAlone(since[1], b.index, a.gap.b):
				if a.same(b.digest) {
					c.result.Same++
					c.result.excuse(whyOrder, at)
				} else {
					c.pairs = append(c.pairs, callPair{a.digest, b.digest, a.gap, true})
				}
			case a.missing, b.missing:
				c.result.excuse(whyLost, at)
			case told[[2]*gap{a.gap, b.gap}] != nil:
				told[[2]*gap{a.gap, b.gap}].also(at)
			default:
				if d := c.order(a, b, at); c.add(d) {
					told[[2]*gap{a.gap, b.gap}] = d
				}
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
	lo, hi := min(index, at), max(index, at-1)
	return since[hi] <= lo
}
