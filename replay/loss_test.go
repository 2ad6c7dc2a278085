// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is asked of many windows at once is what each of them says.
func TestTouchedIsWhatTheWindowsSay(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var l Losses
		for range 100 {
			if rng.IntN(4) == 0 {
				first := rng.Uint64N(1000)
				l.add(Window{First: first, Last: first + rng.Uint64N(20)}, 0)
			}
			first := rng.Uint64N(1000)
			last := first + rng.Uint64N(30)
			want := slices.IndexFunc(l.windows, func(w Window) bool { return w.First <= last && first <= w.Last })
			if w, ok := l.Touched(first, last, 0); ok != (want >= 0) || ok && w != l.windows[want] {
				t.Fatalf("from %d to %d: %v %+v, window %d is touched", first, last, ok, w, want)
			}
		}
	}
}
