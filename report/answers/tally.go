// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// tally adds up amounts by key, in bounded memory at any length: when there are more keys
// than it keeps, the half with the least is forgotten. What a forgotten key had at most is
// the error of every key that comes after: the true amount of an entry lies between Amount
// and Amount + Error, and a key with more than the largest error is there.
//
// That is the bound of Space-Saving (Metwally, Agrawal, El Abbadi 2005), kept with a map
// that is halved now and then, in place of a heap.
type tally[V any] struct {
	entries map[string]*entry[V]
	most    int
	bytes   int    // of the keys
	floor   uint64 // the most that a forgotten key may have had
	gone    uint64 // how often keys were forgotten
	total   uint64
}

// entry is what is known of a key. What has is of those amounts alone that Amount is of.
type entry[V any] struct {
	Key           string
	Amount, Error uint64
	What          V
}

// Bounds on the keys of a tally.
const (
	maxKeys     = 1 << 14
	maxKeyBytes = 4 << 20
)

func newTally[V any](most int) *tally[V] {
	return &tally[V]{entries: make(map[string]*entry[V]), most: most}
}

// add adds an amount to a key, and returns what else is kept of that.
func (t *tally[V]) add(key string, amount uint64) *V {
	t.total += amount
	e := t.entries[key]
	if e == nil {
		if len(t.entries) >= t.most || t.bytes+len(key) > maxKeyBytes {
			t.halve()
		}
		e = &entry[V]{Key: strings.Clone(key), Error: t.floor}
		t.entries[e.Key] = e
		t.bytes += len(key)
	}
	e.Amount += amount
	return &e.What
}

// halve forgets the half of the keys with the least.
func (t *tally[V]) halve() {
	all := t.all()
	most := len(all) / 2
	foremost(all, most, (*entry[V]).compare)
	for _, e := range all[most:] {
		t.floor = max(t.floor, e.Amount+e.Error)
		t.bytes -= len(e.Key)
		delete(t.entries, e.Key)
		t.gone++
	}
}

func (t *tally[V]) all() []*entry[V] {
	all := make([]*entry[V], 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	return all
}

// compare puts what may have most first, and keys that have as much in their order.
func (e *entry[V]) compare(o *entry[V]) int {
	if a, b := e.Amount+e.Error, o.Amount+o.Error; a != b {
		return cmp.Compare(b, a)
	}
	if e.Amount != o.Amount {
		return cmp.Compare(o.Amount, e.Amount)
	}
	return cmp.Compare(e.Key, o.Key)
}

// foremost puts the first n of s, as sorted, before the others, in no order (Hoare's find).
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
		switch { // s[:j+1] come before the pivot or are it, s[i:] after it or are it
		case n <= j:
			s = s[:j+1]
		case n >= i:
			s, n = s[i:], n-i
		default:
			return
		}
	}
}

// sorted returns the entries, those that may have most first.
func (t *tally[V]) sorted() []*entry[V] {
	all := t.all()
	slices.SortFunc(all, (*entry[V]).compare)
	return all
}

// top returns the n entries that have most.
func (t *tally[V]) top(n int) []*entry[V] {
	all := t.sorted()
	return all[:min(n, len(all))]
}

// counted names counts, without those that are 0.
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
