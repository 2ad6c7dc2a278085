// SPDX-License-Identifier: Apache-2.0

package diff

import "github.com/dtrec/dtrec/internal/rising"

// pair is a position in each of two sequences, from which on n elements are paired.
type pair struct {
	a, b, n int
	partial bool // it is one, and the two are not the same
}

// Bounds on what is solved exactly.
const (
	maxTable  = 1 << 20 // cells
	maxLength = (1<<16 - 1) / sameWorth
	window    = 512 // elements of each sequence that are looked at together
)

// aligner finds what two sequences have in common, in order. Its table is used again
// and again.
type aligner struct {
	score []uint16
	pairs []pair
}

// sequence compares element i of one sequence with j of the other; the keys are
// equal where the elements are, and help to find anchors in long sequences.
type sequence struct {
	worth      func(i, j int) int
	keyA, keyB func(int) uint64
}

func (s *sequence) same(i, j int) bool { return s.worth(i, j) == sameWorth }

// What a pair is worth. Two of the same are worth more than any two other pairs, so
// that the others only decide between answers that are as good.
const (
	sameWorth  = 7
	nearWorth  = 3
	labelWorth = 2
)

// align returns the pairs of a best common subsequence of a[0:n] and b[0:m], or of one
// nearly as good where the sequences are too long for the exact answer:
//
//  1. What the two begin and end with is paired off.
//  2. If the table fits, the rest is solved exactly.
//  3. Else elements that occur once on each side are anchors, in the longest order
//     both sides share, and the stretches between are aligned on their own.
//  4. Without an anchor a window slides over both.
//
// The pairs are valid until the next call.
func (al *aligner) align(n, m int, s sequence) []pair {
	al.pairs = al.pairs[:0]
	al.stretch(0, n, 0, m, &s)
	return al.pairs
}

func (al *aligner) stretch(a0, a1, b0, b1 int, s *sequence) {
	begin, end := 0, 0
	for a0+begin < a1 && b0+begin < b1 && s.same(a0+begin, b0+begin) {
		begin++
	}
	al.add(a0, b0, begin)
	a0, b0 = a0+begin, b0+begin
	for a0 < a1 && b0 < b1 && s.same(a1-1, b1-1) {
		a1, b1, end = a1-1, b1-1, end+1
	}
	switch n, m := a1-a0, b1-b0; {
	case n == 0 || m == 0:
	case n < maxLength && m < maxLength && n*m <= maxTable:
		al.exact(a0, a1, b0, b1, s)
	default:
		al.between(a0, a1, b0, b1, s, anchors(a0, a1, b0, b1, s))
	}
	al.add(a1, b1, end)
}

func (al *aligner) add(a, b, n int) {
	if n > 0 {
		al.pairs = append(al.pairs, pair{a: a, b: b, n: n})
	}
}

// between aligns the stretches between anchors.
func (al *aligner) between(a0, a1, b0, b1 int, s *sequence, at []pair) {
	if len(at) == 0 {
		al.slide(a0, a1, b0, b1, s)
		return
	}
	for _, p := range at {
		al.stretch(a0, p.a, b0, p.b, s)
		al.pairs = append(al.pairs, p)
		a0, b0 = p.a+1, p.b+1
	}
	al.stretch(a0, a1, b0, b1, s)
}

// slide aligns a window of both sequences after the other. Of the pairs in a window the
// last quarter may be better ones in the next, which begins before them.
func (al *aligner) slide(a0, a1, b0, b1 int, s *sequence) {
	for a0 < a1 && b0 < b1 {
		a, b := min(a0+window, a1), min(b0+window, b1)
		from := len(al.pairs)
		al.exact(a0, a, b0, b, s)
		if a == a1 && b == b1 {
			return
		}
		n := ((len(al.pairs)-from)*3 + 3) / 4
		if n == 0 { // nothing in common here
			al.pairs, a0, b0 = al.pairs[:from], a0+(a-a0+1)/2, b0+(b-b0+1)/2
			continue
		}
		al.pairs = al.pairs[:from+n]
		last := al.pairs[from+n-1]
		a0, b0 = last.a+1, last.b+1
	}
}

// exact solves a stretch by the table of the best scores of all ends.
func (al *aligner) exact(a0, a1, b0, b1 int, s *sequence) {
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
			if v := uint16(s.worth(a0+i, b0+j)); v > 0 {
				best = max(best, t[(i+1)*w+j+1]+v)
			}
			t[i*w+j] = best
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		switch v := uint16(s.worth(a0+i, b0+j)); {
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

// anchors pairs the elements that occur exactly once on each side and keeps the
// longest chain that runs forward on both.
func anchors(a0, a1, b0, b1 int, s *sequence) []pair {
	type seen struct{ a, b, na, nb int }
	by := make(map[uint64]seen)
	for i := a0; i < a1; i++ {
		e := by[s.keyA(i)]
		e.a, e.na = i, e.na+1
		by[s.keyA(i)] = e
	}
	for j := b0; j < b1; j++ {
		if e := by[s.keyB(j)]; e.na > 0 {
			e.b, e.nb = j, e.nb+1
			by[s.keyB(j)] = e
		}
	}
	var once []pair
	var at []int
	for i := a0; i < a1; i++ {
		if e := by[s.keyA(i)]; e.na == 1 && e.nb == 1 && s.same(i, e.b) {
			once, at = append(once, pair{a: i, b: e.b, n: 1}), append(at, e.b)
		}
	}
	var chain []pair
	for _, i := range rising.Longest(at) {
		chain = append(chain, once[i])
	}
	return chain
}
