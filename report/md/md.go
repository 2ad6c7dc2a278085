// SPDX-License-Identifier: Apache-2.0

// Package md writes Markdown that holds nothing but what was meant, whatever names, symbols
// and messages stand in it: no HTML, no link, no image, no Liquid of Jekyll's.
//
// Formats are constants. Everything else goes through Code, Text, Cell or Fence, and what
// was forgotten to is made harmless by Line.
package md

import (
	"bufio"
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
type Writer struct{ out *bufio.Writer }

// NewWriter returns a writer to w. Flush it.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, 64<<10)} }

// Line writes a line, or several. Of its arguments what would be more than text is made
// text.
func (w *Writer) Line(format Literal, args ...any) {
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
	fmt.Fprintf(w.out, string(format), args...)
	w.out.WriteByte('\n')
}

// Fence writes lines as a code block that they cannot end.
func (w *Writer) Fence(language Literal, lines []string) {
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
}

// Flush writes what is left and returns the first error.
func (w *Writer) Flush() error { return w.out.Flush() }

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

// Prose is Text of words whose names are escaped already.
func Prose(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
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

// Title is text for the front matter, between double quotes: YAML reads it there, Jekyll
// puts what it read into a page as it is, and other readers take it for Markdown.
func Title(s string) string {
	var b strings.Builder
	for _, r := range replay.Printable(s) {
		if r < utf8.RuneSelf && !alphanumeric(byte(r)) && !strings.ContainsRune(" .,+-/()", r) {
			b.WriteString(entity(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
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
