// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	errVarint  = errors.New("malformed varint in a column")
	errTooLong = errors.New("a column has more values than are allowed")
	errTable   = errors.New("columns of one table differ in length")
)

// count is how many values a packed column has, if it is sound: each ends with a byte of less than 128.
func count(b []byte) (n int) {
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(^binary.LittleEndian.Uint64(b) & highBits)
	}
	for _, c := range b {
		n += int(c>>7 ^ 1)
	}
	return n
}

// A column is taken a value at a time, of a byte most often.

// longVarint returns the value of several bytes of which the second is at, and where the next one begins: behind the end, where
// it is malformed.
func longVarint(b []byte, at int) (v uint64, next int) {
	if at+1 < len(b) {
		switch second, third := b[at], b[at+1]; {
		case second < 0x80:
			return uint64(b[at-1]&0x7f) | uint64(second)<<7, at + 1
		case third < 0x80:
			return uint64(b[at-1]&0x7f) | uint64(second&0x7f)<<7 | uint64(third)<<14, at + 2
		}
	}
	v, size := protowire.ConsumeVarint(b[at-1:])
	if size < 0 {
		return 0, len(b) + 1
	}
	return v, at - 1 + size
}

// decoder makes values of a column that has as many as dst.
type decoder func(dst []uint64, b []byte) error

// plain takes them as they stand there.
func plain(dst []uint64, b []byte) error {
	at := 0
	for i := range dst {
		if at >= len(b) {
			return errTable
		}
		v := uint64(b[at])
		if at++; v >= 0x80 {
			v, at = longVarint(b, at)
		}
		dst[i] = v
	}
	return ended(b, at)
}

// zigzags takes zigzag codes.
func zigzags(dst []uint64, b []byte) error {
	at := 0
	for i := range dst {
		if at >= len(b) {
			return errTable
		}
		u := uint64(b[at])
		if at++; u >= 0x80 {
			u, at = longVarint(b, at)
		}
		dst[i] = u>>1 ^ -(u & 1)
	}
	return ended(b, at)
}

// deltas adds zigzag differences up, from 0.
func deltas(dst []uint64, b []byte) error {
	at, sum := 0, uint64(0)
	for i := range dst {
		if at >= len(b) {
			return errTable
		}
		u := uint64(b[at])
		if at++; u >= 0x80 {
			u, at = longVarint(b, at)
		}
		sum += u>>1 ^ -(u & 1)
		dst[i] = sum
	}
	return ended(b, at)
}

// steps takes codes of packed.step.
func steps(dst []uint64, b []byte) error {
	at, last := 0, uint64(0)
	for i := range dst {
		if at >= len(b) {
			return errTable
		}
		code := uint64(b[at])
		if at++; code >= 0x80 {
			code, at = longVarint(b, at)
		}
		if code != 0 {
			v := last + uint64(protowire.DecodeZigZag(code-1))
			if v == 0 {
				v = last + 1<<63
			}
			code, last = v, v
		}
		dst[i] = code
	}
	return ended(b, at)
}

// ended reports whether a column ends where its last value does.
func ended(b []byte, at int) error {
	switch {
	case at > len(b):
		return errVarint
	case at < len(b):
		return errTable
	}
	return nil
}

// room returns a slice of n elements, in the memory of s if that has room for them. What it holds is to be written yet.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// smalls is a column of numbers that are small mostly: its bytes as they stand in the frame, where
// all are less than 128.
type smalls struct {
	bytes []byte
	wide  []uint64 // else
	buf   []uint64
	same  int // see run
}

// load takes a column of n values, all of them less than below; -1: whatever they are.
func (s *smalls) load(b []byte, n, below int) (err error) {
	if s.bytes, s.wide, s.same = b, nil, 0; len(b) == n && fit(b, below) {
		return nil
	}
	if err = s.decode(plain, b, n); err != nil || below < 0 {
		return err
	}
	for _, v := range s.wide {
		if v >= uint64(below) {
			return outside(v, below)
		}
	}
	return nil
}

// decode makes n values of a column.
func (s *smalls) decode(as decoder, b []byte, n int) error {
	s.buf = room(s.buf, n)
	s.bytes, s.wide, s.same = nil, s.buf, 0
	return as(s.wide, b)
}

// outside is the error of an index that points outside a table.
func outside(row uint64, rows int) error { return fmt.Errorf("row %d of %d", row, rows) }

// highBits are those of eight bytes that say that a varint goes on.
const highBits = 0x8080808080808080

// fit reports whether bytes are less than 128, and than below where that is not negative.
func fit(b []byte, below int) bool {
	add := uint64(0)
	if below >= 0 && below < 0x80 {
		add = uint64(0x80-below) * (highBits >> 7)
	}
	var high uint64
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		high |= w | (w&^highBits + add)
	}
	for _, v := range b {
		high |= uint64(v) | (uint64(v&0x7f) + add&0xff)
	}
	return high&highBits == 0
}

func (s *smalls) at(i int) uint64 {
	if s.wide == nil {
		return uint64(s.bytes[i])
	}
	return s.wide[i]
}

// run is up to where values are the same as value i; asked for in order.
func (s *smalls) run(i int) int {
	if i < s.same {
		return s.same
	}
	v := s.at(i)
	i++
	if s.wide == nil {
		for ; i+8 <= len(s.bytes) && binary.LittleEndian.Uint64(s.bytes[i:]) == v*(highBits>>7); i += 8 {
		}
	}
	for ; i < max(len(s.bytes), len(s.wide)) && s.at(i) == v; i++ {
	}
	s.same = i
	return i
}
