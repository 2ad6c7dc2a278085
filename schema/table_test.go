// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Every address has a code, including the one whose code NULL has.
func TestSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	some := []uint64{0, 1, 2, 1<<63 - 1, 1 << 63, 1<<63 + 1, 0xffff888000000000, 0xffff888000000040, ^uint64(0)}
	var values []uint64
	for range 20_000 {
		v := some[rng.IntN(len(some))]
		if n := len(values); n > 0 && rng.IntN(4) == 0 {
			v = values[n-1] + 1<<63
		}
		values = append(values, v)
	}
	var column packed
	last := uint64(0)
	for _, v := range values {
		last = column.step(v, last)
	}
	got := make([]uint64, len(values))
	err := steps(got, column)
	if err != nil || !slices.Equal(got, values) {
		t.Errorf("error %v, or other values than went in", err)
	}
}
