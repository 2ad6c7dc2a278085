// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strings"
)

var (
	// opensNext ends a line that goes on with what it names.
	opensNext = regexp.MustCompile(`(?:=|\b(?:entry|return|pointer|source|destination|parent|bucket|inode|under|salt|hash|length|offset|address|appears at|prints|reads|returns))[*_` + "`" + `]*[:,]?[*_` + "`" + `]*\s*$`)
	// addressLast ends a line with an address, of which the next may tell more.
	addressLast = regexp.MustCompile(`(?:0[xX][0-9a-fA-F]{9,16}|\b[fF]{2}[0-9a-fA-F]{14})[*_` + "`" + `]*\s*$`)
	tellsMore   = regexp.MustCompile(`^\s*[>\s]*(?:\(|\||with |#\d)`)
)

// rejoin puts lines of one paragraph together where a phrase goes on over the break: a
// label and its address, an address and its event. What was joined stands on the first
// line.
func (p *Page) rejoin() {
	for i := range p.passages {
		at := p.passages[i].at
		if p.passages[i].block != prose {
			continue
		}
		for k := at[len(at)-1].line; k > at[0].line; k-- {
			if l, next := &p.lines[k-1], &p.lines[k]; l.block == prose && goesOn(l.text, next.text) && !isRow(next) {
				l.join(next)
			}
		}
	}
}

func goesOn(text, next string) bool {
	return opensNext.MatchString(text) || addressLast.MatchString(text) && tellsMore.MatchString(next) ||
		strings.LastIndexByte(text, '(') > strings.LastIndexByte(text, ')')
}

// join appends a line to the one before it.
func (l *line) join(next *line) {
	skip := len(next.text) - len(strings.TrimLeft(next.text, " \t>"))
	l.text, l.name = l.text+" "+next.text[skip:], l.name+" "+next.name[skip:]
	for len(l.at) <= len(l.text) {
		l.at = append(l.at, len(l.raw))
	}
	next.text, next.name, next.at = "", "", []int{0}
}
