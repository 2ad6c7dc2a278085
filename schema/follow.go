// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// follows is how values of a batch follow from others, so that they need not stand there.
type follows struct {
	nameHash  NameHash // of keys; NAME_HASH_UNSPECIFIED: none follows
	hashtable uint64   // address of bucket 0; 0: buckets follow from nothing
	shift     uint32
}

// followsFrom is what holds on a kernel.
func followsFrom(l *Layout) follows {
	var f follows
	if l.GetNameHash() == NameHash_NAME_HASH_WORD64_LE {
		f.nameHash = l.GetNameHash()
	}
	if l.GetDHashShift() != 0 {
		f.hashtable, f.shift = l.GetDentryHashtable(), l.GetDHashShift()
	}
	return f
}

// hash is what the hash of a key is, unless it has one of its own.
func (f *follows) hash(parent uint64, name string) uint32 {
	if parent == 0 || len(name) > maxComponent {
		return 0
	}
	return HashName(parent, name)
}

// maxComponent is NAME_MAX of include/uapi/linux/limits.h.
const maxComponent = 255

// bucket is where a dentry of a hash has its place.
func (f *follows) bucket(hash uint32) uint64 {
	if f.hashtable == 0 || f.shift > 31 {
		return 0
	}
	return f.hashtable + 8*uint64(hash>>f.shift)
}

// follower tells the rows of a table that a column names by what followed the same row before,
// and by their order: tasks go the same ways again, and a table's rows stand in the order in
// which they are first named.
type follower struct {
	after []uint32 // by row: what followed it last, + 1; 0: nothing has
	last  uint64
	next  uint64 // one more than the largest so far
}

// The codes: what followed the row before when that was named last, the next new row, and from
// here on the row itself.
const (
	codeAgain = iota
	codeNew
	codeRow
)

var errFollows = errors.New("nothing has followed this row yet")

func (f *follower) reset() { *f = follower{after: append(f.after[:0], 0)} }

// code is what stands in the file for a row.
func (f *follower) code(row uint64) uint64 {
	for row >= uint64(len(f.after)) {
		f.after = append(f.after, 0)
	}
	last := &f.after[f.last]
	f.last = row
	if *last == uint32(row+1) {
		return codeAgain
	}
	*last = uint32(row + 1)
	if row < f.next {
		return row + codeRow
	}
	code := row + codeRow
	if row == f.next {
		code = codeNew
	}
	f.next = row + 1
	return code
}

// rows makes rows of the codes of a column, that names rows of a table of so many; it has as many values as to.
func (f *follower) rows(to []uint32, column []byte, rows int) error {
	f.after = append(f.after[:0], make([]uint32, rows)...)
	after, at, last, next := f.after, 0, uint32(0), uint64(0)
	for i := range to {
		switch {
		case at >= len(column):
			return errTable
		case int(last) >= len(after): // there is no row
			return outside(0, rows)
		}
		code := uint64(column[at])
		if at++; code == codeAgain { // most often
			if after[last] == 0 {
				return errFollows
			}
			last = after[last] - 1
			to[i] = last
			continue
		}
		if code >= 0x80 {
			code, at = longVarint(column, at)
		}
		row := code - codeRow
		if code == codeNew {
			row = next
		}
		if row >= uint64(len(after)) {
			return outside(row, rows)
		}
		after[last] = uint32(row + 1)
		last, next = uint32(row), max(next, row+1)
		to[i] = last
	}
	return ended(column, at)
}

// plainRows is rows of a column without codes.
func plainRows(to []uint32, column []byte, rows int) error {
	at := 0
	for i := range to {
		if at >= len(column) {
			return errTable
		}
		row := uint64(column[at])
		if at++; row >= 0x80 {
			row, at = longVarint(column, at)
		}
		if row >= uint64(rows) {
			return outside(row, rows)
		}
		to[i] = uint32(row)
	}
	return ended(column, at)
}

// loadHashes gives the keys their hashes: those that follow, and those of their own.
func (b *batchReader) loadHashes() (err error) {
	hashes := b.raw[fieldKeyHash]
	switch b.follows.nameHash {
	case NameHash_NAME_HASH_UNSPECIFIED:
		if len(hashes) != 4*len(b.keys) {
			return errTable
		}
		for i := range b.keys {
			b.keys[i].hash = binary.LittleEndian.Uint32(hashes[4*i:])
		}
		return nil
	case NameHash_NAME_HASH_WORD64_LE:
	default:
		return fmt.Errorf("hashes that follow by name_hash %d", b.follows.nameHash)
	}
	for i := range b.keys {
		k := &b.keys[i]
		k.hash = b.follows.hash(k.parent, k.name)
	}
	own, row := &b.scratch[0], uint64(0)
	n := min(count(b.raw[fieldKeyOwnHash]), len(b.keys))
	if err = own.load(b.raw[fieldKeyOwnHash], n, -1); err != nil {
		return err
	}
	for i := range n {
		code := own.at(i)
		skipped, same := code>>1, code&1 == 1
		switch {
		case skipped >= uint64(len(b.keys))-row, same && row+skipped == 0:
			return fmt.Errorf("a hash for key %d of %d", row+skipped, len(b.keys))
		case !same && len(hashes) < 4:
			return errTable
		}
		row += skipped
		if same {
			b.keys[row].hash = b.keys[row-1].hash
		} else {
			b.keys[row].hash, hashes = binary.LittleEndian.Uint32(hashes), hashes[4:]
		}
		row++
	}
	if len(hashes) > 0 {
		return errTable
	}
	return nil
}

// loadTimes decodes the times, of which there are as many as there are events.
func (b *batchReader) loadTimes() error {
	high, low := b.raw[fieldTimeHigh], b.raw[fieldTimeLow]
	if high == nil {
		return b.loadTimeDeltas()
	}
	n := count(high)
	switch {
	case n > MaxBatchEvents:
		return errTooLong
	case len(low) != n:
		return errTable
	}
	b.time = room(b.time, n)
	at, sum, time := 0, b.base, b.time
	for i, l := range low {
		if at >= len(high) || i >= len(time) {
			return errTable
		}
		v := uint64(high[at])
		if at++; v >= 0x80 {
			v, at = longVarint(high, at)
		}
		sum += v<<8 | uint64(l)
		time[i] = sum
	}
	return ended(high, at)
}

// loadTimeDeltas is loadTimes of version 1.
func (b *batchReader) loadTimeDeltas() (err error) {
	column := b.raw[fieldTimeDelta]
	n := count(column)
	if n > MaxBatchEvents {
		return errTooLong
	}
	b.time = room(b.time, n)
	err = deltas(b.time, column)
	for i := range b.time {
		b.time[i] += b.base
	}
	return err
}
