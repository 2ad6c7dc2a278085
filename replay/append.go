// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/binary"
	"math/bits"
)

const (
	hexDigits = "0123456789abcdef"
	spaces    = "                                                                "
)

// appendHex appends v as the kernel's %#lx does.
func appendHex(dst []byte, v uint64) []byte {
	return appendHexDigits(dst, v, max(1, (bits.Len64(v)+3)/4))
}

// appendPointer appends v as the seed's "0x%px": always 16 digits.
func appendPointer(dst []byte, v uint64) []byte { return appendHexDigits(dst, v, 16) }

// appendHexDigits appends "0x" and the last n digits of v.
func appendHexDigits(dst []byte, v uint64, n int) []byte {
	var digits [18]byte
	binary.BigEndian.PutUint64(digits[2:], hexWord(uint32(v>>32)))
	binary.BigEndian.PutUint64(digits[10:], hexWord(uint32(v)))
	digits[16-n], digits[17-n] = '0', 'x'
	return append(dst, digits[16-n:]...)
}

// hexWord returns the eight digits of v, the first in the highest byte: the
// nibbles are spread to a byte each, and those above 9 moved on to the letters.
func hexWord(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101
	return x + 0x3030303030303030 + letters*('a'-'9'-1)
}

// appendSeconds appends nanoseconds as seconds with nine decimals; the whole
// seconds take at least width characters.
func appendSeconds(dst []byte, ns uint64, width int) []byte {
	dst = appendPadded(dst, ns/1e9, width)
	dst = append(dst, '.')
	return appendDigits(dst, ns%1e9, 9)
}

// appendPadded appends v, with spaces to its left up to width.
func appendPadded(dst []byte, v uint64, width int) []byte {
	var digits [20]byte
	i := putUint(digits[:], v)
	return append(appendSpaces(dst, width-(20-i)), digits[i:]...)
}

// putUint writes v to the end of b, which must be long enough, and returns where
// it begins.
func putUint(b []byte, v uint64) int {
	i := len(b)
	for v >= 100 {
		pair := v % 100 * 2
		v /= 100
		i -= 2
		b[i], b[i+1] = pairs[pair], pairs[pair+1]
	}
	if v >= 10 {
		i--
		b[i] = byte('0' + v%10)
		v /= 10
	}
	i--
	b[i] = byte('0' + v)
	return i
}

// appendDigits appends the last n decimal digits of v, up to 9.
func appendDigits(dst []byte, v uint64, n int) []byte {
	var digits [9]byte
	putDigits(digits[:], v)
	return append(dst, digits[9-n:]...)
}

// putDigits fills b, of nine bytes, with the last nine decimal digits of v.
func putDigits(b []byte, v uint64) {
	_ = b[8]
	for i := 7; i > 0; i -= 2 {
		pair := v % 100 * 2
		v /= 100
		b[i], b[i+1] = pairs[pair], pairs[pair+1]
	}
	b[0] = byte('0' + v%10)
}

// putSix fills b, of six bytes, with the six decimal digits of v.
func putSix(b []byte, v uint32) {
	_ = b[5]
	high, mid, low := v/1e4*2, v/100%100*2, v%100*2
	b[0], b[1], b[2], b[3], b[4], b[5] = pairs[high], pairs[high+1], pairs[mid], pairs[mid+1], pairs[low], pairs[low+1]
}

// pairs is 00 to 99.
const pairs = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849" +
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

func appendSpaces(dst []byte, n int) []byte {
	for n > len(spaces) {
		dst, n = append(dst, spaces...), n-len(spaces)
	}
	return append(dst, spaces[:max(0, n)]...)
}
