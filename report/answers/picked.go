// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// picked says which path calls count, where a filter picks some, and what of their times.
type picked struct {
	picker *replay.Picker        // nil: all count
	within map[uint64][]withheld // by the call that these were made in, which is in progress
}

// withheld is the time of a call within another, which counts where no call around it does: that has it.
type withheld struct {
	took  uint64
	count func(took uint64)
}

// pickedOf is what counts of a source: all, or what it picks.
func pickedOf(src replay.Source) picked {
	p, _ := src.(*replay.Picker)
	return picked{p, make(map[uint64][]withheld)}
}

// has reports whether a call counts.
func (p *picked) has(c *replay.PathCall) bool { return p.picker == nil || p.picker.PicksCall(c) }

// time has the time of a call counted, now or when it is known that no call around it counts. It is told of every call.
func (p *picked) time(c *replay.PathCall, count func(took uint64)) {
	if p.picker == nil {
		count(c.TookOnce())
		return
	}
	inner := p.within[c.ID]
	delete(p.within, c.ID)
	if p.has(c) {
		inner = []withheld{{c.Took, count}}
	}
	if c.Outer != 0 {
		if len(inner) > 0 {
			p.within[c.Outer] = append(p.within[c.Outer], inner...)
		}
		return
	}
	for _, w := range inner {
		w.count(w.took)
	}
}

// picksCall notes what is picked of a call, and reports whether it is.
func (s *Summarizer) picksCall(c *replay.PathCall) bool {
	program := c.Program
	s.picked.time(c, func(took uint64) {
		s.row(program).Took += took
		s.Total.Took += took
	})
	if !s.picked.has(c) {
		return false
	}
	if !slices.Contains(s.picks[c.PID], program) {
		s.picks[c.PID] = append(s.picks[c.PID], program)
	}
	return true
}
