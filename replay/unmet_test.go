// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"math/rand/v2"
	"testing"
)

// The nearest name is the first one with the least distance.
func TestNearestIsTheNearest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 13))
	word := func() string {
		b := make([]byte, rnd.IntN(7))
		for i := range b {
			b[i] = "ab/\\"[rnd.IntN(4)]
		}
		return string(b)
	}
	for range 2000 {
		s := search{given: word()}
		best, nearest, found := 1<<30, "", false
		for range 1 + rnd.IntN(8) {
			name := word()
			s.offer(name)
			found = found || matchesGiven(s.given, name)
			if d := s.distanceTo(name, 1<<30); !found && d < best {
				best, nearest = d, name
			}
			if want := edits(Unescape(s.given), name); s.distanceTo(name, 1<<30) != want && s.distanceTo(name, 1<<30) != 0 {
				t.Fatalf("%q is %d from %q, not %d", name, s.distanceTo(name, 1<<30), s.given, want)
			}
		}
		if s.found != found || !found && s.nearest != nearest {
			t.Fatalf("%+v: nearest is %q at %d", s, nearest, best)
		}
	}
}

// edits returns the distance by its definition.
func edits(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	d := edits(a[1:], b[1:])
	if a[0] != b[0] {
		d = 1 + min(d, edits(a, b[1:]), edits(a[1:], b))
	}
	return d
}

// A path relative to a directory is nearest to the path that it led to, and is named as it was given.
func TestNearestPathIsAsGiven(t *testing.T) {
	s := search{given: "/tmp/e/uo"}
	for _, name := range []string{"/", "/tmp/e/f", "uo", "/tmp/e/u"} {
		s.offer(name)
	}
	if s.nearest != "uo" {
		t.Errorf("nearest is %s", s.nearest)
	}
}
