// SPDX-License-Identifier: Apache-2.0

package shown

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Printable makes a string that came from outside safe to print on a line of a terminal, and
// unambiguous to the eye: characters without a distinct glyph of their own, and the backslash, are
// escaped as in a Go string. Two different names never print alike, and Unescape in package replay
// turns the printed form back into the name.
func Printable(s string) string {
	if needsNoEscape(s) {
		return s
	}
	for i := 0; i < len(s); {
		size, own := glyph(s, i)
		if !own {
			return string(appendPrintable(nil, s))
		}
		i += size
	}
	return s
}

// Name adds a string that came from outside, escaped as Printable does.
func (t *Text) Name(s string) { t.b = appendPrintable(t.b, s) }

// NameFitting adds a name as Name does. If it has more than width characters, its middle is replaced by
// "…".
func (t *Text) NameFitting(name string, width int) {
	t.b = append(t.b, Fitting(Printable(name), width)...)
}

// Fitting returns a text with its middle replaced by "…" if it has more than width characters.
func Fitting(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n <= width {
		return text
	}
	runes := []rune(text)
	head := (width - 1) / 3
	return string(runes[:head]) + "…" + string(runes[n-(width-1-head):])
}

// Quoted adds a JSON string, and reports whether s is valid UTF-8; invalid bytes become U+FFFD.
// Characters beyond ASCII that Printable escapes are escaped here too.
func (t *Text) Quoted(s string) (whole bool) {
	if needsNoEscape(s) {
		t.b = append(append(append(t.b, '"'), s...), '"')
		return true
	}
	t.b = appendQuoted(t.b, s)
	return utf8.ValidString(s)
}

// HexBytes adds the bytes of a string in hexadecimal.
func (t *Text) HexBytes(s string) { t.b = hex.AppendEncode(t.b, []byte(s)) }

// needsNoEscape reports whether a string needs no escape anywhere, in text, in JSON or in quotes, as nearly all
// strings do not.
func needsNoEscape(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

func appendPrintable(dst []byte, s string) []byte {
	if needsNoEscape(s) {
		return append(dst, s...)
	}
	from := 0 // s before this index is written
	for i := 0; i < len(s); {
		size, own := glyph(s, i)
		if own {
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		if s[i] == ' ' {
			dst = append(dst, `\x20`...)
		} else {
			var quoted [12]byte
			q := strconv.AppendQuoteToASCII(quoted[:0], s[i:i+size])
			dst = append(dst, q[1:len(q)-1]...)
		}
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// glyph returns the size in bytes of the character at s[i], and whether it prints as itself. A space
// does if neither character next to it is a space, and not at the beginning or end.
func glyph(s string, i int) (size int, own bool) {
	c := s[i]
	if c < utf8.RuneSelf {
		if c == ' ' {
			own = i > 0 && i+1 < len(s) && s[i-1] != ' ' && s[i+1] != ' '
		} else {
			own = c > ' ' && c != '\\' && c != 0x7f
		}
		return 1, own
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return size, (r != utf8.RuneError || size > 1) && distinct(r, s[i:i+size])
}

// blank holds characters with an empty glyph that Unicode does not classify as spaces.
const blank = "\u115f\u2800\U0001d159"

// distinct reports whether a character is visible and looks like no other sequence of characters: it is
// printable, it does not combine with the character before it, and it is already the normal form (NFKC)
// of everything equivalent to it.
func distinct(r rune, s string) bool {
	return unicode.IsPrint(r) && !unicode.IsMark(r) && !strings.ContainsRune(blank, r) &&
		norm.NFKC.IsNormalString(s) && norm.NFKC.PropertiesString(s).BoundaryBefore()
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // s before this index is written
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		size, r := 1, rune(c)
		if c >= utf8.RuneSelf {
			var own bool
			if size, own = glyph(s, i); own {
				i += size
				continue
			}
			r, _ = utf8.DecodeRuneInString(s[i:])
		}
		dst = appendJSONEscape(append(dst, s[plain:i]...), r)
		i += size
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendJSONEscape(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		return appendJSONEscape(appendJSONEscape(dst, high), low)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

const hexDigits = "0123456789abcdef"
