// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// tally adds up amounts by key in bounded memory, however many keys there are. When there are more keys than it
// keeps, it forgets the half with the smallest amounts. The largest amount that a forgotten key may have had
// becomes the error of every key inserted afterwards. So the true amount of an entry lies between Amount and
// Amount + Error, and every key whose amount exceeds floor has an entry.
//
// This is the bound of Space-Saving (Metwally, Agrawal, El Abbadi 2005), kept with a table that is halved from
// time to time instead of a heap.
type tally[V any] struct {
	entries []entry[V] // in the order of insertion
	slots   []slot     // open addressing by the hash of the key
	most    int
	keys    strings.Builder // memory of the last keys, so that many share one allocation
	bytes   int             // total length of the keys
	floor   uint64          // the most that a forgotten key may have had
	total   uint64
	bounds  []uint64 // scratch space of halve
}

// slot holds the index of an entry and the hash of its key, which is compared first so that most other keys
// need not be read.
type slot struct {
	at   uint32 // index in entries plus 1; 0: empty
	hash uint32
}

// entry is what is known of a key. What covers only the occurrences that Amount counts, not those in Error.
type entry[V any] struct {
	Key           string
	Amount, Error uint64
	What          V

	hash uint32 // of Key
}

// Bounds on a tally: the number of keys (as passed to newTally), and their total length.
const (
	maxKeys     = 1 << 14
	maxKeyBytes = 4 << 20
)

// keyChunk is the size in bytes of one allocation for keys.
const keyChunk = 4 << 10

func newTally[V any](most int) *tally[V] { return &tally[V]{most: most} }

// add adds an amount to a key and returns the key's value, which is valid until the next call of add or
// addTo.
func (t *tally[V]) add(key string, amount uint64) *V { return t.addTo("", key, amount) }

// addTo is add for the key prefix+rest, without joining the two. One key must always be split at the same
// place, because the hash depends on it.
func (t *tally[V]) addTo(prefix, rest string, amount uint64) *V {
	t.total += amount
	hash := hashOf(prefix, rest)
	e := t.find(hash, prefix, rest)
	if e == nil {
		e = t.insert(hash, prefix, rest)
	}
	e.Amount += amount
	return &e.What
}

// seed is shared by all tallies.
var seed = maphash.MakeSeed()

func hashOf(prefix, rest string) uint32 {
	h := maphash.String(seed, rest)
	if prefix != "" {
		h ^= bits.RotateLeft64(maphash.String(seed, prefix), 29)
	}
	return uint32(h >> 32)
}

// find returns the entry of a key, or nil.
func (t *tally[V]) find(hash uint32, prefix, rest string) *entry[V] {
	mask := uint32(len(t.slots) - 1)
	for i := hash; len(t.slots) > 0; i++ {
		s := t.slots[i&mask]
		if s.at == 0 {
			return nil
		}
		if s.hash != hash {
			continue
		}
		if e := &t.entries[s.at-1]; len(e.Key) == len(prefix)+len(rest) && e.Key[len(prefix):] == rest && e.Key[:len(prefix)] == prefix {
			return e
		}
	}
	return nil
}

// insert adds an entry for a key that has none.
func (t *tally[V]) insert(hash uint32, prefix, rest string) *entry[V] {
	if size := len(prefix) + len(rest); len(t.entries) >= t.most || t.bytes+size > maxKeyBytes {
		t.halve()
	}
	if 2*(len(t.entries)+1) > len(t.slots) {
		t.slots = make([]slot, max(64, 2*len(t.slots)))
		t.entries = slices.Grow(t.entries, len(t.slots)/2-len(t.entries))
		t.place()
	}
	t.entries = append(t.entries, entry[V]{Key: t.own(prefix, rest), Error: t.floor, hash: hash})
	t.slots[t.free(hash)] = slot{uint32(len(t.entries)), hash}
	return &t.entries[len(t.entries)-1]
}

// own returns a copy of a key, in the current allocation for keys if it has room.
func (t *tally[V]) own(prefix, rest string) string {
	size := len(prefix) + len(rest)
	t.bytes += size
	if t.keys.Cap()-t.keys.Len() < size {
		t.keys.Reset()
		t.keys.Grow(max(size, min(keyChunk, t.bytes)))
	}
	from := t.keys.Len()
	t.keys.WriteString(prefix)
	t.keys.WriteString(rest)
	return t.keys.String()[from:]
}

