// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// picked decides which path calls count when the source has a filter, and how their times are added up.
type picked struct {
	picker *replay.Picker        // nil: every call counts
	within map[uint64][]withheld // by id of the enclosing call, which has not ended yet: times of calls made in it
}

// withheld is the time of a nested call. It counts only if no enclosing call does, because the time of an
// enclosing call includes it.
type withheld struct {
	took  uint64
	count func(took uint64)
}

// pickedOf returns which calls of a source count: those that it picks if it is a replay.Picker, otherwise
// all.
func pickedOf(src replay.Source) picked {
	p, _ := src.(*replay.Picker)
	return picked{p, make(map[uint64][]withheld)}
}

// has reports whether a call counts.
func (p *picked) has(c *replay.PathCall) bool { return p.picker == nil || p.picker.PicksCall(c) }

// time passes the time of a call to count, either at once or when it is known that no enclosing call
// counts. It must be called for every call, whether or not it is picked.
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

// Pick restricts the summary to the calls in which src picks an event, if src is a replay.Picker. Negative dentries are not
// counted then. It must be called before the first record.
func (s *Summarizer) Pick(src replay.Source) { s.picked = pickedOf(src) }

// picksCall reports whether a call is picked. It also adds up the call's time and remembers its program.
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
