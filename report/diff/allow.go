// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// Allowed is differences that were looked at and accepted: a file of what WriteText printed
// of them. An entry is a heading (@@ … @@) with the lines below it, and accepts what differs
// there in these lines and no other; a heading alone accepts whatever differs there. The
// numbers of events do not count. Lines that begin with # are comments.
type Allowed struct {
	name    string
	entries [][]allowedLine // each its heading, without events, and the lines below
}

type allowedLine struct {
	at   int // line of the file
	text string
	used bool
}

// Unused is an entry that met no difference, or a line of one that met another.
type Unused struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// What a heading is, and what a diff prints around its differences.
const (
	headingLine = `^@@ (.*?)(?:, #\d+(?:-#\d+)?(?: / #\d+(?:-#\d+)?)?)? @@$`
	aroundLine  = `^(|#.*|--- .*\t.*|\+\+\+ .*\t.*|(?:\d+ differences?|the same|no difference found|differences not shown|not known|note|not counted|accepted|not met|not asked for)[:;] .*)$`
)

// maxAllowed bounds the lines of a file of accepted differences, bytes of each.
const maxAllowed = 1 << 20

// ReadAllowed reads a file of accepted differences. An error names the line that no diff
// prints.
func ReadAllowed(name string, r io.Reader) (*Allowed, error) {
	a := &Allowed{name: replay.Printable(name)}
	heading, around := regexp.MustCompile(headingLine), regexp.MustCompile(aroundLine)
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxAllowed)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		within := len(a.entries) > 0
		switch m := heading.FindStringSubmatch(line); {
		case m != nil:
			a.entries = append(a.entries, []allowedLine{{at: n, text: m[1]}})
		case around.MatchString(line):
		case within && strings.ContainsRune("-+ ", rune(line[0])):
			if e := &a.entries[len(a.entries)-1]; counts(line) {
				line, _, _ = strings.Cut(line, "\t")
				*e = append(*e, allowedLine{at: n, text: line})
			}
		default:
			return nil, fmt.Errorf("line %d: %s: not what a diff prints", n, quote(line[:min(len(line), 64)]))
		}
	}
	return a, in.Err()
}

// counts reports whether a printed line says what differs: not one that both sides have, nor
// one of the other calls that differ so.
func counts(line string) bool { return line[0] != ' ' || strings.HasPrefix(line, " "+more) }

// Accept takes the differences that are allowed out of the result, and says which entries
// met none.
func (r *Result) Accept(a *Allowed) {
	r.Differences = slices.DeleteFunc(r.Differences, func(d *Difference) bool {
		took := a.takes(d)
		if took {
			r.Accepted = append(r.Accepted, d)
		}
		return took
	})
	for _, e := range a.entries {
		heading, below := e[0], e[1:]
		if heading.text == latencyHeading {
			continue
		} else if !heading.used {
			heading.text, below = "@@ "+heading.text+" @@", nil
		}
		for _, l := range append([]allowedLine{heading}, below...) {
			if !l.used {
				r.Unused = append(r.Unused, Unused{a.name, l.at, replay.Printable(l.text)})
			}
		}
	}
}

// takes reports whether an entry accepts the difference.
func (a *Allowed) takes(d *Difference) bool {
	title := d.like(d.title())
	return slices.ContainsFunc(a.entries, func(e []allowedLine) bool { return title(e[0].text) && accepts(e, d) })
}

// like returns a function that reports whether a text is one of the difference's, whatever it has for
// names that are of the run.
func (d *Difference) like(text string) func(string) bool {
	if d.varies == nil {
		return func(other string) bool { return other == text }
	}
	pattern := regexp.QuoteMeta(text)
	for i := 0; i < len(d.varies); i += 2 {
		for _, around := range []string{`""`, `"/`, `//`, `/"`} {
			pattern = strings.ReplaceAll(pattern, around[:1]+d.varies[i]+around[1:], around[:1]+d.varies[i+1]+around[1:])
		}
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString
}

// accepts reports whether an entry has every line of a difference that it has the heading
// of, as often, or none at all.
func accepts(e []allowedLine, d *Difference) bool {
	met := map[int]bool{0: true}
	for _, l := range d.Lines {
		if len(e) == 1 || !counts(l.Op+l.Text) {
			continue
		}
		like := d.like(l.Op + l.Text)
		i := 1
		for i < len(e) && (met[i] || !like(e[i].text)) {
			i++
		}
		if i == len(e) {
			return false
		}
		met[i] = true
	}
	for i := range met {
		e[i].used = true
	}
	return true
}
