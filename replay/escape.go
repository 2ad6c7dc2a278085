// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Printable makes a string that came from outside safe for a line of text on a
// terminal, and different where a screen would show the same: what is no glyph of its own is
// escaped as in a Go string, and so is the backslash. Two names never print alike, and
// Unescape gives back what was printed.
func Printable(s string) string {
	if plain(s) {
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

// Symbol makes what a trace calls a function one word that nothing acts on: the name of a
// function has letters, digits, _, . and $, and what else stands there is escaped.
func Symbol(s string) string {
	var b []byte
	for i := range len(s) {
		if c := s[i]; c == '_' || c == '.' || c == '$' || c == ':' || c == ' ' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b = append(b, c)
		} else {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// PrintablePath is Printable for what Model.Path returns, whose first … is no one's name.
func PrintablePath(path string) string {
	if rest, ok := strings.CutPrefix(path, above); ok {
		return above + Printable(rest)
	}
	return Printable(path)
}

// PrintableLine is Printable for a line of text, whose blanks are no one's name.
func PrintableLine(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		words[i] = Printable(w)
	}
	return strings.Join(words, " ")
}

// plain reports whether a string is written as it is everywhere, as nearly all are: in text, in JSON and in quotes.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

func appendPrintable(dst []byte, s string) []byte {
	if plain(s) {
		return append(dst, s...)
	}
	from := 0 // s up to here is written
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

// glyph returns the size of the character at s[i], and whether it prints as itself. A
// space does between two characters that are none.
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

// blank are characters with an empty glyph that Unicode does not take for spaces.
const blank = "\u115f\u2800\U0001d159"

// distinct reports whether a character shows, and shows as no other sequence of
// characters does: it is visible, it does not combine with the one before it, and it is
// what all that are equivalent to it are normalized to (NFKC).
func distinct(r rune, s string) bool {
	return unicode.IsPrint(r) && !unicode.IsMark(r) && !strings.ContainsRune(blank, r) &&
		norm.NFKC.IsNormalString(s) && norm.NFKC.PropertiesString(s).BoundaryBefore()
}

// Unescape returns the string that is printed like that, in text or JSON. What is no
// escape stands for itself.
func Unescape(printed string) string {
	var raw []byte
	for rest := printed; rest != ""; {
		if rest[0] == '\\' {
			r, multibyte, tail, err := strconv.UnquoteChar(rest, '"')
			if err != nil {
				r, tail = surrogates(rest)
				multibyte = true
			}
			if r >= 0 {
				if multibyte {
					raw = utf8.AppendRune(raw, r)
				} else {
					raw = append(raw, byte(r))
				}
				rest = tail
				continue
			}
		}
		raw, rest = append(raw, rest[0]), rest[1:]
	}
	return string(raw)
}

// surrogates reads the pair of escapes that JSON has for one character; -1: s begins with
// none.
func surrogates(s string) (r rune, rest string) {
	const size = len(`\ud83d\ude00`)
	if len(s) < size || s[:2] != `\u` || s[6:8] != `\u` {
		return -1, s
	}
	high, err1 := strconv.ParseUint(s[2:6], 16, 16)
	low, err2 := strconv.ParseUint(s[8:size], 16, 16)
	r = utf16.DecodeRune(rune(high), rune(low))
	if err1 != nil || err2 != nil || r == utf8.RuneError {
		return -1, s
	}
	return r, s[size:]
}
