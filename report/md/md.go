// SPDX-License-Identifier: Apache-2.0

// Package md writes Markdown that contains only the markup that was intended, whatever names, symbols and
// messages it shows: no HTML, link, image, or Liquid of Jekyll can come from them.
//
// Formats are constants. Everything else goes through Code, Text, Cell or Fence; Line makes harmless what
// did not.
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

// Literal is a format. A string that is not a constant does not convert by itself, so that text from
// outside cannot be used as a format.
type Literal string

// Writer writes a page. It remembers the first error, which Flush returns.
type Writer struct {
	to    io.Writer
	out   bytes.Buffer // not yet written
	parts []part       // parts in progress, the inner ones last
	full  int          // how many of parts, from the outermost on, had room so far
	err   error
}

// part is a piece of the page that may be taken back.
type part struct {
	from, room int // start in out, and limit in bytes; room < 0: the part is only measured
	size       int // bytes that were measured and already dropped
}

// NewWriter returns a Writer that writes to w. Flush must be called at the end.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Try writes a part of a page if it takes at most the given room, in bytes, and subtracts its size from
// room. Otherwise it writes nothing and returns false.
func (w *Writer) Try(room *int, write func()) bool {
	size, fits := w.part(max(*room, 0), write)
	if fits {
		*room -= size
	}
	w.wrote()
	return fits
}

// Size returns how many bytes a part would take.
func (w *Writer) Size(write func()) int {
	size, _ := w.part(-1, write)
	return size
}

// part runs write and keeps what it wrote, unless that does not fit or is only to be measured.
func (w *Writer) part(room int, write func()) (size int, fits bool) {
	if w.full < len(w.parts) {
		return 0, false // the part around this one has no room
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
	if (!fits || room < 0) && w.out.Len() > from { // unless the part around this one was taken back
		w.out.Truncate(from)
	}
	return size, fits
}

// wrote is called after each line. It takes back parts that have become too large, and passes on what can
// no longer be taken back.
func (w *Writer) wrote() {
	const spill = 64 << 10
	// A part that is taken back, or only measured, takes no room from the parts around it.
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

// Line writes one or more lines. Arguments that would be read as markup are turned into text.
func (w *Writer) Line(format Literal, args ...any) { w.Put(format+"\n", args...) }

// Put is Line without the newline.
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

// Fence writes lines as a code block, with a fence that none of the lines can end.
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

// Flush writes what is left, and returns the first error.
func (w *Writer) Flush() error {
	_, err := w.out.WriteTo(w.to)
	if w.out.Reset(); w.err == nil {
		w.err = err
	}
	return w.err
}

// Code returns a name as a code span that the name cannot end. Characters that are not printable are
// escaped as in a Go string, and so is what a page must not contain.
func Code(name string) string { return Span(replay.Printable(name)) }

// Span is Code for text in which names are already escaped.
func Span(s string) string {
	s = escape(printable(s))
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if s == "" || s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Cell is Code for a table, where a bar would end the cell even inside a code span.
func Cell(name string) string { return strings.ReplaceAll(Code(name), "|", `\x7c`) }

// Text returns a name for running text, a heading or a table cell.
func Text(s string) string { return Prose(replay.Printable(s)) }

// Element returns a name for an HTML element, or for the front matter between double quotes. Markdown is
// not read there, but Jekyll copies a title into the page as it is, and other readers treat both as
// Markdown.
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

// Prose is Text for words in which names are already escaped.
func Prose(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '#' && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9': // an event id, not a heading
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

// entity returns a character as an HTML entity, so that nothing reads it as markup.
func entity(r rune) string {
	switch r {
	case '<':
		return "&lt;"
	case '&':
		return "&amp;"
	}
	return "&#" + strconv.Itoa(int(r)) + ";"
}

// within reports whether the byte at i is between two letters or digits, where an underscore does not start
// emphasis.
func within(s string, i int) bool {
	return i > 0 && i+1 < len(s) && alphanumeric(s[i-1]) && alphanumeric(s[i+1])
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// live reports whether s starts with something that a page must not contain, and at which byte it can be
// defused.
func live(s string) (is bool, at int) {
	switch {
	case len(s) < 2:
	case s[0] == '<' && (s[1] == '/' || s[1] == '!' || s[1] == '?' || alphanumeric(s[1])):
		return true, 0 // a tag or an autolink
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

// rewrite replaces each byte that would start something a page must not contain by what spell returns for
// it.
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

// escape makes code harmless, in which there are no entities.
func escape(s string) string {
	return rewrite(s, func(c byte) string { return `\x` + strconv.FormatUint(uint64(c), 16) })
}

// harmless makes prose harmless. It leaves the results of Code and Text unchanged.
func harmless(s string) string {
	return rewrite(printable(s), func(c byte) string { return entity(rune(c)) })
}

// Block returns a line for a code block, where only Liquid is interpreted.
func Block(s string) string {
	s = printable(s)
	for _, open := range []string{"{{", "{%"} {
		s = strings.ReplaceAll(s, open, `{\x`+strconv.FormatUint(uint64(open[1]), 16))
	}
	return s
}

// printable escapes characters that are not printable, but not backslashes.
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
