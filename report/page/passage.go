// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	goldmark "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Page is a parsed page, ready to be checked against a trace.
type Page struct {
	lines    []string
	starts   []int // byte offset of each line
	passages []passage
	wanted   map[uint64]bool // numbers to look for in the events
	cited    map[uint64]bool // event ids
	numbered map[uint64]bool // numbers of dentries that an address follows
}

// passage is the visible text of a paragraph, table row, heading or code block, without markup and with
// entities and backslashes resolved.
type passage struct {
	text   string
	at     []int // offset in the page of each byte of text
	code   bool  // it is a code block, in which a line break ends an expression
	tokens []token
	spans  []span // code spans
}

// span is a range of a passage's text, in bytes.
type span struct{ from, to int }

// Parse reads a page of Markdown.
func Parse(markdown []byte) *Page {
	p := &Page{lines: strings.Split(string(markdown), "\n"), starts: []int{0},
		wanted: make(map[uint64]bool), cited: make(map[uint64]bool), numbered: make(map[uint64]bool)}
	for i, c := range markdown {
		if c == '\n' {
			p.starts = append(p.starts, i+1)
		}
	}
	front := frontMatter(markdown)
	r := &reader{source: markdown[front:], from: front}
	_ = ast.Walk(newParser().Parse(text.NewReader(r.source)), r.visit) // visit returns no error
	for i := range r.passages {
		q := &r.passages[i]
		q.tokens = scan(q.text, q.code)
		for i, t := range q.tokens {
			if i > 0 && t.isAddress() {
				p.numbered[q.tokens[i-1].dentry()] = true
			}
			if t.kind == number {
				p.wanted[t.value] = true
			}
			for _, id := range t.ids() {
				p.cited[id] = true
			}
		}
	}
	p.passages = r.passages
	return p
}

// newParser is goldmark.DefaultParser without the dependencies of that package.
func newParser() goldmark.Parser {
	return goldmark.NewParser(goldmark.WithBlockParsers(goldmark.DefaultBlockParsers()...), goldmark.WithInlineParsers(goldmark.DefaultInlineParsers()...),
		goldmark.WithParagraphTransformers(goldmark.DefaultParagraphTransformers()...))
}

// frontMatter returns the length in bytes of the front matter at the start of a page, which is not
// Markdown.
func frontMatter(markdown []byte) int {
	if rest, ok := bytes.CutPrefix(markdown, []byte("---\n")); ok {
		if end := bytes.Index(rest, []byte("\n---\n")); end >= 0 {
			return len(markdown) - len(rest) + end + len("\n---\n")
		}
	}
	return 0
}

// place returns the line and column, both from 1, of an offset in the page.
func (p *Page) place(offset int) (line, column int) {
	i, found := slices.BinarySearch(p.starts, offset)
	if !found {
		i--
	}
	return i + 1, offset - p.starts[i] + 1
}

// reader collects the passages of a document.
type reader struct {
	source   []byte
	from     int // offset of the document in the page
	passages []passage
	bytes    []byte // text of the passage being read
	passage
}

func (r *reader) visit(n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering || n.Type() != ast.TypeBlock {
		return ast.WalkContinue, nil
	}
	switch n := n.(type) {
	case *ast.Heading, *ast.Paragraph, *ast.TextBlock:
		r.inline(n)
		r.end(false)
	case *ast.FencedCodeBlock:
		if !isProgram(string(n.Language(r.source))) {
			r.lines(n, r.raw)
			r.end(true)
		}
	case *ast.CodeBlock:
		r.lines(n, r.raw)
		r.end(true)
	case *ast.HTMLBlock:
		r.lines(n, r.markup)
		r.end(false)
	}
	return ast.WalkContinue, nil
}

// isProgram reports whether a code block in this language states nothing about a run. A block without a
// language, or in an unknown one, is taken as output.
func isProgram(language string) bool {
	return slices.Contains([]string{"c", "h", "cpp", "c++", "go", "rust", "python", "sh", "bash", "shell", "make", "makefile", "diff", "proto",
		"console"}, strings.ToLower(language))
}

func (r *reader) lines(n ast.Node, take func(text.Segment)) {
	for i := range n.Lines().Len() {
		take(n.Lines().At(i))
	}
}

// end finishes the passage being read.
func (r *reader) end(code bool) {
	r.text, r.code, r.at = string(r.bytes), code, append(r.at, r.from+len(r.source))
	r.passages, r.passage, r.bytes = append(r.passages, r.passage), passage{}, nil
}

// inline adds the inline content of a block.
func (r *reader) inline(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			if n.Kind() == ast.KindCodeSpan {
				r.raw(c.Segment)
				continue
			}
			r.prose(c.Segment)
			if c.SoftLineBreak() || c.HardLineBreak() {
				r.add("\n", c.Segment.Stop)
			}
		case *ast.CodeSpan:
			from := len(r.bytes)
			r.inline(c)
			r.spans = append(r.spans, span{from, len(r.bytes)})
		case *ast.RawHTML:
			r.add(" ", c.Segments.At(0).Start)
		default:
			r.inline(c)
		}
	}
}

// add appends bytes that all come from one offset in the document.
func (r *reader) add(s string, offset int) {
	r.bytes = append(r.bytes, s...)
	for range len(s) {
		r.at = append(r.at, r.from+offset)
	}
}

// raw adds a segment of the document unchanged.
func (r *reader) raw(s text.Segment) {
	for i := s.Start; i < s.Stop; i++ {
		r.add(string(r.source[i:i+1]), i)
	}
}

// prose adds a segment of text with its backslashes and entities resolved.
func (r *reader) prose(s text.Segment) {
	for i := s.Start; i < s.Stop; i++ {
		rest := r.source[i:s.Stop]
		if rest[0] == '\\' && len(rest) > 1 && util.IsPunct(rest[1]) {
			i++
		} else if end := bytes.IndexByte(rest[:min(len(rest), 32)], ';'); rest[0] == '&' && end > 0 {
			if c := html.UnescapeString(string(rest[:end+1])); len(c) <= end {
				r.add(c, i)
				i += end
				continue
			}
		}
		r.add(string(r.source[i:i+1]), i)
	}
}

// markup adds a line of an HTML block without its tags.
func (r *reader) markup(s text.Segment) {
	for s.Start < s.Stop {
		line := r.source[s.Start:s.Stop]
		open := bytes.IndexByte(line, '<')
		end := bytes.IndexByte(line[max(open, 0):], '>')
		if open < 0 || end < 0 {
			break
		}
		r.prose(text.NewSegment(s.Start, s.Start+open))
		r.add(" ", s.Start+open)
		s.Start += open + end + 1
	}
	r.prose(s)
}

// lineID returns the ids at the start of the line of token i, as the lines of dtrec replay have them.
func (p *passage) lineID(i int) []uint64 {
	for i > 0 && p.tokens[i-1].text != "\n" {
		i--
	}
	return p.tokens[i].ids()
}
