// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Printable makes a string that came from outside safe for a line of text on a
// terminal: what is no printable UTF-8, and the backslash, is escaped as in a Go
// string. So two names never print alike.
func Printable(s string) string {
	if isPrintable(s) {
		return s
	}
	return string(appendEscaped(nil, s))
}

func appendPrintable(dst []byte, s string) []byte {
	if isPrintable(s) {
		return append(dst, s...)
	}
	return appendEscaped(dst, s)
}

func isPrintable(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return hasOnlyGlyphs(s[i:])
		case c < ' ', c == 0x7f, c == '\\':
			return false
		}
	}
	return true
}

func hasOnlyGlyphs(s string) bool {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 || r == '\\' || !unicode.IsPrint(r) {
			return false
		}
		s = s[size:]
	}
	return true
}

func appendEscaped(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"':
			dst = append(dst, '"')
		case r == utf8.RuneError && size == 1:
			dst = append(dst, '\\', 'x', hexDigits[s[0]>>4], hexDigits[s[0]&15])
		default:
			var quoted [12]byte
			q := strconv.AppendQuote(quoted[:0], s[:size])
			dst = append(dst, q[1:len(q)-1]...)
		}
		s = s[size:]
	}
	return dst
}
