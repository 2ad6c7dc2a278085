// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendSafe appends a string that came from outside. One that could garble a
// terminal or a line (a control character, one without a glyph, bytes that are not
// UTF-8), or that begins with a quotation mark, is quoted as in Go.
func appendSafe(dst []byte, s string) []byte {
	if isSafe(s) {
		return append(dst, s...)
	}
	return strconv.AppendQuote(dst, s)
}

func isSafe(s string) bool {
	if len(s) > 0 && s[0] == '"' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == 0x7f {
			return false
		} else if c >= utf8.RuneSelf {
			return isPrintable(s[i:])
		}
	}
	return true
}

func isPrintable(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func safe(s string) string { return string(appendSafe(nil, s)) }
