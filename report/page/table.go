// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strings"
)

// cell is one of a row of a table: where it stands on the line, without blanks.
type cell struct{ span }

func (c cell) of(text string) string { return text[c.from:c.to] }

// isRow reports whether a line is the row of a table that begins with a bar.
func isRow(l *line) bool {
	return l.block == prose && strings.HasPrefix(strings.TrimLeft(l.text, " \t>"), "|")
}

// cellsOf parts a row.
func cellsOf(text string) []cell {
	var out []cell
	from := strings.IndexByte(text, '|') + 1
	for from < len(text) {
		to := len(text)
		if i := strings.IndexByte(text[from:], '|'); i >= 0 {
			to = from + i
		}
		inside := text[from:to]
		left := len(inside) - len(strings.TrimLeft(inside, " \t"))
		out = append(out, cell{span{from + left, max(from+left, from+len(strings.TrimRight(inside, " \t")))}})
		from = to + 1
	}
	return out
}

// row remembers the first row of a table, whose cells name the columns.
func (j *judge) row(l *line) {
	switch {
	case !isRow(l):
		j.head = nil
	case j.head == nil:
		j.head = l
	}
}

var nameHead = regexp.MustCompile(`(?i)\b(?:name|path|file)\b`)

// inRow finds what a row calls the address at s, and the text of its name: what it is
// stands in a cell before it, or over its column; a name in the cell behind it, if that
// is a code span or a path, or if its column is one of names.
func (j *judge) inRow(l *line, labels []label, s span) (label, string) {
	cells := cellsOf(l.text)
	at := -1
	for i, c := range cells {
		if c.from <= s.from && s.to <= c.to {
			at = i
		}
	}
	if at < 0 {
		return label{}, ""
	}
	name := ""
	if at+1 < len(cells) {
		next := cells[at+1]
		content, ok := codeSpan(next.of(l.name))
		if !ok {
			content = next.of(l.name)
		}
		if !addressToken.MatchString(content) && (ok || strings.HasPrefix(content, "/") || nameHead.MatchString(j.over(l, at+1))) {
			name = content
		}
	}
	for i := at - 1; i >= 0 && !addressToken.MatchString(cells[i].of(l.text)); i-- {
		if lb, ok := cells[i].label(l.text, labels); ok {
			return lb, name
		}
	}
	head := j.over(l, at)
	if lb, ok := (cell{span{0, len(head)}}).label(head, j.v.labels(head)); ok {
		return lb, name
	}
	return labelBehind(l, labels, cells[at+1:]), name
}

// label returns what a cell says and nothing else.
func (c cell) label(text string, labels []label) (label, bool) {
	for _, lb := range labels {
		if lb.from == c.from && lb.to <= c.to && strings.TrimSuffix(text[lb.to:c.to], " pointer") == "" {
			return lb, true
		}
	}
	return label{}, false
}

// labelBehind returns the only label in the cells behind an address; none where one of
// them holds another address.
func labelBehind(l *line, labels []label, cells []cell) label {
	var found label
	for _, c := range cells {
		if addressToken.MatchString(c.of(l.text)) {
			return label{}
		}
		if lb, ok := c.label(l.text, labels); ok {
			found = lb
		}
	}
	return found
}

// over is what stands over a column of a row.
func (j *judge) over(l *line, column int) string {
	if j.head == nil || j.head == l {
		return ""
	}
	if cells := cellsOf(j.head.text); column < len(cells) {
		return cells[column].of(j.head.text)
	}
	return ""
}
