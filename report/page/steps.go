// SPDX-License-Identifier: Apache-2.0

package page

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

var (
	stepLine   = regexp.MustCompile(`^(.+?) +x = (0x[0-9a-f]{16})  y = (0x[0-9a-f]{16})(?:  .*)?$`)
	mixWord    = regexp.MustCompile(`^x \^= (0x[0-9a-f]{16})$`)
	rotate     = regexp.MustCompile(`^([xy]) = rol64\([xy], (\d+)\)$`)
	multiply   = regexp.MustCompile(`^y \*= (0x[0-9a-f]+|\d+)$`)
	fold       = regexp.MustCompile(`^y \^= x \* (0x[0-9a-f]+)$`)
	shiftRight = regexp.MustCompile(`^y >>= (\d+)$`)
	wordBytes  = regexp.MustCompile(`bytes "((?:[^"\\]|\\.)*)"`)
	hashLine   = regexp.MustCompile(`^hash = (0x[0-9a-f]+) = (\d+); the kernel's: (\d+)$`)
	bucketLine = regexp.MustCompile(`^bucket = (0x[0-9a-f]+) \+ 8 \* \((\d+) >> (\d+)\) = (0x[0-9a-f]+) \+ 8 \* (\d+) = (0x[0-9a-f]+)$`)
)

const firstStep = "x = 0, y = salt"

// steps does a hash again that the page computes line by line: each operation must
// lead from the x and y before it to those it shows, the salt must be the parent that
// the page names, and what comes out the hash.
func (j *judge) steps(lines []line) {
	var x, y uint64
	for i := range lines {
		l := &lines[i]
		all := span{0, len(l.text)}
		if m := hashLine.FindStringSubmatch(l.text); m != nil {
			j.computed(l, all, "hash step", hexadecimal(m[1]) == y && decimal(m[2]) == y, fmt.Sprintf("the hash is %#x = %d", y, y))
			continue
		}
		if bucketLine.MatchString(l.text) {
			n := numbers(l.text, bucketLine.FindStringSubmatchIndex(l.text))
			layout := j.x.header.GetLayout()
			right := n[0] == n[3] && n[0] == layout.GetDentryHashtable() && n[1] == y && n[2] == uint64(layout.GetDHashShift()) &&
				n[4] == y>>min(n[2], 63) && n[5] == n[0]+8*n[4]
			j.computed(l, all, "hash step", right, fmt.Sprintf("the bucket is %#x", layout.GetDentryHashtable()+8*(y>>layout.GetDHashShift())))
			continue
		}
		m := stepLine.FindStringSubmatch(l.text)
		if m == nil {
			j.report(l, all, "hash step", Wrong, nil, "this is no step")
			continue
		}
		wantX, wantY, ok := j.step(m[1], x, y)
		x, y = hexadecimal(m[2]), hexadecimal(m[3])
		note := fmt.Sprintf("it gives x = %#016x  y = %#016x", wantX, wantY)
		if b := wordBytes.FindStringSubmatch(l.text); b != nil && ok {
			bytes, err := strconv.Unquote(`"` + b[1] + `"`)
			ok = err == nil && strings.HasSuffix(m[1], fmt.Sprintf("%#016x", word(bytes)))
			note = "the bytes are another word"
		}
		j.computed(l, all, "hash step", ok && x == wantX && y == wantY, note)
	}
}

// step does one operation.
func (j *judge) step(op string, x, y uint64) (uint64, uint64, bool) {
	if op == firstStep {
		return 0, j.salt, true
	}
	if m := mixWord.FindStringSubmatch(op); m != nil {
		return x ^ hexadecimal(m[1]), y, true
	}
	if m := rotate.FindStringSubmatch(op); m != nil {
		if n := int(decimal(m[2]) & 63); m[1] == "x" {
			return bits.RotateLeft64(x, n), y, true
		} else {
			return x, bits.RotateLeft64(y, n), true
		}
	}
	if m := multiply.FindStringSubmatch(op); m != nil {
		if strings.HasPrefix(m[1], "0x") {
			return x, y * hexadecimal(m[1]), true
		}
		return x, y * decimal(m[1]), true
	}
	if m := fold.FindStringSubmatch(op); m != nil {
		return x, y ^ x*hexadecimal(m[1]), true
	}
	if m := shiftRight.FindStringSubmatch(op); m != nil {
		return x, y >> min(decimal(m[1]), 63), true
	}
	switch op {
	case "y ^= x":
		return x, y ^ x, true
	case "x += y":
		return x + y, y, true
	}
	return 0, 0, false
}

// word is up to 8 bytes of a name as the kernel loads them, the first one lowest.
func word(name string) uint64 {
	var b [8]byte
	copy(b[:], name)
	return binary.LittleEndian.Uint64(b[:])
}
