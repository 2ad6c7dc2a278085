// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"math"
	"slices"

	"github.com/dtrec/dtrec/bpf"
)

// sorter sorts records by time. Records of one thread keep their order: they arrive in it, and equal times are
// never swapped. Nearly all other records arrive sorted too, because a record's time is taken shortly before
// its place in the ring buffer is reserved.
type sorter struct {
	pending []bpf.Entry // not yet written, sorted by time up to sorted
	sorted  int         // number of sorted entries in pending; those after them come from the last scan
}

// sort sorts what was appended to pending into it (insertion sort).
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

// entriesBefore returns the records with times below limit, in order. They are valid until drop.
func (s *sorter) entriesBefore(limit uint64) []bpf.Entry {
	n, _ := slices.BinarySearchFunc(s.pending, limit, func(e bpf.Entry, t uint64) int { return cmp.Compare(e.Time, t) })
	return s.pending[:n]
}

// median returns a time, in nanoseconds since boot, before which about half of the pending records lie; 0 if
// there are none.
func (s *sorter) median() uint64 {
	if len(s.pending) == 0 {
		return 0
	}
	return s.pending[len(s.pending)/2].Time + 1
}

// lowestPosition returns the lowest ring buffer position among the pending records; the highest possible number if
// there are none.
func (s *sorter) lowestPosition() uint64 {
	at := uint64(math.MaxUint64)
	for i := range s.pending {
		at = min(at, s.pending[i].At)
	}
	return at
}

// drop removes the first n records, which have been written.
func (s *sorter) drop(n int) {
	s.pending = append(s.pending[:0], s.pending[n:]...)
	s.sorted = len(s.pending)
}
