// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"strconv"
	"unicode/utf8"
)

// Stored returns a string as a field of a trace that must be UTF-8 holds it: a byte that is not UTF-8 is
// \xNN, and so is a backslash that would read as the beginning of that. FromStored reverses it.
func Stored(s string) string {
	var b []byte
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if _, escape := storedByte(s[i:]); escape || r == utf8.RuneError && size == 1 {
			b = append(b, '\\', 'x', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		} else {
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return string(b)
}

// FromStored returns the string that Stored returned s for.
func FromStored(s string) string {
	var b []byte
	for i := 0; i < len(s); {
		if c, escape := storedByte(s[i:]); escape {
			b, i = append(b, c), i+storedSize
			continue
		}
		b, i = append(b, s[i]), i+1
	}
	return string(b)
}

const storedSize = len(`\xff`)

// storedByte returns the byte that s begins with, if it begins with an escape of Stored.
func storedByte(s string) (c byte, escape bool) {
	if len(s) < storedSize || s[:2] != `\x` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:storedSize], 16, 8)
	return byte(n), err == nil && (n >= utf8.RuneSelf || n == '\\')
}
