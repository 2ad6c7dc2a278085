// SPDX-License-Identifier: Apache-2.0

// Package shown builds text that a terminal displays as it is and does not act on. Constants of the
// program, numbers, and escaped strings from outside are all that can be added to a Text, so a Text can
// be written without checking its bytes.
package shown

import (
	"io"
	"slices"
	"unicode/utf8"
)

// Text is a text that contains nothing a terminal acts on except colors. The zero Text is empty.
type Text struct{ b []byte }

// constant is unexported, so that other packages can only pass constants of the program as one: a
// string variable is not assignable to it.
type constant string

// Of returns a constant as a Text, for tables.
func Of(s constant) Text { return Text{growForBlocks([]byte(s))} }

// Word returns a Text of a string that belongs to the program but is not a constant, such as a name in
// a table of package schema.
func Word(s string) (t Text) {
	t.Word(s)
	return Text{growForBlocks(t.b)}
}

// MakeRoom makes room for n more bytes.
func (t *Text) MakeRoom(n int) { t.b = slices.Grow(t.b, n) }

// Put adds a constant.
func (t *Text) Put(s constant) { t.b = append(t.b, s...) }

// Word adds a string that belongs to the program but is not a constant. Anything in it that a terminal
// would act on is escaped.
func (t *Text) Word(s string) {
	if shown := Run([]byte(s)); shown < len(s) {
		t.b = AppendEscaped(append(t.b, s[:shown]...), []byte(s[shown:]))
		return
	}
	t.b = append(t.b, s...)
}

const (
	block      = 16
	blockLimit = 8 * block // texts of up to this many bytes are copied in blocks
)

// growForBlocks grows the capacity of a text that is made once to what Join needs to copy it in blocks.
func growForBlocks(b []byte) []byte { return slices.Grow(b, max(0, blockLimit-len(b))) }

// Join adds another text. Most are short and of many lengths, so whole blocks are copied even if fewer
// bytes are meant; what is written next overwrites the rest. Asking for the exact length takes longer.
func (t *Text) Join(o *Text) {
	n, more := len(t.b), len(o.b)
	if more > blockLimit || cap(o.b) < blockLimit || cap(t.b)-n < blockLimit {
		t.b = append(t.b, o.b...)
		return
	}
	to, from := t.b[n:n+blockLimit], o.b[:blockLimit]
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

// Len returns the length in bytes.
func (t *Text) Len() int { return len(t.b) }

// Truncate keeps the first n bytes.
func (t *Text) Truncate(n int) { t.b = t.b[:n] }

// Runes returns the number of characters from byte from on. Colors, the escape sequences that end with
// m, do not count.
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

// Overwrite overwrites the text from byte at on with a constant.
func (t *Text) Overwrite(at int, s constant) { copy(t.b[at:], s) }

// String returns the text.
func (t *Text) String() string { return string(t.b) }

// Writer is implemented by a writer that checks what others write, and accepts a Text unchecked.
type Writer interface {
	WriteShown(*Text) (int, error)
}

// WriteTo writes the text to w, with WriteShown if w is a Writer.
func (t *Text) WriteTo(w io.Writer) (int64, error) {
	if s, ok := w.(Writer); ok {
		n, err := s.WriteShown(t)
		return int64(n), err
	}
	n, err := w.Write(t.b)
	return int64(n), err
}
