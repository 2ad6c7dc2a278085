// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"testing"
)

func TestHashNameMatchesKernels(t *testing.T) {
	// Printed by running kernels: salt, name, qstr.hash.
	vectors := []struct {
		salt uint64
		name string
		want uint32
	}{
		{0xffff93d60140ed80, "neg_missing", 978205885},
		{0xffff93d60140ed80, "exactly8", 2708650654},
		{0xff2ca891c141ac00, "short.txt", 229711050},
		{0xff406d8fc1411c00, "test_file_very_long_name_to_force_external_allocation_1770466275", 2526023359},
		{0xffff899181570c00, "missing_case17_raw_syscall.txt", 0x04101d47},
		{0xffff8b413f55e9c0, "dirA", 0x4937d784},
		{0xffff8b410da4e840, "file.txt", 0x3d48c5ed},
		{0xffff8977185b5780, "a.txt", 2235526309},
	}
	for _, v := range vectors {
		if got := HashName(v.salt, v.name); got != v.want {
			t.Errorf("HashName(%#x, %q) = %d, the kernel has %d", v.salt, v.name, got, v.want)
		}
	}
}

// The steps give the same hash, and each follows from the one before: the test repeats them from their
// text.
func TestHashSteps(t *testing.T) {
	for _, name := range []string{"", "a", "t_m.txt", "exactly8", "ninebytes", "test_file_very_long_name_to_force_external_allocation_1770466275", "\xff\x00`|\n"} {
		const salt = 0xff406d8fc1411c00
		steps := HashSteps(salt, name)
		last := steps[len(steps)-1]
		if want := HashName(salt, name); last.Y != uint64(want) {
			t.Errorf("%q: %d, want %d", name, last.Y, want)
		}
		x, y := uint64(0), uint64(salt)
		for _, s := range steps[1:] {
			var n uint64
			switch op := s.Op; {
			case op == "y ^= x":
				y ^= x
			case op == "x += y":
				x += y
			case op == "x = rol64(x, 12)":
				x = x<<12 | x>>52
			case op == "y = rol64(y, 45)":
				y = y<<45 | y>>19
			case scan(op, "x ^= %v", &n):
				x ^= n
			case scan(op, "y ^= x * %v", &n):
				y ^= x * n
			case scan(op, "y *= %v", &n):
				y *= n
			case scan(op, "y >>= %v", &n):
				y >>= n
			default:
				t.Fatalf("%q: what is %q?", name, op)
			}
			if s.X != x || s.Y != y {
				t.Fatalf("%q: after %s x %#x y %#x, want %#x %#x", name, s.Op, s.X, s.Y, x, y)
			}
		}
	}
}

func scan(s, format string, n *uint64) bool {
	_, err := fmt.Sscanf(s, format, n)
	return err == nil
}
