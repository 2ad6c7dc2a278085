// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"math/rand/v2"
	"testing"

	"github.com/dtrec/dtrec/bpf"
)

// The sorter sorts records by time, keeps the order of equal times, and loses none.
func TestSorter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := &sorter{}
	var now uint64
	var out []bpf.Entry
	take := func(limit uint64) {
		ready := s.entriesBefore(limit)
		out = append(out, ready...)
		s.drop(len(ready))
	}
	const n, late = 5000, 100_000
	for i := range uint64(n) {
		now += uint64(rng.IntN(10_000))
		at := now
		if rng.IntN(3) == 0 {
			at -= min(at, uint64(rng.IntN(late)))
		}
		if s.pending = append(s.pending, bpf.Entry{Time: at, At: i}); i%3 == 0 {
			s.sort()
			if s.lowestPosition() > i {
				t.Fatalf("the oldest is %d of %d", s.lowestPosition(), i)
			}
		}
		if i%51 == 0 && now > late {
			take(now - late)
		}
	}
	s.sort()
	take(^uint64(0))
	if len(out) != n || s.lowestPosition() != ^uint64(0) {
		t.Fatalf("%d records came out of %d", len(out), n)
	}
	for i := 1; i < n; i++ {
		a, b := out[i-1], out[i]
		if a.Time > b.Time || a.Time == b.Time && a.At > b.At {
			t.Fatalf("record %d: %d after %d", i, b.Time, a.Time)
		}
	}
}
