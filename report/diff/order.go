// SPDX-License-Identifier: Apache-2.0

package diff

// order follows one thread of a program through the matches, so that a call met at
// different places of the two runs is a change of order only if its own thread made
// the calls it changed places with.
type order struct {
	last    uint64  // number of the last match the thread was in
	waiting []*unit // units on one side only since then
}

// maxOrders bounds the threads of one program that are followed.
const maxOrders = 1 << 14

func (p *program) order(side int, tid uint32) *order {
	m := p.threads[side]
	if m == nil || len(m) >= maxOrders {
		m = make(map[uint32]*order)
		p.threads[side] = m
	}
	o := m[tid]
	if o == nil {
		o = &order{}
		m[tid] = o
	}
	return o
}

// passed says that the thread is in match n.
func (o *order) passed(n uint64) {
	for _, u := range o.waiting {
		u.next = n
	}
	o.last, o.waiting = n, nil
}

// alone says that a unit of the thread has no counterpart here.
func (o *order) alone(u *unit) {
	u.prev = o.last
	o.waiting = append(o.waiting, u)
}

// swapped reports whether the thread of each unit made a call before it on one side
// that the other's thread made after it: the order of one thread's calls differs.
// Else only the order of different threads does, which is the scheduler's.
func swapped(a, b *unit) bool {
	return a.next != 0 && a.next <= b.prev || b.next != 0 && b.next <= a.prev
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
