// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
)

// A tally with more keys than it keeps stays within its bound: the true amount of a key lies between its
// amount and amount plus error, a key with more than the error has an entry, and the error is at most twice
// the total divided by the number of keys kept.
func TestTallyHoldsItsBound(t *testing.T) {
	const keep = 64
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		zipf := rand.NewZipf(rng, 1.1, 1, 5000)
		got, want, total := newTally[int](keep), map[string]uint64{}, uint64(0)
		for range 20000 {
			key, amount := fmt.Sprint(zipf.Uint64()), uint64(1+rng.IntN(3))
			*got.add(key, amount)++
			want[key] += amount
			total += amount
		}
		if len(got.entries) > keep {
			t.Fatalf("it keeps %d keys, %d are wanted", len(got.entries), keep)
		}
		if got.total != total || got.floor == 0 || got.floor > 2*total/keep {
			t.Errorf("seed %d: total %d (want %d), error %d", seed, got.total, total, got.floor)
		}
		for _, e := range got.sorted() {
			if n := want[e.Key]; n < e.Amount || n > e.Amount+e.Error {
				t.Errorf("seed %d: %s had %d, the tally says %d to %d", seed, e.Key, n, e.Amount, e.Amount+e.Error)
			}
		}
		for key, n := range want {
			if n > got.floor && got.find(hashOf("", key), "", key) == nil {
				t.Errorf("seed %d: %s had %d, more than the error %d, and is not there", seed, key, n, got.floor)
			}
		}
	}
}

// A tally with at most as many keys as it keeps is exact.
func TestTallyIsExactWhereItHasRoom(t *testing.T) {
	tally := newTally[int](64)
	for i := range 64 * 100 {
		tally.add(fmt.Sprint(i%64), uint64(i%64))
	}
	for i, e := range tally.sorted() {
		if want := uint64(63-i) * 100; e.Error != 0 || e.Amount != want {
			t.Errorf("place %d: %d, error %d, want %d exactly", i, e.Amount, e.Error, want)
		}
	}
}

// foremost selects the same elements as sorting does.
func TestForemostIsAsSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		s := make([]int, rng.IntN(40))
		for i := range s {
			s[i] = rng.IntN(20)
		}
		n, want := rng.IntN(len(s)+1), slices.Sorted(slices.Values(s))
		foremost(s, n, cmp.Compare[int])
		if got := slices.Sorted(slices.Values(s[:n])); !slices.Equal(got, want[:n]) {
			t.Fatalf("the first %d of %v are %v", n, want, got)
		}
	}
}

// A call whose key has an entry already costs a top no allocation for any dimension whose key is a string
// of the call.
func TestTopAllocatesPerKeyOnly(t *testing.T) {
	c := &replay.PathCall{ID: 1, Path: "/a/b", Resolved: "/a/b", Program: "cat", Operation: "open", FSType: "ext4", Errno: 2}
	for i := range dimensions {
		top := topper{of: &measures[0], by: &dimensions[i], tally: newTally[born](maxKeys)}
		got, want := testing.AllocsPerRun(100, func() { top.call(c) }), 0.0
		if top.by.name == "task" { // its key is built from a number and a name
			want = 1
		}
		if got > want {
			t.Errorf("--by %s: %v allocations a call, want %v", top.by.name, got, want)
		}
	}
}
