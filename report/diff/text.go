// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText prints the result as diff(1) prints two files: what A alone has after
// '-', what B alone has after '+', with the ids of the events.
func (r *Result) WriteText(w io.Writer) error {
	p := &printer{bufio.NewWriter(w)}
	if r.Count() > 0 {
		p.line("--- %s", r.A.title())
		p.line("+++ %s", r.B.title())
		last := ""
		for _, d := range r.told() {
			if h := d.heading(); d.Kind != Kernel || h != last {
				p.line("@@ %s @@", h)
				last = h
			}
			for _, l := range d.shown() {
				p.line("%s", l.text())
			}
			p.pairs(d.Also, d.AlsoMore, "  and "+plural(uint64(len(d.Also))+d.AlsoMore, "time")+" more:")
		}
	}
	if r.Timed {
		p.latency(r.Latency)
	}
	p.summary(r)
	return p.w.Flush()
}

const latencyHeading = "latency: calls, median and 99th percentile in ns"

// Bounds on what text shows; JSON has more.
const (
	maxShown = 32 // lines of a difference
	maxPairs = 6  // calls of a kind
	more     = "  … "
)

// shown are the lines of a difference that text has room for.
func (d *Difference) shown() []Line {
	n := len(d.Lines) - maxShown
	if n <= 0 {
		return d.Lines
	}
	return append(slices.Clone(d.Lines[:maxShown]), Line{Op: " ", Text: fmt.Sprintf("%s%d more lines", more[1:], n)})
}

type printer struct{ w *bufio.Writer }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// title names a run: the file, the kernel, and what it holds.
func (r *Run) title() string {
	return fmt.Sprintf("%s\t%s %s, %s, %s", r.File, r.Kernel, r.Machine, plural(r.Events, "event"), plural(r.Opens, "open"))
}

// pairs lists calls under a heading.
func (p *printer) pairs(list []Pair, more uint64, heading string) {
	if len(list) == 0 {
		return
	}
	p.line("%s", heading)
	for i := range list[:min(len(list), maxPairs)] {
		p.line("    %s", list[i])
	}
	if n := max(len(list)-maxPairs, 0) + int(more); n > 0 {
		p.line("    … %d more", n)
	}
}

// heading says where a difference is and of which kind.
func (d *Difference) heading() string {
	if d.Kind == CallsOnly || d.Kind == ProgramOnly {
		return d.title() // the lines have the events
	}
	return commas(d.title(), spans(d.A, d.B))
}

// title is the heading without the events.
func (d *Difference) title() string {
	if d.Kind == Kernel {
		return d.Program + ": " + d.Call
	}
	kind := map[Kind]string{ProgramOnly: "on one side only", CallsOnly: "calls on one side only", Order: "order", Claims: "claims"}[d.Kind]
	return commas(d.Program, d.Call, kind)
}

func (p Pair) String() string { return commas(p.Program, p.Call, spans(p.A, p.B)) }

// commas joins what is not empty.
func commas(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// text is the line as it is printed, with the events that one side alone has.
func (l *Line) text() string {
	if ids := spans(l.A, l.B); l.Op != " " && ids != "" {
		return l.Op + l.Text + "\t" + ids
	}
	return l.Op + l.Text
}

// spans are the events of both sides: "#3-#9 / #4-#10".
func spans(a, b Span) string {
	if (a == Span{} || b == Span{}) {
		return a.join(b).String()
	}
	return a.String() + " / " + b.String()
}

func (s Spread) String() string { return fmt.Sprintf("%d × %d, %d", s.Count, s.Median, s.P99) }

func (p *printer) latency(rows []Latency) {
	for i, l := range rows {
		if i == 0 {
			p.line("@@ %s @@", latencyHeading)
		}
		if !l.Differs {
			p.line(" %-12s %s | %s", l.Role, l.A, l.B)
			continue
		}
		p.line("-%-12s %s", l.Role, l.A)
		p.line("+%-12s %s", l.Role, l.B)
	}
}

// headline is what the comparison comes to.
func (r *Result) headline() string {
	return [...]string{Same: "the same", Different: plural(r.Count(), "difference"), Undecided: "no difference found"}[r.Verdict()]
}

// summary is what the comparison comes to, and rests on.
func (p *printer) summary(r *Result) {
	line := r.headline() + ": "
	if r.Verdict() == Different {
		line = r.headline() + "; the same: "
	}
	p.line("%s%s of %d and %d (%d and %d opens)", line, plural(r.Same, "call"), r.A.Calls, r.B.Calls, r.A.Opens, r.B.Opens)
	if r.Omitted > 0 {
		p.line("differences not shown: %d", r.Omitted)
	}
	if n := uint64(len(r.Accepted)); n > 0 {
		p.line("accepted: %s", plural(n, "difference"))
	}
	for _, u := range r.Unused {
		p.line("not met: %s (%s, line %d)", u.Text, u.File, u.Line)
	}
	for _, d := range r.Doubts {
		p.line("not known: %s", d)
	}
	for _, n := range r.Notes {
		p.line("note: %s", n)
	}
	for _, e := range r.Excused {
		p.line("not counted: %d × %s, e.g. %s", e.Count, e.Why, e.First)
	}
}
