// SPDX-License-Identifier: Apache-2.0

package page

import (
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// place is where a byte stands in the page: the index of its line, and bytes into it.
type place struct{ line, column int }

// passage is what a reader sees of a paragraph, heading or code block, without the
// markup: line breaks are bytes of it, emphasis and the fences of code spans are not.
type passage struct {
	block block
	bytes []byte // of name, while it is read
	name  string
	text  string  // the same, what is a name and looks like a statement masked
	at    []place // of each byte of it, and of its end
	spans []span  // code spans
	aside bool    // it is in no block, as front matter is
}

// passageReader collects the passages of a document.
type passageReader struct {
	source []byte // the page
	from   int    // where in the page the document begins
	starts []int  // of the lines, bytes into the page
	out    []passage
}

// lineStarts returns where the lines of a page begin.
func lineStarts(page []byte) []int {
	starts := []int{0}
	for i, c := range page {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// placeOf finds an offset in the page.
func placeOf(starts []int, offset int) place {
	i, found := slices.BinarySearch(starts, offset)
	if !found {
		i--
	}
	return place{i, offset - starts[i]}
}

// block adds a block that states something as a passage.
func (r *passageReader) block(n ast.Node, b block) {
	p := &passage{block: b}
	switch n.Kind() {
	case ast.KindFencedCodeBlock, ast.KindCodeBlock:
		for i := range n.Lines().Len() {
			r.raw(p, n.Lines().At(i))
		}
	case ast.KindHTMLBlock:
		for i := range n.Lines().Len() {
			r.markup(p, n.Lines().At(i))
		}
		if c := n.(*ast.HTMLBlock).ClosureLine; c.Stop > c.Start {
			r.markup(p, c)
		}
	default:
		r.inline(p, n)
	}
	r.end(p)
}

// end closes a passage with the place after its last byte.
func (r *passageReader) end(p *passage) {
	last := place{}
	if n := len(p.at); n > 0 {
		last = place{p.at[n-1].line, p.at[n-1].column + 1}
	}
	p.name, p.bytes = string(p.bytes), nil
	p.at, p.text = append(p.at, last), p.name
	r.out = append(r.out, *p)
}

// inline adds what stands in a block, in order.
func (r *passageReader) inline(p *passage, n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			if n.Kind() == ast.KindCodeSpan {
				r.raw(p, c.Segment)
				continue
			}
			r.prose(p, c.Segment)
			if c.SoftLineBreak() || c.HardLineBreak() {
				r.add(p, "\n", c.Segment.Stop)
			}
		case *ast.CodeSpan:
			from := len(p.bytes)
			r.inline(p, c)
			p.spans = append(p.spans, span{from, len(p.bytes)})
		case *ast.RawHTML:
			if c.Segments.Len() > 0 {
				r.add(p, " ", c.Segments.At(0).Start)
			}
		default:
			r.inline(p, c)
		}
	}
}

// add puts bytes into a passage that all stand at one place, an offset in the document.
func (r *passageReader) add(p *passage, s string, offset int) {
	at := placeOf(r.starts, r.from+offset)
	p.bytes = append(p.bytes, s...)
	for range len(s) {
		p.at = append(p.at, at)
	}
}

// raw adds a stretch of the document as it is.
func (r *passageReader) raw(p *passage, s text.Segment) {
	at := placeOf(r.starts, r.from+s.Start)
	for i := s.Start; i < s.Stop; i++ {
		p.at = append(p.at, at)
		if at.column++; r.source[r.from+i] == '\n' {
			at = place{at.line + 1, 0}
		}
	}
	p.bytes = append(p.bytes, r.source[r.from+s.Start:r.from+s.Stop]...)
}

var entity = regexp.MustCompile(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z0-9]+);`)

// prose adds a stretch of text without its backslashes, its entities as what they are.
func (r *passageReader) prose(p *passage, s text.Segment) {
	value := r.source[r.from+s.Start : r.from+s.Stop]
	from := 0
	upTo := func(i int) { r.raw(p, text.NewSegment(s.Start+from, s.Start+i)) }
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && util.IsPunct(value[i+1]) {
			upTo(i)
			from, i = i+1, i+1
		} else if e := entity.Find(value[i:]); e != nil {
			upTo(i)
			r.add(p, html.UnescapeString(string(e)), s.Start+i)
			from, i = i+len(e), i+len(e)-1
		}
	}
	upTo(len(value))
}

var tag = regexp.MustCompile(`<[^>]*>`)

// markup adds a line of an HTML block without its tags.
func (r *passageReader) markup(p *passage, s text.Segment) {
	from := s.Start
	for _, m := range tag.FindAllIndex(r.source[r.from+s.Start:r.from+s.Stop], -1) {
		r.prose(p, text.NewSegment(from, s.Start+m[0]))
		r.add(p, " ", s.Start+m[0])
		from = s.Start + m[1]
	}
	r.prose(p, text.NewSegment(from, s.Stop))
}

// rest makes a passage of each line of prose that is in no block: front matter, and
// the definitions of links.
func (r *passageReader) rest(lines []line) {
	covered := make(map[int]bool)
	for i := range r.out {
		for _, at := range r.out[i].at {
			covered[at.line] = true
		}
	}
	for i := range lines {
		if l := &lines[i]; l.block == prose && !covered[i] && strings.TrimSpace(l.raw) != "" {
			p := &passage{bytes: []byte(l.raw), aside: true}
			for c := range len(l.raw) {
				p.at = append(p.at, place{i, c})
			}
			r.end(p)
		}
	}
}

// mask hides in a passage what is hidden in its lines.
func (p *passage) mask(lines []line) {
	hidden := make(map[place]bool)
	for i := p.at[0].line; i <= p.at[len(p.at)-1].line; i++ {
		for b := range len(lines[i].text) {
			if lines[i].text[b] == masked {
				hidden[place{i, lines[i].at[b]}] = true
			}
		}
	}
	if len(hidden) == 0 {
		return
	}
	text := []byte(p.name)
	for b := range text {
		if hidden[p.at[b]] {
			text[b] = masked
		}
	}
	p.text = string(text)
}

// codeAt returns the code span that begins at a byte of the passage.
func (p *passage) codeAt(from int) (string, bool) {
	for _, s := range p.spans {
		if s.from == from {
			return p.name[s.from:s.to], true
		}
	}
	return "", false
}
