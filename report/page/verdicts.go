// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"slices"
	"strings"
)

var (
	// claimLine is a claim as reports write it: the verdict, the kind, and what it says.
	claimLine = regexp.MustCompile(`^\s*[-*+]\s+(?:[*_` + "`" + `]+(proven|refuted|unproven)[*_` + "`" + `]+|(proven|refuted|unproven))\s+([a-z][a-z ]*?)(?::| of )\s*(\S.*)$`)
	// besideEvent is the verdict on what a line says of an event.
	besideEvent = regexp.MustCompile("\\b(hash|storage|bucket) [*_`]*(proven|refuted|unproven)\\b")
	openLine    = regexp.MustCompile(`^open (\d+) of this program, (.*):$`)
	lastID      = regexp.MustCompile(`#(\d+)[^#]*$`)
	markup      = regexp.MustCompile("[*_`\\\\\\s]+")
)

// reported is what the reports of a run say that no single event does.
type reported struct {
	claims map[string][]string        // by kind and what it says: the verdicts
	lines  map[string]bool            // the claims as a whole
	beside map[string]string          // by kind and event: the verdict
	opens  map[string]map[string]bool // by program: number and path of its opens
}

// readReports gathers it from the reports.
func readReports(own [][]byte) *reported {
	r := &reported{claims: make(map[string][]string), lines: make(map[string]bool), beside: make(map[string]string), opens: make(map[string]map[string]bool)}
	for _, o := range own {
		program := ""
		for _, l := range strings.Split(string(o), "\n") {
			program = programOf(l, program)
			r.line(l, program)
		}
	}
	return r
}

func (r *reported) line(l, program string) {
	if c, ok := claimOf(l); ok {
		r.claims[c.says] = append(r.claims[c.says], c.verdict)
		r.lines[c.verdict+c.says+c.reason] = true
		return
	}
	for _, b := range besidesOf(l) {
		r.beside[b.kind+b.id] = b.verdict
	}
	if m := openLine.FindStringSubmatch(l); m != nil {
		for _, in := range []string{program, ""} {
			if r.opens[in] == nil {
				r.opens[in] = make(map[string]bool)
			}
			r.opens[in][m[1]+" "+m[2]] = true
		}
	}
}

// programOf is the program whose section a line stands in, "" for none, by the line
// and the program of the line before.
func programOf(line, before string) string {
	if name, ok := strings.CutPrefix(line, "### "); ok {
		return strings.TrimSpace(name)
	}
	if strings.HasPrefix(line, "## ") {
		return ""
	}
	return before
}

// claim is a claim line in parts, without markup.
type claim struct{ verdict, says, reason string }

func claimOf(line string) (claim, bool) {
	m := claimLine.FindStringSubmatch(line)
	if m == nil {
		return claim{}, false
	}
	says, reason, _ := strings.Cut(m[4], " — ")
	return claim{m[1] + m[2], bare(m[3] + ": " + says), bare(reason)}, true
}

// bare is a text without markup and its blanks alike.
func bare(s string) string { return strings.TrimSpace(markup.ReplaceAllString(s, " ")) }

// beside is a verdict that stands beside an event.
type beside struct {
	span
	kind, verdict string
	id            string // "" where no event is cited
}

func besidesOf(line string) []beside {
	var out []beside
	for _, m := range besideEvent.FindAllStringSubmatchIndex(line, -1) {
		b := beside{span: span{m[0], m[1]}, kind: line[m[2]:m[3]], verdict: line[m[4]:m[5]]}
		if id := lastID.FindStringSubmatch(line[:m[0]]); id != nil {
			b.id = id[1]
		}
		if _, bold := strings.CutPrefix(line[m[3]:m[4]], " **"); bold || b.id != "" {
			out = append(out, b)
		}
	}
	return out
}

// verdicts judges the verdicts that the page gives, and its list of opens.
func (j *judge) verdicts(own [][]byte) {
	if len(own) == 0 {
		return
	}
	r, program := readReports(own), ""
	for i := range j.x.page.lines {
		l := &j.x.page.lines[i]
		if l.block == source || l.block == code {
			continue
		}
		program = programOf(l.raw, program)
		if c, ok := claimOf(l.raw); ok {
			j.claim(l, r, c)
			continue
		}
		j.besides(l, r)
		j.listedOpen(l, r, program)
	}
}

// claim judges a claim line: the run must give it that verdict.
func (j *judge) claim(l *line, r *reported, c claim) {
	given := r.claims[c.says]
	v, note := Found, ""
	switch {
	case len(given) == 0:
		v, note = Absent, "no such claim is in the report of this run"
	case !slices.Contains(given, c.verdict):
		v, note = Wrong, "in this run it is "+given[0]
	case !r.lines[c.verdict+c.says+c.reason]:
		v, note = Wrong, "in this run the reason is another"
	}
	j.report(l, span{0, len(l.text)}, "claim", v, nil, note)
}

// besides judges the verdicts on a line about single events.
func (j *judge) besides(l *line, r *reported) {
	for _, b := range besidesOf(l.text) {
		given, ok := r.beside[b.kind+b.id]
		v, note := Found, ""
		switch {
		case b.id == "":
			v, note = Unread, "it cites no event"
		case !ok:
			v, note = Absent, "the report of this run has no verdict there"
		case given != b.verdict:
			v, note = Wrong, "in this run it is "+given
		}
		j.report(l, b.span, "claim", v, nil, note)
	}
}

// listedOpen judges the line above an open: which one of its program it is.
func (j *judge) listedOpen(l *line, r *reported, program string) {
	m := openLine.FindStringSubmatch(l.raw)
	if m == nil {
		return
	}
	among, known := r.opens[program]
	if !known {
		among = r.opens[""] // a section of another name
	}
	v := Found
	if !among[m[1]+" "+m[2]] {
		v = Absent
	}
	j.report(l, span{0, len(l.text)}, "open", v, nil, noteIf(v != Found, "the report of this run lists no such open"))
}
