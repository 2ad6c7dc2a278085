// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"

	"github.com/dtrec/dtrec/replay"
)

// Options say what counts.
type Options struct {
	// Latency makes a difference of a role's median or 99th percentile by more than
	// so many percent one that counts; 0: latency never counts.
	Latency float64
}

// Input is one run to compare.
type Input struct {
	Name string // as the result calls it
	replay.Source
}

// comparison is two runs being read.
type comparison struct {
	sides      [2]*side
	names      [2]string
	programs   map[string]*program
	order      []*program // by first unit
	sameKernel bool
	align      aligner // of units
	inner      aligner // of steps
	groups     map[uint64]*Difference
	upset      map[uint64]upset // names, by hash
	variants   []variant        // not yet looked into
	told       int
	result     *Result
}

// Compare reads two runs to their ends, a piece of one and a piece of the other, and
// returns how they differ. The error is the first source's that failed; the result
// then holds what was read before.
func Compare(a, b Input, o Options) (*Result, error) {
	ha, hb := a.Header(), b.Header()
	pa, pb := probesOf(ha), probesOf(hb)
	both, judged := pa.and(&pb), judgedIn(&pa, &pb)
	seed := maphash.MakeSeed()
	c := &comparison{
		sides:      [2]*side{newSide(a.Source, seed, both, judged), newSide(b.Source, seed, both, judged)},
		names:      [2]string{a.Name, b.Name},
		programs:   make(map[string]*program),
		sameKernel: ha.GetKernel().GetRelease() == hb.GetKernel().GetRelease() && ha.GetKernel().GetVersion() == hb.GetKernel().GetVersion(),
		groups:     make(map[uint64]*Difference),
		upset:      make(map[uint64]upset),
		result:     &Result{Kernel: headers(ha, hb)},
	}
	for !c.sides[0].done || !c.sides[1].done {
		c.turn()
	}
	c.finish(o)
	for _, d := range c.sides {
		if d.err != nil {
			return c.result, d.err
		}
	}
	return c.result, nil
}

// turn reads on on the side of which less is waiting.
func (c *comparison) turn() {
	side := 0
	if c.sides[0].done || !c.sides[1].done && c.waiting(1) < c.waiting(0) {
		side = 1
	}
	d := c.sides[side]
	d.read()
	for _, u := range d.take() {
		p := c.programs[u.comm]
		if p == nil {
			p = &program{c: c, comm: u.comm, need: firstNeed}
			c.programs[u.comm] = p
			c.order = append(c.order, p)
		}
		before := [2]int{p.q[0].len(), p.q[1].len()}
		p.push(side, u)
		for i := range c.sides {
			c.sides[i].waiting += p.q[i].len() - before[i]
		}
	}
}

func (c *comparison) waiting(side int) int { return c.sides[side].waiting }

// short reports whether a run ends before what it recorded did.
func (c *comparison) short(side int) bool {
	f := c.sides[side].findings
	if f == nil {
		return false
	}
	return f.Footer == nil || f.Footer.EndedBy == "limit" || f.Footer.EndedBy == "full disk"
}

// unreached excuses units the other run ended before.
func (c *comparison) unreached(units []*unit, side int) {
	for _, u := range units {
		c.excuse(whyShort, c.programs[u.comm].only1(side, u))
	}
}
