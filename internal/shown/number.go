// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
)

const spaces = "                                                                "

// extend extends the text by n bytes and returns them for the caller to fill.
func (t *Text) extend(n int) []byte {
	was := len(t.b)
	if cap(t.b)-was < n {
		t.b = slices.Grow(t.b, n)
	}
	t.b = t.b[:was+n]
	return t.b[was:]
}

// Uint adds an unsigned number in decimal.
func (t *Text) Uint(v uint64) {
	if v < 10 {
		t.b = append(t.b, byte('0'+v))
		return
	}
	putUint(t.extend(digits(v)), v)
}

// Int adds a signed number in decimal.
func (t *Text) Int(v int64) {
	if v < 0 {
		t.b = append(t.b, '-')
		v = -v
	}
	t.Uint(uint64(v))
}

// Octal adds a number in octal with a leading 0, such as 0644.
func (t *Text) Octal(v uint64) { t.b = strconv.AppendUint(append(t.b, '0'), v, 8) }

// Tenths adds a number with one decimal.
func (t *Text) Tenths(v float64) { t.b = strconv.AppendFloat(t.b, v, 'f', 1, 64) }

// Bool adds true or false.
func (t *Text) Bool(v bool) { t.b = strconv.AppendBool(t.b, v) }

// ID adds an event id such as "#17", padded on the left with spaces to width.
func (t *Text) ID(id uint64, width int) {
	t.Spaces(width - 1 - digits(id))
	t.b = append(t.b, '#')
	t.Uint(id)
}

// Padded adds a number in decimal, padded on the left with spaces to width.
func (t *Text) Padded(v uint64, width int) {
	t.Spaces(width - digits(v))
	t.Uint(v)
}

// Digits adds the last n decimal digits of a number, n at most nine.
func (t *Text) Digits(v uint64, n int) {
	var all [9]byte
	putNine(all[:], uint32(v%1e9))
	t.b = append(t.b, all[9-n:]...)
}

// Seconds adds nanoseconds as seconds with nine decimals. The whole seconds are padded with spaces to
// width.
func (t *Text) Seconds(ns uint64, width int) {
	t.Padded(ns/1e9, width)
	t.b = append(t.b, '.')
	t.Digits(ns%1e9, 9)
}

// Spaces adds n spaces, or none if n is negative.
func (t *Text) Spaces(n int) {
	for n > len(spaces) {
		t.b, n = append(t.b, spaces...), n-len(spaces)
	}
	t.b = append(t.b, spaces[:max(0, n)]...)
}

// Hex adds a number as the kernel's %#lx does.
func (t *Text) Hex(v uint64) {
	if v>>60 != 0 { // as in nearly all addresses
		t.Pointer(v)
		return
	}
	n := max(1, (bits.Len64(v)+3)/4)
	var all [16]byte
	putHex(all[:], v)
	t.b = append(append(t.b, "0x"...), all[16-n:]...)
}

// Pointer adds a number as "0x%px" does: always 16 digits.
func (t *Text) Pointer(v uint64) {
	to := t.extend(18)
	_ = to[17]
	to[0], to[1] = '0', 'x'
	putHex(to[2:], v)
}

// QuotedHex adds a number as Hex does, as a JSON string.
func (t *Text) QuotedHex(v uint64) {
	if v>>60 == 0 {
		t.b = append(t.b, '"')
		t.Hex(v)
		t.b = append(t.b, '"')
		return
	}
	to := t.extend(20)
	_ = to[19]
	to[0], to[1], to[2], to[19] = '"', '0', 'x', '"'
	putHex(to[3:], v)
}

// SetTwo overwrites two bytes at an offset with a number of two digits.
func (t *Text) SetTwo(at int, v uint32) { put2(t.b[at:at+2], v) }

// SetSix overwrites six bytes at an offset with a number of six digits.
func (t *Text) SetSix(at int, v uint32) { putSix(t.b[at:at+6], v) }

// SetNine overwrites nine bytes at an offset with a number of nine digits.
func (t *Text) SetNine(at int, v uint32) { putNine(t.b[at:at+9], v) }

// digits returns the number of decimal digits of v.
func digits(v uint64) int {
	n := bits.Len64(v) * 1233 >> 12 // 1233/4096 is about log10(2)
	if v >= powers[n] {
		n++
	}
	return max(n, 1)
}

// powers[n] is 10 to the power of n.
var powers = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// putUint fills b with a number of len(b) digits.
func putUint(b []byte, v uint64) {
	for len(b) >= 2 {
		q := v / 100
		put2(b[len(b)-2:], uint32(v-q*100))
		v, b = q, b[:len(b)-2]
	}
	if len(b) > 0 {
		b[0] = byte('0' + v)
	}
}

// putNine fills the nine bytes of b with a number of nine digits, with leading zeros.
func putNine(b []byte, v uint32) {
	high := v / 1e6
	putSix(b[3:], v-high*1e6)
	q := high / 100
	put2(b[1:], high-q*100)
	b[0] = byte('0' + q)
}

// putSix fills the first six bytes of b with a number of six digits, with leading zeros.
func putSix(b []byte, v uint32) {
	mid := v / 100
	high := mid / 100
	put2(b[4:], v-mid*100)
	put2(b[2:], mid-high*100)
	put2(b, high)
}

// put2 fills the first two bytes of b with a number of two digits.
func put2(b []byte, v uint32) { binary.LittleEndian.PutUint16(b, pairs[v]) }

// pairs holds the two digits of each number from 0 to 99, the first in the lower byte.
var pairs = func() (p [100]uint16) {
	for i := range p {
		p[i] = uint16('0'+i/10) | uint16('0'+i%10)<<8
	}
	return p
}()

// putHex fills the 16 bytes of b with the hexadecimal digits of v.
func putHex(b []byte, v uint64) {
	binary.BigEndian.PutUint64(b[8:], hexWord(uint32(v)))
	binary.BigEndian.PutUint64(b, hexWord(uint32(v>>32)))
}

// hexWord returns the eight hexadecimal digits of v, the first in the highest byte. It spreads the
// nibbles to a byte each, and moves those above 9 up to the letters.
func hexWord(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101
	return x + 0x3030303030303030 + letters*('a'-'9'-1)
}
