// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"math/bits"
)

// HashStep is one operation of HashName, and the values of x and y after it.
type HashStep struct {
	Op   string // in C, e.g. "x = rol64(x, 12)"
	Note string // what is mixed in; may be empty
	X, Y uint64
}

// HashSteps computes qstr.hash as HashName does, one operation at a time, modulo 2^64. The last step's Y is
// the hash.
func HashSteps(salt uint64, name string) []HashStep {
	var x uint64
	y := salt
	var steps []HashStep
	did := func(op, note string) { steps = append(steps, HashStep{op, note, x, y}) }
	did("x = 0, y = salt", "the address of the parent dentry")
	for ; len(name) >= 8; name = name[8:] {
		a := load64(name)
		x ^= a
		did(fmt.Sprintf("x ^= %#016x", a), fmt.Sprintf("bytes %q, the first one lowest", name[:8]))
		y ^= x
		did("y ^= x", "")
		x = bits.RotateLeft64(x, 12)
		did("x = rol64(x, 12)", "")
		x += y
		did("x += y", "")
		y = bits.RotateLeft64(y, 45)
		did("y = rol64(y, 45)", "")
		y *= 9
		did("y *= 9", "")
	}
	if len(name) > 0 {
		var tail [8]byte
		copy(tail[:], name)
		a := load64(string(tail[:]))
		x ^= a
		did(fmt.Sprintf("x ^= %#016x", a), fmt.Sprintf("the last bytes %q, padded with zero", name))
	}
	y ^= x * goldenRatio64
	did(fmt.Sprintf("y ^= x * %#x", uint64(goldenRatio64)), "GOLDEN_RATIO_64")
	y *= goldenRatio64
	did(fmt.Sprintf("y *= %#x", uint64(goldenRatio64)), "")
	y >>= 32
	did("y >>= 32", "the hash")
	return steps
}
