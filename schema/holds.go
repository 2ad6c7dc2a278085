// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"slices"
)

// filterHash is the hash, for Index.holds, of something that a frame has: FNV-1a of its kind and its bytes.
type filterHash uint64

const (
	maxHolds    = 512     // bytes of one filter
	holdsBudget = 3 << 20 // bytes of all filters, so that the index keeps to its bound
)

func filterHashOf(kind byte, what string) filterHash {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 1099511628211
	}
	return filterHash(h)
}

func commHash(comm string) filterHash { return filterHashOf('c', comm) }

func pidHash(pid uint32) filterHash {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], pid)
	return filterHashOf('p', string(b[:]))
}

func pathHash(path string) filterHash { return filterHashOf('n', path) }

// places returns which bits stand for the hash in a filter of so many bytes.
func (m filterHash) places(bytes int) (bits [4]uint32) {
	h, g := uint32(m), uint32(m>>32)|1
	for i := range bits {
		bits[i] = (h + uint32(i)*g) % uint32(8*bytes)
	}
	return bits
}

// bloomFilter returns the Bloom filter of a frame with these hashes.
func bloomFilter(hashes []filterHash) []byte {
	size := 16
	for size < len(hashes) && size < maxHolds {
		size *= 2
	}
	filter := make([]byte, size)
	for _, m := range hashes {
		for _, bit := range m.places(size) {
			filter[bit/8] |= 1 << (bit % 8)
		}
	}
	return filter
}

// mayHold reports whether a frame can have one of the wanted things. If none is wanted, it is true.
func mayHold[T any](x *Index, frame int, wanted []T, hashOf func(T) filterHash) bool {
	if len(wanted) == 0 || len(x.Holds) == 0 || len(x.Holds[frame]) == 0 {
		return true
	}
	filter := x.Holds[frame]
	return slices.ContainsFunc(wanted, func(w T) bool {
		for _, bit := range hashOf(w).places(len(filter)) {
			if filter[bit/8]>>(bit%8)&1 == 0 {
				return false
			}
		}
		return true
	})
}

// MayHoldComm reports whether the frame can have an event of a task with one of these names. It is true if
// there are none.
func (x *Index) MayHoldComm(frame int, comms []string) bool {
	return mayHold(x, frame, comms, commHash)
}

// MayHoldPID is MayHoldComm for process ids.
func (x *Index) MayHoldPID(frame int, pids []uint32) bool { return mayHold(x, frame, pids, pidHash) }

// MayHoldPath is MayHoldComm for paths: whether a call was entered with one of them.
func (x *Index) MayHoldPath(frame int, paths []string) bool {
	return mayHold(x, frame, paths, pathHash)
}
