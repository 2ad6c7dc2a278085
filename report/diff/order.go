// SPDX-License-Identifier: Apache-2.0

package diff

// stretch is a row of matches that one thread made on each side: only within it does
// the order of calls belong to the program. Between threads it is the scheduler's.
type stretch struct {
	tid   [2]uint32
	since uint64    // number of the first match in the row
	from  [2]uint64 // position of that match among the program's units
	lone  [2]uint64 // position since which one thread made all units, up to the last match
}

// passed takes the next match.
func (s *stretch) passed(n uint64, a, b *unit) {
	if tid := [2]uint32{a.tid, b.tid}; tid != s.tid || s.since == 0 {
		*s = stretch{tid: tid, since: n, from: [2]uint64{a.position, b.position}}
	}
	s.lone = [2]uint64{a.lone, b.lone}
}

// swapped reports whether a unit of A and one of B, the same call, changed places
// with calls of their own thread while no other thread of the program made any: on
// the side of the later one from the row's beginning, on the other up to its end.
func swapped(a, b *unit) bool {
	first, last, side := a, b, 1
	if b.at < a.at {
		first, last, side = b, a, 0
	}
	w := &last.within
	return w.tid == [2]uint32{a.tid, b.tid} && w.since <= first.at+1 &&
		last.lone <= w.from[side] && w.lone[1-side] <= first.position
}

// moves pairs units that both sides have, in different places, and returns the
// pairs. What is left in p.only is on one side only.
func (p *program) moves() [][2]*unit {
	var moved [][2]*unit
	for _, key := range []func(*unit) uint64{
		func(u *unit) uint64 { return u.folded },
		func(u *unit) uint64 { return u.label },
	} {
		at := make(map[uint64][]*unit)
		for _, u := range p.only[1] {
			at[key(u)] = append(at[key(u)], u)
		}
		taken := make(map[*unit]bool)
		p.only[0] = filter(p.only[0], func(a *unit) bool {
			list := at[key(a)]
			if len(list) == 0 {
				return true
			}
			moved = append(moved, [2]*unit{a, list[0]})
			taken[list[0]], at[key(a)] = true, list[1:]
			return false
		})
		p.only[1] = filter(p.only[1], func(b *unit) bool { return !taken[b] })
	}
	return moved
}

func filter(units []*unit, keep func(*unit) bool) []*unit {
	var out []*unit
	for _, u := range units {
		if keep(u) {
			out = append(out, u)
		}
	}
	return out
}