// free returns the first empty slot for a hash.
func (t *tally[V]) free(hash uint32) uint32 {
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].at != 0 {
		i = (i + 1) & mask
	}
	return i
}

// place assigns a slot to every entry. All slots must be empty.
func (t *tally[V]) place() {
	for i := range t.entries {
		hash := t.entries[i].hash
		t.slots[t.free(hash)] = slot{uint32(i + 1), hash}
	}
}

// halve forgets the half of the keys with the smallest bounds; among equal ones, those inserted last.
func (t *tally[V]) halve() {
	most := len(t.entries) / 2
	t.bounds = t.bounds[:0]
	for i := range t.entries {
		t.bounds = append(t.bounds, t.entries[i].Amount+t.entries[i].Error)
	}
	foremost(t.bounds, most, func(a, b uint64) int { return cmp.Compare(b, a) })
	last, equal := uint64(math.MaxUint64), 0 // the smallest bound that stays, and how many keys may stay with it
	for _, b := range t.bounds[:most] {
		if b < last {
			last, equal = b, 0
		}
		if b == last {
			equal++
		}
	}
	kept := t.entries[:0]
	t.keys, t.bytes = strings.Builder{}, 0
	for i := range t.entries {
		e := &t.entries[i]
		bound := e.Amount + e.Error
		if bound == last {
			equal--
		}
		if bound < last || bound == last && equal < 0 {
			t.floor = max(t.floor, bound)
			continue
		}
		e.Key = t.own(e.Key, "") // a copy, so that the memory shared with forgotten keys is released
		kept = append(kept, *e)
	}
	clear(t.entries[len(kept):])
	t.entries = kept
	clear(t.slots)
	t.place()
}

func (t *tally[V]) all() []*entry[V] {
	all := make([]*entry[V], len(t.entries))
	for i := range t.entries {
		all[i] = &t.entries[i]
	}
	return all
}

// compare orders entries by the largest possible amount first, then by amount, then by key.
func (e *entry[V]) compare(o *entry[V]) int {
	if a, b := e.Amount+e.Error, o.Amount+o.Error; a != b {
		return cmp.Compare(b, a)
	}
	if e.Amount != o.Amount {
		return cmp.Compare(o.Amount, e.Amount)
	}
	return cmp.Compare(e.Key, o.Key)
}

// foremost moves the n smallest elements of s to its front, in no particular order (Hoare's quickselect).
func foremost[E any](s []E, n int, compare func(a, b E) int) {
	for n > 0 && n < len(s) {
		pivot, i, j := s[len(s)/2], 0, len(s)-1
		for i <= j {
			for compare(s[i], pivot) < 0 {
				i++
			}
			for compare(s[j], pivot) > 0 {
				j--
			}
			if i <= j {
				s[i], s[j] = s[j], s[i]
				i, j = i+1, j-1
			}
		}
		switch { // s[:j+1] is less than or equal to the pivot, s[i:] greater than or equal
		case n <= j:
			s = s[:j+1]
		case n >= i:
			s, n = s[i:], n-i
		default:
			return
		}
	}
}

// sorted returns all entries, the largest possible amount first.
func (t *tally[V]) sorted() []*entry[V] {
	all := t.all()
	slices.SortFunc(all, (*entry[V]).compare)
	return all
}

// top returns the first n entries of sorted.
func (t *tally[V]) top(n int) []*entry[V] {
	all := t.all()
	n = min(n, len(all))
	foremost(all, n, (*entry[V]).compare)
	slices.SortFunc(all[:n], (*entry[V]).compare)
	return all[:n]
}

// counted pairs names with counts and leaves out counts of 0.
func counted(names []string, counts []uint64) []Count {
	out := []Count{}
	for i, name := range names {
		if counts[i] > 0 {
			out = append(out, Count{name, counts[i]})
		}
	}
	return out
}

func mostFirst(counts map[string]uint64) []Count {
	out := []Count{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, Count{name, counts[name]})
	}
	slices.SortStableFunc(out, func(a, b Count) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
