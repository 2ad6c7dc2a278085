// SPDX-License-Identifier: Apache-2.0

// Package shown has text that a terminal shows as it is and does not act on: constants of the program, numbers, and what
// came from outside with escapes for all that is no glyph of its own. Nothing else gets into a Text, so that
// it can be written without a look at its bytes.
package shown

import (
	"io"
	"slices"
	"unicode/utf8"
)

// Text is such a text. The zero Text is empty.
type Text struct{ b []byte }

// constant is what stands in the program: no variable is one.
type constant string

// Of is a constant as a Text, for tables.
func Of(s constant) Text { return Text{padded([]byte(s))} }

// Word is a Text of a string of the program's own that is no constant, as a name in a table of package schema.
func Word(s string) (t Text) {
	t.Word(s)
	return Text{padded(t.b)}
}

// MakeRoom makes room for n bytes.
func (t *Text) MakeRoom(n int) { t.b = slices.Grow(t.b, n) }

// Put adds a constant.
func (t *Text) Put(s constant) { t.b = append(t.b, s...) }

// Word adds a string of the program's own that is no constant; what a terminal would act on in it is escaped.
func (t *Text) Word(s string) {
	if shown := Run([]byte(s)); shown < len(s) {
		t.b = AppendEscaped(append(t.b, s[:shown]...), []byte(s[shown:]))
		return
	}
	t.b = append(t.b, s...)
}

const (
	block = 16
	near  = 8 * block // texts of up to so many bytes are moved in blocks
)

// padded gives what is made once the room that Join moves it with.
func padded(b []byte) []byte { return slices.Grow(b, max(0, near-len(b))) }

// Join adds another text. Most are short and of many lengths: whole blocks are moved, also where less is meant, since what lies
// behind is written next. To ask for the length takes longer.
func (t *Text) Join(o *Text) {
	n, more := len(t.b), len(o.b)
	if more > near || cap(o.b) < near || cap(t.b)-n < near {
		t.b = append(t.b, o.b...)
		return
	}
	to, from := t.b[n:n+near], o.b[:near]
	*(*[block]byte)(to) = *(*[block]byte)(from)
	*(*[block]byte)(to[block:]) = *(*[block]byte)(from[block:])
	if more > 2*block {
		*(*[block]byte)(to[2*block:]) = *(*[block]byte)(from[2*block:])
		*(*[block]byte)(to[3*block:]) = *(*[block]byte)(from[3*block:])
	}
	if more > 4*block {
		*(*[block]byte)(to[4*block:]) = *(*[block]byte)(from[4*block:])
		*(*[block]byte)(to[5*block:]) = *(*[block]byte)(from[5*block:])
		*(*[block]byte)(to[6*block:]) = *(*[block]byte)(from[6*block:])
		*(*[block]byte)(to[7*block:]) = *(*[block]byte)(from[7*block:])
	}
	t.b = t.b[:n+more]
}

// Len is its length, bytes.
func (t *Text) Len() int { return len(t.b) }

// Truncate keeps the first n bytes.
func (t *Text) Truncate(n int) { t.b = t.b[:n] }

// Runes is how many characters there are from a byte on, without those of colors, escape sequences that end with m.
func (t *Text) Runes(from int) (n int) {
	for i := from; i < len(t.b); n++ {
		if t.b[i] == 0x1b {
			for t.b[i] != 'm' {
				i++
			}
			i, n = i+1, n-1
			continue
		}
		_, size := utf8.DecodeRune(t.b[i:])
		i += size
	}
	return n
}

// Over writes a constant over what stands from a byte on.
func (t *Text) Over(at int, s constant) { copy(t.b[at:], s) }

// String is the text.
func (t *Text) String() string { return string(t.b) }

// Writer is what looks at what is written by others, and takes a Text without.
type Writer interface {
	WriteShown(*Text) (int, error)
}

// WriteTo writes it.
func (t *Text) WriteTo(w io.Writer) (int64, error) {
	if s, ok := w.(Writer); ok {
		n, err := s.WriteShown(t)
		return int64(n), err
	}
	n, err := w.Write(t.b)
	return int64(n), err
}
