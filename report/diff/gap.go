// SPDX-License-Identifier: Apache-2.0

package diff

import "math"

// maxKept bounds the units of a program kept that one side alone has.
const maxKept = 4096

// gap tells the units between two matches. na and nb are the units that follow on
// each side; nil at the end of the runs.
//
//  1. What comes after the end of a run that was cut is not compared.
//  2. Units of one label are variants of one call, paired so that the least is left
//     to tell (pairUp).
//  3. The others are on one side only; whether they are there elsewhere is known at
//     the end (order.go).
func (p *program) gap(ga, gb []*unit, na, nb *unit) {
	if na == nil && nb == nil {
		ga, gb = p.cutOff(ga, gb)
	}
	if len(ga) == 0 && len(gb) == 0 {
		return
	}
	p.gaps++
	p.ends = [2]uint64{begins(na), begins(nb)}
	a, b := 0, 0
	for _, m := range append(p.pairUp(ga, gb), pair{a: len(ga), b: len(gb)}) {
		for ; a < m.a; a++ {
			p.alone(0, ga[a], next(ga, a+1, na))
		}
		for ; b < m.b; b++ {
			p.alone(1, gb[b], next(gb, b+1, nb))
		}
		if a < len(ga) && b < len(gb) {
			p.c.vary(variant{p, ga[a], gb[b], p.gaps})
			p.pivot(ga[a], gb[b])
			a, b = a+1, b+1
		}
	}
}

// next is the unit that follows on a side: in the gap, or the match behind it.
func next(units []*unit, i int, behind *unit) *unit {
	if i < len(units) {
		return units[i]
	}
	return behind
}

// cutOff takes away what one run has after the other ended early.
func (p *program) cutOff(ga, gb []*unit) ([]*unit, []*unit) {
	if p.c.short(0) && len(gb) > len(ga) {
		p.c.unreached(gb[len(ga):], 1)
		gb = gb[:len(ga)]
	}
	if p.c.short(1) && len(ga) > len(gb) {
		p.c.unreached(ga[len(gb):], 0)
		ga = ga[:len(gb)]
	}
	return ga, gb
}

// begins is the time of a unit, or of the end of the runs.
func begins(u *unit) uint64 {
	if u == nil {
		return math.MaxUint64
	}
	return u.from
}

// alone takes a unit that has no counterpart here; then is what follows on its side. Of
// several like it, which one the other side lacks is not known: its loss may be before
// those that were found.
func (p *program) alone(side int, u, then *unit) {
	from := p.reached[1-side]
	if u.label == p.label {
		from = p.before[1-side]
	}
	u.lossy = u.lossy || p.c.sides[1-side].lossy(from, p.ends[1-side])
	p.c.upsets(side, u)
	u.at, u.within = p.matches, p.within
	u.gap = p.gaps
	if then != nil {
		then.spell()
		u.then = then.words
	}
	if len(p.only[side]) >= maxKept {
		p.dropped[side]++
		return
	}
	u.slim()
	p.only[side] = append(p.only[side], u)
}

// only1 is a unit as a pair whose other half is missing.
func (p *program) only1(side int, u *unit) Pair {
	u.spell()
	r := Pair{Program: p.comm, Call: u.words, A: u.span()}
	if side == 1 {
		r.A, r.B = r.B, r.A
	}
	return r
}

// maxCosts bounds the table of pairUp, cells.
const maxCosts = 1 << 10

// pairUp pairs the variants in a gap, in order. A pair costs the steps it leaves to
// tell, a unit without counterpart all of its steps; the cheapest pairing is taken,
// or in a large gap the one with most pairs.
func (p *program) pairUp(ga, gb []*unit) []pair {
	if len(ga) == 0 || len(gb) == 0 {
		return nil
	}
	if out := inStep(ga, gb); out != nil {
		return out
	}
	if len(ga)*len(gb) > maxCosts {
		return append([]pair(nil), p.c.align.align(len(ga), len(gb), sequence{
			same: func(i, j int) bool { return ga[i].label == gb[j].label },
			keyA: func(i int) uint64 { return ga[i].label },
			keyB: func(j int) uint64 { return gb[j].label },
		})...)
	}
	t := p.costs(ga, gb)
	var out []pair
	for i, j := 0, 0; i < len(ga) && j < len(gb); {
		c, ok := t.pair[[2]int{i, j}]
		switch {
		case ok && t.least[i][j] == t.least[i+1][j+1]+c:
			out = append(out, pair{a: i, b: j})
			i, j = i+1, j+1
		case t.least[i][j] == t.least[i+1][j]+ga[i].weight():
			i++
		default:
			j++
		}
	}
	return out
}

// costs is what pairings of two lists of units leave to tell.
type costs struct {
	least [][]int        // of what follows i and j, at best
	pair  map[[2]int]int // of a pair of one label
}

func (p *program) costs(ga, gb []*unit) costs {
	n, m := len(ga), len(gb)
	t := costs{make([][]int, n+1), make(map[[2]int]int)}
	for i := range t.least {
		t.least[i] = make([]int, m+1)
	}
	for i := n; i >= 0; i-- {
		for j := m; j >= 0; j-- {
			if i == n && j == m {
				continue
			}
			least := math.MaxInt
			if i < n {
				least = t.least[i+1][j] + ga[i].weight()
			}
			if j < m {
				least = min(least, t.least[i][j+1]+gb[j].weight())
			}
			if i < n && j < m && ga[i].label == gb[j].label {
				c := p.c.distance(ga[i], gb[j])
				t.pair[[2]int{i, j}] = c
				least = min(least, t.least[i+1][j+1]+c)
			}
			t.least[i][j] = least
		}
	}
	return t
}

// inStep pairs the units of a gap one by one if their labels agree throughout and
// there are too many, or too few, to look for a better pairing; else nil.
func inStep(ga, gb []*unit) []pair {
	if len(ga) != len(gb) || len(ga) > 1 && len(ga) < 8 {
		return nil
	}
	out := make([]pair, len(ga))
	for i := range ga {
		if ga[i].label != gb[i].label {
			return nil
		}
		out[i] = pair{a: i, b: i}
	}
	return out
}

// weight is what it costs to tell a unit as one that only one side has.
func (u *unit) weight() int { return 1 + len(u.steps) }
