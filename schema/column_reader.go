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

// count returns how many values a packed column has, if it is sound: each value ends with a byte of less
// than 128.
func count(b []byte) (n int) {
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(^binary.LittleEndian.Uint64(b) & highBits)
	}
	for _, c := range b {
		n += int(c>>7 ^ 1)
	}
	return n
}

// The decoders below handle a one-byte value, the most frequent case, themselves, and call longVarint for
// others.

// longVarint returns a value of several bytes, of which the second is at index at, and the index of the
// next value. A malformed value makes that more than len(b).
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

// decoder decodes a column into dst. It returns an error unless the column has exactly len(dst) values.
type decoder func(dst []uint64, b []byte) error

// plain decodes values that are stored as they are.
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
	return checkEnd(b, at)
}

// zigzags decodes zigzag codes.
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
	return checkEnd(b, at)
}

// deltas decodes zigzag differences and adds them up, from 0.
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
	return checkEnd(b, at)
}

// steps decodes what packed.step wrote.
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
	return checkEnd(b, at)
}

// checkEnd returns an error unless the column ends where its last value does.
func checkEnd(b []byte, at int) error {
	switch {
	case at > len(b):
		return errVarint
	case at < len(b):
		return errTable
	}
	return nil
}

// room returns a slice of n elements, in the memory of s if that is large enough. The caller must write all
// of them.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// smallColumn is a column of mostly small numbers. If all are less than 128, it is the column's bytes as they
// are in the frame.
type smallColumn struct {
	bytes  []byte
	wide   []uint64 // if some are not
	buf    []uint64
	runEnd int // see runFrom
}

// load takes a column of n values. If below is not -1, all of them must be less than that.
func (s *smallColumn) load(b []byte, n, below int) (err error) {
	if s.bytes, s.wide, s.runEnd = b, nil, 0; len(b) == n && allBelow(b, below) {
		return nil
	}
	if err = s.decode(plain, b, n); err != nil || below < 0 {
		return err
	}
	for _, v := range s.wide {
		if v >= uint64(below) {
			return rowError(v, below)
		}
	}
	return nil
}

// decode decodes a column of n values into wide.
func (s *smallColumn) decode(as decoder, b []byte, n int) error {
	s.buf = room(s.buf, n)
	s.bytes, s.wide, s.runEnd = nil, s.buf, 0
	return as(s.wide, b)
}

// rowError is the error for an index that points outside a table.
func rowError(row uint64, rows int) error { return fmt.Errorf("row %d of %d", row, rows) }

// highBits are the bits of eight bytes that say that a varint goes on.
const highBits = 0x8080808080808080

// allBelow reports whether all bytes are less than 128, and less than below unless that is negative.
func allBelow(b []byte, below int) bool {
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

func (s *smallColumn) at(i int) uint64 {
	if s.wide == nil {
		return uint64(s.bytes[i])
	}
	return s.wide[i]
}

// runFrom returns an index up to which all values equal value i. It must be called with growing i.
func (s *smallColumn) runFrom(i int) int {
	if i < s.runEnd {
		return s.runEnd
	}
	v := s.at(i)
	i++
	if s.wide == nil {
		for ; i+8 <= len(s.bytes) && binary.LittleEndian.Uint64(s.bytes[i:]) == v*(highBits>>7); i += 8 {
		}
	}
	for ; i < max(len(s.bytes), len(s.wide)) && s.at(i) == v; i++ {
	}
	s.runEnd = i
	return i
}
