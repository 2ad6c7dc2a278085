// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// derivation says how values of a batch follow from others, so that the batch need not hold them.
type derivation struct {
	nameHash  NameHash // of keys; NAME_HASH_UNSPECIFIED: no hash follows
	hashtable uint64   // address of bucket 0; 0: no bucket follows
	shift     uint32
}

// derivationOf returns what holds on a kernel with the layout.
func derivationOf(l *Layout) derivation {
	var f derivation
	if l.GetNameHash() == NameHash_NAME_HASH_WORD64_LE {
		f.nameHash = l.GetNameHash()
	}
	if l.GetDHashShift() != 0 {
		f.hashtable, f.shift = l.GetDentryHashtable(), l.GetDHashShift()
	}
	return f
}

// hash returns the hash of a key, unless the key has one of its own.
func (f *derivation) hash(parent uint64, name string) uint32 {
	if parent == 0 || len(name) > maxComponent {
		return 0
	}
	return HashName(parent, name)
}

// maxComponent is NAME_MAX of include/uapi/linux/limits.h.
const maxComponent = 255

// bucket returns the address of the bucket for a hash; 0 if it is not known.
func (f *derivation) bucket(hash uint32) uint64 {
	if f.hashtable == 0 || f.shift > 31 {
		return 0
	}
	return f.hashtable + 8*uint64(hash>>f.shift)
}

// rowCoder encodes a column of table rows by what followed the same row before, and by their order. This is
// short, as tasks take the same paths again and again, and the rows of a table are in the order in which
// they are first used.
type rowCoder struct {
	followedBy []uint32 // by row: the row that followed it last, + 1; 0: none
	last       uint64
	next       uint64 // one more than the largest row so far
}

// The codes: the row that followed the last row when that was used before; the next new row; and from
// codeRow on, the row itself.
const (
	codeAgain = iota
	codeNew
	codeRow
)

var errNoFollower = errors.New("nothing has followed this row yet")

func (f *rowCoder) reset() { *f = rowCoder{followedBy: append(f.followedBy[:0], 0)} }

// code returns the code of a row.
func (f *rowCoder) code(row uint64) uint64 {
	for row >= uint64(len(f.followedBy)) {
		f.followedBy = append(f.followedBy, 0)
	}
	last := &f.followedBy[f.last]
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

// decodeRows decodes a column of codes into to. The column must have exactly len(to) values, each less than rows.
func (f *rowCoder) decodeRows(to []uint32, column []byte, rows int) error {
	f.followedBy = append(f.followedBy[:0], make([]uint32, rows)...)
	after, at, last, next := f.followedBy, 0, uint32(0), uint64(0)
	for i := range to {
		switch {
		case at >= len(column):
			return errTable
		case int(last) >= len(after): // the table is empty
			return rowError(0, rows)
		}
		code := uint64(column[at])
		if at++; code == codeAgain { // most often
			if after[last] == 0 {
				return errNoFollower
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
			return rowError(row, rows)
		}
		after[last] = uint32(row + 1)
		last, next = uint32(row), max(next, row+1)
		to[i] = last
	}
	return checkEnd(column, at)
}

// loadHashes sets the hashes of the keys: those that follow, and those stored.
func (b *batchReader) loadHashes() (err error) {
	hashes := b.raw[fieldKeyHash]
	switch b.derived.nameHash {
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
		return fmt.Errorf("hashes that follow by name_hash %d", b.derived.nameHash)
	}
	for i := range b.keys {
		k := &b.keys[i]
		k.hash = b.derived.hash(k.parent, k.name)
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

// loadTimes decodes the times. Their number is the number of events.
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
	return checkEnd(high, at)
}

// loadTimeDeltas is loadTimes for version 1.
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
