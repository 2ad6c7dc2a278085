// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"math"
	"slices"

	"github.com/dtrec/dtrec/bpf"
)

// sorter puts records in order of time. Records of one thread keep their order: they are in it
// already, and equal times are never swapped. So are nearly all others: a record that has its
// place in the ring buffer after another was given its time after that had its place.
type sorter struct {
	pending []bpf.Entry // in order
	sorted  int         // so many of them; behind them those of the last scan
}

// sort takes in what was appended to pending.
func (s *sorter) sort() {
	p, n := s.pending, max(s.sorted, 1)
	for ; n < len(p); n++ {
		if p[n-1].Time <= p[n].Time {
			continue
		}
		e, i := p[n], n
		for ; i > 0 && p[i-1].Time > e.Time; i-- {
			p[i] = p[i-1]
		}
		p[i] = e
	}
	s.sorted = len(p)
}

// before returns the records with a time below limit, in order; they are good until drop.
func (s *sorter) before(limit uint64) []bpf.Entry {
	n, _ := slices.BinarySearchFunc(s.pending, limit, func(e bpf.Entry, t uint64) int { return cmp.Compare(e.Time, t) })
	return s.pending[:n]
}

// half returns a time before which about half of the records lie.
func (s *sorter) half() uint64 {
	if len(s.pending) == 0 {
		return 0
	}
	return s.pending[len(s.pending)/2].Time + 1
}

// oldest is the first place in the ring buffer that is still needed.
func (s *sorter) oldest() uint64 {
	at := uint64(math.MaxUint64)
	for i := range s.pending {
		at = min(at, s.pending[i].At)
	}
	return at
}

// drop forgets the first n records, those written.
func (s *sorter) drop(n int) {
	s.pending = append(s.pending[:0], s.pending[n:]...)
	s.sorted = len(s.pending)
}
