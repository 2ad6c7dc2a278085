// SPDX-License-Identifier: Apache-2.0

package diff

import "slices"

// program aligns the units of the tasks of one name as they come in from the two
// runs.
type program struct {
	c    *comparison
	comm string
	q    [2]queue
	need int       // units each queue must hold before the next attempt
	made [2]uint64 // units the side has brought
	open [2]uint64 // opens among them

	tid  [2]uint32 // thread of the last unit
	lone [2]uint64 // position since which it made all units

	matches uint64 // pairs so far, of any kind
	within  stretch
	only    [2][]*unit // on one side only, still to be told: see order.go
	gaps    int        // told so far
	reached [2]uint64  // time of the last match
	before  [2]uint64  // and of the one before the last ones, if these are of one label
	label   uint64     // that label
	ends    [2]uint64  // when the gap being told ends
	dropped [2]uint64  // one-sided units beyond the bound
	diffs   []placed
}

// queue is the units of one side that wait for the other.
type queue struct {
	units []*unit
	head  int
}

func (q *queue) len() int       { return len(q.units) - q.head }
func (q *queue) at(i int) *unit { return q.units[q.head+i] }
func (q *queue) rest() []*unit  { return q.units[q.head:] }
func (q *queue) push(u *unit)   { q.units = append(q.units, u) }
func (q *queue) drop(n int) {
	clear(q.units[q.head : q.head+n])
	if q.head += n; q.head == len(q.units) {
		q.units, q.head = q.units[:0], 0
	} else if q.head > 1024 && q.head > len(q.units)/2 {
		q.units = slices.Delete(q.units, 0, q.head)
		q.head = 0
	}
}

const (
	firstNeed = 64      // units in a first window
	anchorRun = 4       // matches in a row that a decision may rest on
	kinRun    = 16      // units of one label in a row that it may rest on
	fullUnits = 1 << 13 // units a queue keeps with their steps
)

// push takes a unit of a side, 0 or 1.
func (p *program) push(side int, u *unit) {
	p.made[side]++
	if u.tid != p.tid[side] {
		p.tid[side], p.lone[side] = u.tid, p.made[side]
	}
	u.position, u.lone = p.made[side], p.lone[side]
	if u.kind == opening {
		p.open[side]++
	}
	other := &p.q[1-side]
	if q := &p.q[side]; q.len() == 0 && other.len() > 0 && other.at(0).same(u) {
		if side == 0 {
			p.match(u, other.at(0))
		} else {
			p.match(other.at(0), u)
		}
		other.drop(1)
		return
	}
	if p.q[side].len() >= fullUnits {
		u.slim()
	}
	p.q[side].push(u)
	p.drain(false)
}

// drain aligns what the queues hold as far as more units cannot change it.
//
//  1. Heads that agree are a match.
//  2. Where they do not, a window of both queues is aligned, and everything up to
//     the last run of matches in it is decided.
//  3. Without such a run the window doubles: it grows with the difference.
//  4. At the end of both runs everything is decided.
func (p *program) drain(end bool) {
	a, b := &p.q[0], &p.q[1]
	for {
		n := 0
		for n < a.len() && n < b.len() && a.at(n).same(b.at(n)) {
			p.match(a.at(n), b.at(n))
			n++
		}
		a.drop(n)
		b.drop(n)
		if a.len() == 0 && b.len() == 0 || !end && (a.len() < p.need || b.len() < p.need) {
			return
		}
		if !p.window(end) {
			p.need *= 2
		} else {
			p.need = firstNeed
		}
	}
}

// window aligns the heads of the queues and decides what it can.
func (p *program) window(end bool) bool {
	wa, wb := p.q[0].rest(), p.q[1].rest()
	if !end {
		wa, wb = wa[:p.need], wb[:p.need]
	}
	pairs := slices.Clone(p.c.align.align(len(wa), len(wb), sequence{
		same: func(i, j int) bool { return wa[i].same(wb[j]) },
		kin:  func(i, j int) bool { return wa[i].label == wb[j].label },
		keyA: func(i int) uint64 { return wa[i].folded },
		keyB: func(j int) uint64 { return wb[j].folded },
	}))
	endA, endB := len(wa), len(wb)
	if !end {
		if pairs = lastRun(pairs); pairs == nil {
			return false
		}
		endA, endB = pairs[len(pairs)-1].a+1, pairs[len(pairs)-1].b+1
	}
	a, b := 0, 0
	for _, m := range pairs {
		if !m.kin {
			p.gap(wa[a:m.a], wb[b:m.b], wa[m.a], wb[m.b])
			p.match(wa[m.a], wb[m.b])
			a, b = m.a+1, m.b+1
		}
	}
	p.gap(wa[a:endA], wb[b:endB], p.q[0].after(endA), p.q[1].after(endB))
	p.q[0].drop(endA)
	p.q[1].drop(endB)
	return true
}

// after returns the n-th unit, nil if it is not there yet.
func (q *queue) after(n int) *unit {
	if n < q.len() {
		return q.at(n)
	}
	return nil
}

// lastRun cuts pairs behind the last run of matches without a gap, or of kin, of
// which it takes more; nil: there is no such run.
func lastRun(pairs []pair) []pair {
	same, any := 0, 0
	for i := len(pairs) - 1; i >= 0; i-- {
		if same++; pairs[i].kin {
			same = 0
		}
		if any++; same == anchorRun {
			return pairs[:i+anchorRun]
		} else if any == kinRun {
			return pairs[:i+kinRun]
		}
		if i > 0 && (pairs[i-1].a != pairs[i].a-1 || pairs[i-1].b != pairs[i].b-1) {
			same, any = 0, 0
		}
	}
	return nil
}

// match notes that two units are counterparts.
func (p *program) match(a, b *unit) {
	p.c.result.Same++
	p.pivot(a, b)
	p.c.sides[0].recycle(a)
	p.c.sides[1].recycle(b)
}

// passed is up to when a run is told by the unit; one that lost events may have taken in
// what came after it.
func (u *unit) passed() uint64 {
	if u.lossy {
		return u.from
	}
	return u.to
}

// pivot takes two counterparts, alike or not, as a point both runs have passed.
func (p *program) pivot(a, b *unit) {
	p.matches++
	if p.matches == 1 || a.label != p.label {
		p.before, p.label = p.reached, a.label
	}
	p.reached = [2]uint64{a.passed(), b.passed()}
	p.within.passed(p.matches, a, b)
}
