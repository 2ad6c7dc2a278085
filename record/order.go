// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/bpf"
)

// slack is how far, in nanoseconds, a record may lie behind a later one of the ring buffer.
const slack = uint64(bpf.Lag)

// chunk is a piece of memory the drain fills with raw records.
type chunk struct {
	raw  []byte
	left int // records not yet written; at 0 the memory is used again
}

// entry is one record waiting for its turn.
type entry struct {
	time uint64
	at   int // where it starts in its chunk
	in   *chunk
}

// sorter puts records in order of time. Records of one thread keep their order:
// they are in it already, and equal times are never swapped.
type sorter struct {
	pending []entry
	sorted  int    // so many of pending are in order
	newest  uint64 // latest time seen
}

// add takes the records of a chunk.
func (s *sorter) add(c *chunk) error {
	for at := 0; at < len(c.raw); {
		n, err := bpf.Size(c.raw[at:])
		if err != nil {
			return err
		}
		time := bpf.Time(c.raw[at:])
		s.pending = append(s.pending, entry{time, at, c})
		s.newest = max(s.newest, time)
		c.left++
		at += n
	}
	return nil
}

// release returns the records no later one can precede: those older than slack
// before horizon, or before the newest record seen; and of those the ones from times
// whose losses are known, up to slack before settled. The slice is valid until the
// next call of drop.
func (s *sorter) release(horizon, settled uint64) []entry {
	horizon = min(max(horizon, s.newest), settled)
	if horizon < slack {
		return nil
	}
	return s.before(horizon - slack)
}

// before returns the records with a time below limit, in order.
func (s *sorter) before(limit uint64) []entry {
	if s.sorted < len(s.pending) {
		slices.SortStableFunc(s.pending, func(a, b entry) int { return cmp.Compare(a.time, b.time) })
		s.sorted = len(s.pending)
	}
	n, _ := slices.BinarySearchFunc(s.pending, limit, func(e entry, t uint64) int { return cmp.Compare(e.time, t) })
	return s.pending[:n]
}

// drop forgets the first n records, those released.
func (s *sorter) drop(n int) {
	s.pending = append(s.pending[:0], s.pending[n:]...)
	s.sorted = len(s.pending)
}
