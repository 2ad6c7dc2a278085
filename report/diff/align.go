// SPDX-License-Identifier: Apache-2.0

package diff

import "github.com/dtrec/dtrec/internal/rising"

// pair is a run of n consecutive elements of one sequence that is paired with n of the other.
type pair struct {
	a, b, n int
	partial bool // n is 1, and the two elements are similar but not the same
}

// Bounds on what is aligned exactly.
const (
	maxTable  = 1 << 20 // cells of the table
	maxLength = (1<<16 - 1) / sameWorth
	window    = 512 // elements of each sequence in one step of slide
)

// aligner finds a common subsequence of two sequences. It can be used repeatedly and keeps its table.
type aligner struct {
	worth func(i, j int) int       // of pairing element i of one sequence with j of the other
	key   func(side, i int) uint64 // equal for equal elements; used to find anchors in long sequences
	score []uint16
	pairs []pair
}

func (al *aligner) same(i, j int) bool { return al.worth(i, j) == sameWorth }

// The worth of a pair. Two equal elements are worth more than any two other pairs, so that the others only
// decide between alignments with as many equal elements.
const (
	sameWorth  = 7
	nearWorth  = 3
	labelWorth = 2
)

// align returns the pairs of a best common subsequence of a[0:n] and b[0:m], or of one that is nearly as good if
// the sequences are too long for an exact solution:
//
//  1. The common prefix and suffix are paired.
//  2. If the table is large enough, the rest is solved exactly.
//  3. Otherwise the elements that occur once on each side are anchors, in the longest
//     order that both sides share, and the stretches between them are aligned separately.
//  4. Without an anchor, a window slides over both sequences.
//
// The last pair is the end of both sequences and has no elements. The pairs are valid until the next call.
func (al *aligner) align(n, m int, worth func(i, j int) int, key func(side, i int) uint64) []pair {
	al.worth, al.key, al.pairs = worth, key, al.pairs[:0]
	al.stretch(0, n, 0, m)
	return append(al.pairs, pair{a: n, b: m})
}

func (al *aligner) stretch(a0, a1, b0, b1 int) {
	begin, end := 0, 0
	for a0+begin < a1 && b0+begin < b1 && al.same(a0+begin, b0+begin) {
		begin++
	}
	al.add(a0, b0, begin)
	a0, b0 = a0+begin, b0+begin
	for a0 < a1 && b0 < b1 && al.same(a1-1, b1-1) {
		a1, b1, end = a1-1, b1-1, end+1
	}
	if n, m := a1-a0, b1-b0; n < maxLength && m < maxLength && n*m <= maxTable {
		al.exact(a0, a1, b0, b1)
	} else if at := al.anchors(a0, a1, b0, b1); at == nil {
		al.slide(a0, a1, b0, b1)
	} else {
		for _, p := range append(at, pair{a: a1, b: b1}) {
			al.stretch(a0, p.a, b0, p.b)
			al.add(p.a, p.b, p.n)
			a0, b0 = p.a+1, p.b+1
		}
	}
	al.add(a1, b1, end)
}

func (al *aligner) add(a, b, n int) {
	if n > 0 {
		al.pairs = append(al.pairs, pair{a: a, b: b, n: n})
	}
}

// slide aligns the two sequences window by window. The last quarter of the pairs found in a window is
// dropped, because the next window, which begins before them, may find better ones.
func (al *aligner) slide(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 {
		a, b := min(a0+window, a1), min(b0+window, b1)
		from := len(al.pairs)
		al.exact(a0, a, b0, b)
		if a == a1 && b == b1 {
			return
		}
		n := ((len(al.pairs)-from)*3 + 3) / 4
		if n == 0 { // nothing in common in this window
			al.pairs, a0, b0 = al.pairs[:from], a0+(a-a0+1)/2, b0+(b-b0+1)/2
			continue
		}
		al.pairs = al.pairs[:from+n]
		last := al.pairs[from+n-1]
		a0, b0 = last.a+1, last.b+1
	}
}

// exact solves a stretch with a table of the best scores of all suffixes.
func (al *aligner) exact(a0, a1, b0, b1 int) {
	n, m := a1-a0, b1-b0
	w := m + 1
	if need := (n + 1) * w; cap(al.score) < need {
		al.score = make([]uint16, need)
	}
	t := al.score[:(n+1)*w]
	clear(t[n*w:])
	for i := n - 1; i >= 0; i-- {
		t[i*w+m] = 0
		for j := m - 1; j >= 0; j-- {
			best := max(t[(i+1)*w+j], t[i*w+j+1])
			if v := uint16(al.worth(a0+i, b0+j)); v > 0 {
				best = max(best, t[(i+1)*w+j+1]+v)
			}
			t[i*w+j] = best
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch v := uint16(al.worth(a0+i, b0+j)); {
		case v > 0 && t[i*w+j] == t[(i+1)*w+j+1]+v:
			al.pairs = append(al.pairs, pair{a0 + i, b0 + j, 1, v < sameWorth})
			i, j = i+1, j+1
		case t[(i+1)*w+j] >= t[i*w+j+1]:
			i++
		default:
			j++
		}
	}
}

// anchors pairs the elements that occur exactly once on each side and keeps the longest chain that ascends
// on both.
func (al *aligner) anchors(a0, a1, b0, b1 int) (chain []pair) {
	here, there := al.once(0, a0, a1), al.once(1, b0, b1)
	var all []pair
	var at []int
	for i := a0; i < a1; i++ {
		if j, met := there[al.key(0, i)]; met && j >= 0 && here[al.key(0, i)] == i && al.same(i, j) {
			all, at = append(all, pair{a: i, b: j, n: 1}), append(at, j)
		}
	}
	for _, i := range rising.Longest(at) {
		chain = append(chain, all[i])
	}
	return chain
}

// once maps each key to its index, or to -1 if it occurs more than once.
func (al *aligner) once(side, from, to int) map[uint64]int {
	at := make(map[uint64]int)
	for i := from; i < to; i++ {
		key := al.key(side, i)
		if _, met := at[key]; met {
			at[key] = -1
		} else {
			at[key] = i
		}
	}
	return at
}
