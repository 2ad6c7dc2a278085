// SPDX-License-Identifier: Apache-2.0

package schema

import "encoding/binary"

// mark is the hash, for Index.holds, of something that a frame has: FNV-1a of its kind and its bytes.
type mark uint64

const (
	maxHolds    = 512     // bytes of one filter
	holdsBudget = 3 << 20 // bytes of all filters, so that the index keeps to its bound
)

func markOf(kind byte, what string) mark {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 1099511628211
	}
	return mark(h)
}

func markComm(comm string) mark { return markOf('c', comm) }

func markPID(pid uint32) mark {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], pid)
	return markOf('p', string(b[:]))
}

func markPath(path string) mark { return markOf('n', path) }

// bits calls f with the place of each bit of the mark in a filter of so many bytes, until f returns false.
func (m mark) bits(bytes int, f func(at, bit int) bool) {
	h, g := uint32(m), uint32(m>>32)|1
	for i := range uint32(4) {
		n := (h + i*g) % uint32(8*bytes)
		if !f(int(n/8), int(n%8)) {
			return
		}
	}
}

// filterOf returns the Bloom filter of a frame with these marks.
func filterOf(marks []mark) []byte {
	size := 16
	for size < len(marks) && size < maxHolds {
		size *= 2
	}
	filter := make([]byte, size)
	for _, m := range marks {
		m.bits(size, func(at, bit int) bool { filter[at] |= 1 << bit; return true })
	}
	return filter
}

// may reports whether a frame can have one of the wanted things. If none is wanted, it is true.
func may[T any](x *Index, frame int, wanted []T, mark func(T) mark) bool {
	if len(wanted) == 0 || len(x.Holds) == 0 || len(x.Holds[frame]) == 0 {
		return true
	}
	filter := x.Holds[frame]
	for _, w := range wanted {
		all := true
		mark(w).bits(len(filter), func(at, bit int) bool {
			all = filter[at]>>bit&1 == 1
			return all
		})
		if all {
			return true
		}
	}
	return false
}

// MayHoldComm reports whether the frame can have an event of a task with one of these names. It is true if
// there are none.
func (x *Index) MayHoldComm(frame int, comms []string) bool { return may(x, frame, comms, markComm) }

// MayHoldPID is MayHoldComm for process ids.
func (x *Index) MayHoldPID(frame int, pids []uint32) bool { return may(x, frame, pids, markPID) }

// MayHoldPath is MayHoldComm for paths: whether a call was entered with one of them.
func (x *Index) MayHoldPath(frame int, paths []string) bool { return may(x, frame, paths, markPath) }
