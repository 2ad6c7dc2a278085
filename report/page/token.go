// SPDX-License-Identifier: Apache-2.0

package page

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token.
type kind uint8

const (
	word kind = iota
	number
	operator // sign has it in C's notation
	relation // sign is ==, !=, <, <=, > or >=
	open
	shut
	stop // ends an expression: a comma, a bar, a full stop, or the end of a line of code
)

// token is a piece of a passage.
type token struct {
	span
	kind  kind
	text  string
	sign  string
	value uint64 // of a number
	bits  bool   // the number is in hexadecimal
}

// heavy is the smallest number that is taken for an address or a hash rather than a count.
const heavy = 1 << 20

// isAddress reports whether a number is a kernel address: in hexadecimal and of more than 32 bits.
func (t *token) isAddress() bool { return t.kind == number && t.bits && t.value > 1<<32 }

// ids returns the event ids that "#17" or "#17–#18" names.
func (t *token) ids() []uint64 {
	if t.kind != word || !strings.HasPrefix(t.text, "#") {
		return nil
	}
	var out []uint64
	for part := range strings.FieldsFuncSeq(t.text, func(r rune) bool { return r == '#' || r == '–' || r == '-' }) {
		if id, err := strconv.ParseUint(part, 10, 64); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// dentry returns the number of the dentry that "D17" names; 0: it names none.
func (t *token) dentry() uint64 {
	digits, ok := strings.CutPrefix(t.text, "D")
	if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && t.kind == word {
		return n
	}
	return 0
}

// signs lists the notations of operators, relations and separators. A longer one comes before its own
// prefixes.
var signs = []struct {
	kind kind
	sign string
	text string // separated by blanks
}{
	{stop, "", "-> => → ... …"},
	{relation, "==", "=== == := = ＝ ≡"}, {relation, "!=", "!= ≠ ≢"}, {relation, "<=", "<= ≤"}, {relation, ">=", ">= ≥"},
	{operator, ">>", ">> ≫"}, {operator, "<<", "<< ≪"}, {relation, "<", "<"}, {relation, ">", ">"},
	{operator, "+", "+ ＋ plus"}, {operator, "-", "− - – — ‐ ‑ ‒ ― ﹣ － minus"}, {operator, "*", "* × · ⋅ ∙ times"},
	{operator, "/", "/ ÷ ∕ ⁄"}, {operator, "%", "% mod"}, {operator, "&", "&"}, {operator, "^", "^"},
	{relation, "==", "equals is gives yields makes"},
	{open, "", "( [ {"}, {shut, "", ") ] }"}, {stop, "", ", ; | . : ?"},
}

// scan splits a text into tokens, without white space and quotes. In code, the end of a line ends an
// expression unless the line ends in an operator or relation.
func scan(text string, code bool) []token {
	var out []token
	for from := 0; from < len(text); {
		r, size := utf8.DecodeRuneInString(text[from:])
		switch {
		case r == '\n' && code && len(out) > 0 && out[len(out)-1].kind != operator && out[len(out)-1].kind != relation:
			out = append(out, token{span: span{from, from + 1}, kind: stop, text: "\n"})
			fallthrough
		case unicode.IsSpace(r) || strings.ContainsRune("\"'“”‘’$~`\u200b\u2060\u00ad", r):
			from += size
			continue
		}
		t := tokenAt(text[from:])
		t.from, t.to = from, from+len(t.text)
		out = append(out, t)
		from = t.to
	}
	return out
}

// tokenAt returns the first token of a text.
func tokenAt(text string) token {
	if n := wordLength(text); n > 0 {
		t := token{text: text[:n]}
		if v, bits, ok := numberOf(t.text); ok {
			t.kind, t.value, t.bits = number, v, bits
			return t
		}
		if kind, sign, _, ok := signOf(func(sign string) bool { return strings.EqualFold(sign, t.text) }); ok {
			t.kind, t.sign = kind, sign
		}
		return t
	}
	if kind, sign, written, ok := signOf(func(sign string) bool { return strings.HasPrefix(text, sign) }); ok {
		return token{kind: kind, sign: sign, text: written}
	}
	_, size := utf8.DecodeRuneInString(text)
	return token{text: text[:size]}
}

// signOf returns the first sign with a notation for which is is true.
func signOf(is func(sign string) bool) (k kind, sign, written string, ok bool) {
	for _, s := range signs {
		for written := range strings.FieldsSeq(s.text) {
			if is(written) {
				return s.kind, s.sign, written, true
			}
		}
	}
	return 0, "", "", false
}

// wordLength returns the length in bytes of the word, name or number that a text begins with. Dots and
// colons within a word are part of it, and so are dashes between two event ids.
func wordLength(text string) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		next, _ := utf8.DecodeRuneInString(text[n+size:])
		inside := (r == '.' || r == ':') && n > 0 && isWord(next) || (r == '–' || r == '-') && n > 0 && text[0] == '#' && next == '#'
		if !isWord(r) && !inside {
			break
		}
		n += size
	}
	return n
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_#@\\", r))
}

// numberOf parses 0x1f, 31, or a kernel address of sixteen digits that begins with ff and has no 0x.
func numberOf(w string) (v uint64, bits, ok bool) {
	lower := strings.ToLower(w)
	digits, bits := strings.CutPrefix(lower, "0x")
	base := 10
	if !bits && len(w) == 16 && strings.HasPrefix(lower, "ff") {
		bits = true
	}
	if bits {
		base = 16
	}
	v, err := strconv.ParseUint(digits, base, 64)
	return v, bits, err == nil
}
