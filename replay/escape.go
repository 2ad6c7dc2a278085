// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dtrec/dtrec/internal/shown"
)

// Printable makes a string that came from outside safe to print in a line on a terminal. Whatever has no
// glyph of its own is escaped as in a Go string, and so is the backslash, so two different names never
// print alike. Unescape reverses it.
func Printable(s string) string { return shown.Printable(s) }

// printableStored is Printable for a field of a trace that holds text in UTF-8, such as the target of a header,
// where the text was something else: its bytes are then escaped in the file.
func printableStored(s string) string { return Printable(shown.FromStored(s)) }

// fromStored returns the words of a command as they were before a header held them.
func fromStored(stored []string) (words []string) {
	for _, w := range stored {
		words = append(words, shown.FromStored(w))
	}
	return words
}

// Symbol makes the function name in a trace safe to print as one word: it keeps letters, digits, _, ., $, :
// and space, and writes every other byte as \xNN.
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

// PrintablePath is Printable for the result of Model.Path, whose leading … is not part of a name.
func PrintablePath(path string) string {
	if rest, ok := strings.CutPrefix(path, unknownDir); ok {
		return unknownDir + Printable(rest)
	}
	return Printable(path)
}

// PrintableLine is Printable for a line of text, whose spaces are not part of a name and stay as they are.
func PrintableLine(s string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		words[i] = Printable(w)
	}
	return strings.Join(words, " ")
}

const hexDigits = "0123456789abcdef"

// Unescape returns the string that Printable or JSON printed like that. Whatever is not an escape stands
// for itself.
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

// surrogates reads a pair of \u escapes with which JSON writes one character; r is -1 where s does not
// begin with one.
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
