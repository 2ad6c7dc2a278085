// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"encoding/binary"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Escape sequences for colors. A Text contains no other escape sequences.
var Plain, Bold, Dim, Alarm = Of("\x1b[0m"), Of("\x1b[1m"), Of("\x1b[2m"), Of("\x1b[31m")

// AppendEscaped appends text from outside; characters that a terminal does not show are escaped as in
// JSON.
func AppendEscaped(dst, p []byte) []byte {
	for {
		n := Run(p)
		if dst, p = append(dst, p[:n]...), p[n:]; len(p) == 0 {
			return dst
		}
		_, size := utf8.DecodeRune(p)
		dst, p = AppendRune(dst, p[:size]), p[size:]
	}
}

// AppendRune appends the character at the beginning of c, or its \u escape if not every terminal shows
// it. An invalid byte becomes U+FFFD.
func AppendRune(dst, c []byte) []byte {
	r, size := utf8.DecodeRune(c)
	switch {
	case r == utf8.RuneError && size == 1:
		return append(dst, "�"...)
	case r == '\n', r == '\t', unicode.IsPrint(r):
		return append(dst, c...)
	case r > 0xffff:
		r -= 0x10000
		return fmt.Appendf(dst, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(dst, `\u%04x`, r)
}

// Run returns the length in bytes of the beginning of p that every terminal shows: printable
// characters, newlines and tabs.
func Run(p []byte) int {
	for i := 0; ; {
		if i += asciiRun(p[i:]); i == len(p) {
			return i
		}
		r, size := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) {
			return i
		}
		i += size
	}
}

// asciiRun returns the length in bytes of the beginning of p that is ASCII and shown by every terminal.
func asciiRun(p []byte) int {
	all := len(p)
	for ; len(p) >= 32; p = p[32:] {
		a, b, c, d := word(p), word(p[8:]), word(p[16:]), word(p[24:])
		if (unprintableBits(a)|unprintableBits(b)|unprintableBits(c)|unprintableBits(d))&highBits != 0 && (unprintableBits(hideNewlines(a))|unprintableBits(hideNewlines(b))|unprintableBits(hideNewlines(c))|unprintableBits(hideNewlines(d)))&highBits != 0 {
			break
		}
	}
	for ; len(p) >= 8 && unprintableBits(hideNewlines(word(p)))&highBits == 0; p = p[8:] {
	}
	for i, c := range p {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			return all - len(p) + i
		}
	}
	return all
}

const (
	oneInEachByte = 0x0101010101010101   // one in each byte of a word
	highBits      = 0x80 * oneInEachByte // the highest bit of each byte
)

func word(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

// unprintableBits returns a word without any of the highest bits if no byte of w is below a space, DEL or beyond
// ASCII.
func unprintableBits(w uint64) uint64 { return (w - ' '*oneInEachByte) | (w + oneInEachByte) | w }

// hideNewlines returns w with each newline replaced by a printable character.
func hideNewlines(w uint64) uint64 {
	n := w ^ '\n'*oneInEachByte
	ends := ^((n&(0x7f*oneInEachByte) + 0x7f*oneInEachByte) | n) & highBits
	return w | ends>>2
}
