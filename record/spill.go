// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"slices"

	"github.com/dtrec/dtrec/bpf"
)

// spill is where records are copied to that wait while the ring buffer gets full: then the programs have room there.
type spill struct {
	chunks [maxSpill / spillBytes]*spilled // by number
	last   int                             // the number of the one that is being filled
	free   []*spilled
}

// spilled is a piece of memory with records; when none is left to be written it is used again.
type spilled struct {
	data []byte
	left int
}

const (
	spillBytes = 128 << 10 // of a chunk: 17 bits
	maxSpill   = 24 << 20  // then the ring buffer fills, and loss is counted

	// Where a record lies that is spilled, as bpf.Entry.At: this, the number of its chunk, its offset there, and its size in words.
	isSpilled   = 1 << 63
	numberShift = 40
	offsetShift = 16
)

// take copies the records of entries that are in the ring buffer still; false: there is no room for all.
func (s *spill) take(from source, entries []bpf.Entry) bool {
	for i := range entries {
		e := &entries[i]
		if e.At&isSpilled != 0 {
			continue
		}
		record := from.Record(e.At)
		c := s.room(len(record))
		if c == nil {
			return false
		}
		e.At = isSpilled | uint64(s.last)<<numberShift | uint64(len(c.data))<<offsetShift | uint64(len(record)+7)/8
		c.data = append(c.data, record...)
		c.data = append(c.data, make([]byte, -len(record)&7)...)
		c.left++
	}
	return true
}

// room is the chunk that has room for so many bytes, and words; nil: there is none.
func (s *spill) room(bytes int) *spilled {
	if c := s.chunks[s.last]; c != nil && len(c.data)+bytes+8 <= spillBytes {
		return c
	}
	if s.last = slices.Index(s.chunks[:], nil); s.last < 0 {
		s.last = 0
		return nil
	}
	c := &spilled{}
	if n := len(s.free); n > 0 {
		c, s.free = s.free[n-1], s.free[:n-1]
	} else {
		c.data = make([]byte, 0, spillBytes)
	}
	s.chunks[s.last] = c
	return c
}

// record is one that was spilled.
func (s *spill) record(at uint64) []byte {
	offset := at >> offsetShift & (1<<(numberShift-offsetShift) - 1)
	return s.chunks[at&^isSpilled>>numberShift].data[offset:][:8*(at&(1<<offsetShift-1))]
}

// written forgets a record.
func (s *spill) written(at uint64) {
	n := at &^ isSpilled >> numberShift
	c := s.chunks[n]
	if c.left--; c.left == 0 {
		c.data = c.data[:0]
		s.chunks[n], s.free = nil, append(s.free, c)
	}
}
