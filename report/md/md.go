// SPDX-License-Identifier: Apache-2.0

// Package md writes Markdown that holds nothing but what was meant, whatever names, symbols
// and messages stand in it: no HTML, no link, no image, no Liquid of Jekyll's.
//
// Formats are constants. Everything else goes through Code, Text, Cell or Fence, and what
// was forgotten to is made harmless by Line.
package md

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
)

// Literal is a format. A string that is no constant is none: what comes from outside
// cannot be written as one.
type Literal string

// Writer writes a page and remembers the first error.
type Writer struct {
	to    io.Writer
	out   bytes.Buffer // what is not written yet
	parts []part       // in progress, the inner ones last
	full  int          // how many of these, from the outer one on, had room until now
	err   error
}

// part is one that may be taken back.
type part struct {
	from, room int // in what is not written yet, and bytes; room < 0: it is only measured
	size       int // of what was measured and let go
}

// NewWriter returns a writer to w. Flush it.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Try writes a part of a page, if it takes no more than the bytes of room that are left: these
// are then less. What does not fit is not written, and false returned.
func (w *Writer) Try(room *int, write func()) bool {
	size, fits := w.part(max(*room, 0), write)
	if fits {
		*room -= size
	}
	w.wrote()
	return fits
}

// Size is how many bytes a part would take.
func (w *Writer) Size(write func()) int {
	size, _ := w.part(-1, write)
	return size
}

// part writes one, unless it has no room or is only measured.
func (w *Writer) part(room int, write func()) (size int, fits bool) {
	if w.full < len(w.parts) {
		return 0, false // the part around it has none
	}
	n, from := len(w.parts), w.out.Len()
	w.parts = append(w.parts, part{from: from, room: room})
	w.full = n + 1
	write()
	p := w.parts[n]
	fits = w.full > n
	if w.parts, w.full = w.parts[:n], min(w.full, n); fits {
		size = p.size + w.out.Len() - from
	}
	if (!fits || room < 0) && w.out.Len() > from { // the part around it may have been taken back
		w.out.Truncate(from)
	}
	return size, fits
}

// wrote looks after each line whether a part is too large, and hands on what none may take
// back.
func (w *Writer) wrote() {
	const spill = 64 << 10
	// What a part has no room for takes none of those around it, nor does what is only measured.
	for i := w.full - 1; i >= 0 && w.parts[i].room >= 0; i-- {
		if p := w.parts[i]; w.out.Len()-p.from > p.room {
			w.full = i
			w.out.Truncate(p.from)
		}
	}
	if w.out.Len() < spill {
		return
	}
	switch n := len(w.parts); {
	case n == 0:
		_ = w.Flush()
	case n == w.full && w.parts[n-1].room < 0:
		p := &w.parts[n-1]
		p.size += w.out.Len() - p.from
		w.out.Truncate(p.from)
	}
}

// Line writes a line, or several. Of its arguments what would be more than text is made
// text.
func (w *Writer) Line(format Literal, args ...any) { w.Put(format+"\n", args...) }

// Put is Line for a piece of one.
func (w *Writer) Put(format Literal, args ...any) {
	if w.full < len(w.parts) {
		return
	}
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = harmless(a)
		case error:
			args[i] = harmless(a.Error())
		case fmt.Stringer:
			args[i] = harmless(a.String())
		}
	}
	fmt.Fprintf(&w.out, string(format), args...)
	w.wrote()
}

// Fence writes lines as a code block that they cannot end.
func (w *Writer) Fence(language Literal, lines []string) {
	if w.full < len(w.parts) {
		return
	}
	longest := 2
	for _, l := range lines {
		longest = max(longest, longestRun(l, '`'))
	}
	fence := strings.Repeat("`", longest+1)
	w.out.WriteString(fence + string(language) + "\n")
	for _, l := range lines {
		w.out.WriteString(Block(l))
		w.out.WriteByte('\n')
	}
	w.out.WriteString(fence + "\n")
	w.wrote()
}

// Flush writes what is left and returns the first error.
func (w *Writer) Flush() error {
	_, err := w.out.WriteTo(w.to)
	if w.out.Reset(); w.err == nil {
		w.err = err
	}
	return w.err
}

