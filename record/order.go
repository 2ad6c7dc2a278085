// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/bpf"
)

// chunk is a piece of memory the drain fills with raw records.
type chunk struct {
	raw  []byte
	left int // records not yet written; at 0 the memory is used again
}

// entry is one record waiting for its turn. It has no pointer: there are many.
type entry struct {
	time uint64
	at   uint32 // where it starts in its chunk
	in   uint32 // sorter.chunks
}

// sorter puts records in order of time. Records of one thread keep their order: they are in it
// already, and equal times are never swapped. So are nearly all others: a record that has its
// place in the ring buffer after another was given its time after that had its place.
type sorter struct {
	pending []entry  // in order
	chunks  []*chunk // those with records pending, and nil
}

// add takes the records of a chunk.
func (s *sorter) add(c *chunk) error {
	in := slices.Index(s.chunks, nil)
	if in < 0 {
		in, s.chunks = len(s.chunks), append(s.chunks, nil)
	}
	for at := 0; at < len(c.raw); {
		record, next, err := bpf.Split(c.raw, at)
		if err != nil {
			return err
		}
		if record != nil {
			s.insert(entry{bpf.Time(record), uint32(at), uint32(in)})
			c.left++
		}
		at = next
	}
	if c.left > 0 {
		s.chunks[in] = c
	}
	return nil
}

func (s *sorter) insert(e entry) {
	s.pending = append(s.pending, e)
	for i := len(s.pending) - 1; i > 0 && s.pending[i-1].time > e.time; i-- {
		s.pending[i], s.pending[i-1] = s.pending[i-1], e
	}
}

// written notes that a record was, and returns its chunk if that was the last one of it.
func (s *sorter) written(e *entry) *chunk {
	c := s.chunks[e.in]
	if c.left--; c.left > 0 {
		return nil
	}
	s.chunks[e.in] = nil
	return c
}

// before returns the records with a time below limit, in order; they are good until drop.
func (s *sorter) before(limit uint64) []entry {
	n, _ := slices.BinarySearchFunc(s.pending, limit, func(e entry, t uint64) int { return cmp.Compare(e.time, t) })
	return s.pending[:n]
}

// half returns a time before which about half of the records lie.
func (s *sorter) half() uint64 {
	if len(s.pending) == 0 {
		return 0
	}
	return s.pending[len(s.pending)/2].time + 1
}

// drop forgets the first n records, those written.
func (s *sorter) drop(n int) {
	s.pending = append(s.pending[:0], s.pending[n:]...)
}
