// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// block is what kind of block a line stands in.
type block uint8

const (
	prose block = iota // paragraphs, lists, tables
	heading
	code   // a code block: output, or a tree
	source // a code block in a programming language
)

// line is one line of the page.
type line struct {
	number int
	block  block
	first  bool // of its code block
	raw    string
	name   string // without Markdown's backslashes
	text   string // the same, what is a name and looks like a statement masked
	at     []int  // where each byte of text stands in raw
}

// Page is a page that was read, ready to be held against a trace.
type Page struct {
	lines    []line
	passages []passage
	wanted   map[uint64]bool // numbers to look for in the events
	cited    map[uint64]bool // ids of events
}

// Parse reads a page of Markdown.
func Parse(markdown []byte) *Page {
	p := &Page{wanted: make(map[uint64]bool), cited: make(map[uint64]bool)}
	kinds, passages := blocks(markdown)
	for i, raw := range strings.Split(string(markdown), "\n") {
		l := line{number: i + 1, raw: strings.TrimSuffix(raw, "\r")}
		if k, ok := kinds[i]; ok {
			l.block, l.first = k.block, k.first
		}
		l.name, l.at = unescape(l.raw, l.block)
		l.text = l.name
		p.want(&l)
		p.lines = append(p.lines, l)
	}
	passages.rest(p.lines)
	p.passages = passages.out
	return p
}

type kind struct {
	block block
	first bool
}

// blocks maps line indices to what is not prose, and reads the passages. Front matter
// is taken off first, which Markdown knows nothing of.
func blocks(markdown []byte) (map[int]kind, *passageReader) {
	from := frontMatter(markdown)
	r := &passageReader{source: markdown, from: from, starts: lineStarts(markdown)}
	out := make(map[int]kind)
	mark := func(n ast.Node, b block) {
		for i := range n.Lines().Len() {
			out[placeOf(r.starts, from+n.Lines().At(i).Start).line] = kind{b, i == 0}
		}
		if b != source {
			r.block(n, b)
		}
	}
	document := goldmark.DefaultParser().Parse(text.NewReader(markdown[from:]))
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			mark(n, heading)
		case *ast.FencedCodeBlock:
			if isProgram(string(n.Language(markdown[from:]))) {
				mark(n, source)
			} else {
				mark(n, code)
			}
		case *ast.CodeBlock:
			mark(n, code)
		case *ast.Paragraph, *ast.TextBlock, *ast.HTMLBlock:
			r.block(n, prose)
		}
		return ast.WalkContinue, nil
	})
	return out, r
}

// frontMatter returns how many bytes of it a page begins with.
func frontMatter(markdown []byte) int {
	if rest, ok := bytes.CutPrefix(markdown, []byte("---\n")); ok {
		if end := bytes.Index(rest, []byte("\n---\n")); end >= 0 {
			return len(markdown) - len(rest) + end + len("\n---\n")
		}
	}
	return 0
}

// isProgram reports whether a block in a language states nothing about a run. What is
// in no language, or in one that is not known, is output.
func isProgram(language string) bool {
	switch strings.ToLower(language) {
	case "c", "h", "cpp", "c++", "go", "rust", "python", "sh", "bash", "shell", "make", "makefile", "diff", "proto", "console":
		return true
	}
	return false
}

// unescape takes the backslashes off a line of prose, but for those in code spans.
func unescape(raw string, b block) (string, []int) {
	out, at, fence := make([]byte, 0, len(raw)), make([]int, 0, len(raw)), 0
	for i := 0; i < len(raw); i++ {
		if run := len(raw[i:]) - len(strings.TrimLeft(raw[i:], "`")); run > 0 && (i == 0 || raw[i-1] != '`') {
			if fence == run {
				fence = 0
			} else if fence == 0 {
				fence = run
			}
		}
		if raw[i] == '\\' && fence == 0 && b == prose && i+1 < len(raw) && strings.IndexByte("\\`*[]<>#!|&~_", raw[i+1]) >= 0 {
			i++
		}
		out, at = append(out, raw[i]), append(at, i)
	}
	return string(out), append(at, len(raw))
}