// Code is a name as a code span that the name cannot leave. What is not printable is
// escaped as in a Go string, and so is what a page must not hold.
func Code(name string) string { return Span(replay.Printable(name)) }

// Span is Code of text whose names are escaped already.
func Span(s string) string {
	s = escape(printable(s))
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if s == "" || s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Cell is Code in a table, where a bar would end the cell even so.
func Cell(name string) string { return strings.ReplaceAll(Code(name), "|", `\x7c`) }

// Text is a name in running text, a heading or a table cell.
func Text(s string) string { return Prose(replay.Printable(s)) }

// Element is a name in an HTML element or in the front matter between double quotes, where
// Markdown is not read: but Jekyll puts a title into a page as it is, and other readers of
// either take it for Markdown.
func Element(name string) string {
	var b strings.Builder
	for _, r := range replay.Printable(name) {
		if r < utf8.RuneSelf && !alphanumeric(byte(r)) && !strings.ContainsRune(" .,+-/()", r) {
			b.WriteString(entity(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Prose is Text of words whose names are escaped already.
func Prose(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '#' && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9': // an event, and no heading
			b.WriteRune(r)
		case strings.ContainsRune("\\`*[]>#!|~", r) || r == '_' && !within(s, i):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '@', strings.ContainsRune("<&{", r), strings.HasPrefix(s[i:], "://"), r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"):
			b.WriteString(entity(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// entity is a character that nothing reads but as itself.
func entity(r rune) string {
	switch r {
	case '<':
		return "&lt;"
	case '&':
		return "&amp;"
	}
	return "&#" + strconv.Itoa(int(r)) + ";"
}

// within reports whether the byte at i stands between two letters or digits, where an
// underscore emphasises nothing.
func within(s string, i int) bool {
	return i > 0 && i+1 < len(s) && alphanumeric(s[i-1]) && alphanumeric(s[i+1])
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// live returns how many bytes at the start of s begin what a page must not hold, and of
// which byte of these it is made text.
func live(s string) (is bool, at int) {
	switch {
	case len(s) < 2:
	case s[0] == '<' && (s[1] == '/' || s[1] == '!' || s[1] == '?' || alphanumeric(s[1])):
		return true, 0 // a tag, or an autolink
	case s[0] == '{' && (s[1] == '{' || s[1] == '%'):
		return true, 0 // Liquid
	case s[0] == ']' && (s[1] == '(' || s[1] == ':' || s[1] == '['):
		return true, 1 // a link, an image, or the target of one
	case s[0] == '[' && len(s) > 2 && s[2] == ']' && (s[1] == ' ' || s[1] == 'x' || s[1] == 'X'):
		return true, 0 // a check box
	case strings.HasPrefix(s, "://"):
		return true, 0 // a bare link
	}
	return false, 0
}

// rewrite puts spell's word for every byte that would begin what a page must not hold.
func rewrite(s string, spell func(c byte) string) string {
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); i++ {
		if is, at := live(s[i:]); is {
			b.WriteString(s[from : i+at])
			b.WriteString(spell(s[i+at]))
			from = i + at + 1
			i += at
		}
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// escape is for code, which has no entities.
func escape(s string) string {
	return rewrite(s, func(c byte) string { return `\x` + strconv.FormatUint(uint64(c), 16) })
}

// harmless is for prose, and leaves what Code and Text made as it is.
func harmless(s string) string {
	return rewrite(printable(s), func(c byte) string { return entity(rune(c)) })
}

// Block is a line of a code block. Only Liquid reads in there.
func Block(s string) string {
	s = printable(s)
	for _, open := range []string{"{{", "{%"} {
		s = strings.ReplaceAll(s, open, `{\x`+strconv.FormatUint(uint64(open[1]), 16))
	}
	return s
}

// printable escapes what is not printable, where a backslash stands for itself.
func printable(s string) string {
	var b strings.Builder
	from := 0
	for i, r := range s {
		if r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		q := strconv.QuoteToASCII(s[i : i+size])
		b.WriteString(s[from:i] + q[1:len(q)-1])
		from = i + size
	}
	if from == 0 {
		return s
	}
	return b.String() + s[from:]
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
