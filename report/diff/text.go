// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/report/md"
)

// WriteText prints the result as diff(1) prints two files: what A alone has after
// '-', what B alone has after '+', with the ids of the events.
func (r *Result) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(r.text(), "\n")+"\n")
	return err
}

// WriteMarkdown prints the same as a page for GitHub: what it comes to, and a diff.
func (r *Result) WriteMarkdown(w io.Writer) error {
	p := md.NewWriter(w)
	p.Line("# %s and %s: %s\n", md.Span(r.A.File), md.Span(r.B.File), r.headline())
	p.Fence("diff", r.text())
	return p.Flush()
}

// text is the lines of the result.
func (r *Result) text() (out []string) {
	if r.Count() > 0 {
		out = append([]string{"--- " + r.A.title(), "+++ " + r.B.title()}, hunks(r.Differences)...)
	}
	if r.Timed {
		out = append(out, latencyLines(r.Latency)...)
	}
	return append(out, r.closing()...)
}

// hunks spells differences out, each below its heading, neighbours of one heading together.
func hunks(list []*Difference) (out []string) {
	last := ""
	for _, d := range list {
		if h := "@@ " + d.heading() + " @@"; h != last {
			out, last = append(out, h), h
		}
		for _, l := range d.Lines {
			out = append(out, l.text())
		}
		if len(d.Also) == 0 {
			continue
		}
		last = ""
		out = append(out, "  and "+plural(uint64(len(d.Also))+d.AlsoMore, "time")+" more:")
		shown := d.Also[:min(len(d.Also), maxPairs)]
		for _, p := range shown {
			out = append(out, "    "+p.String())
		}
		if n := len(d.Also) - len(shown) + int(d.AlsoMore); n > 0 {
			out = append(out, fmt.Sprintf("    … %d more", n))
		}
	}
	return out
}

const latencyHeading = "latency: calls, median and 99th percentile in ns"

// maxPairs bounds the other calls of a difference that text shows; JSON has more.
const maxPairs = 6

// title names a run: the file, the kernel, and what it holds.
func (r *Run) title() string {
	return fmt.Sprintf("%s\t%s %s, %s, %s", r.File, r.Kernel, r.Machine, plural(r.Events, "event"), plural(r.Opens, "open"))
}

// heading says where a difference is and of which kind.
func (d *Difference) heading() string {
	if d.Kind == CallsOnly || d.Kind == ProgramOnly {
		return d.title() // the lines have the events
	}
	return commas(d.title(), d.Spans.String())
}

// title is the heading without the events.
func (d *Difference) title() string {
	kind := map[Kind]string{Symbols: "symbols", Layout: "layout", ProgramOnly: "on one side only", CallsOnly: "calls on one side only", Order: "order", Claims: "claims"}[d.Kind]
	return commas(d.Program, d.Call, kind)
}

func (p Pair) String() string { return commas(p.Program, p.Call, p.Spans.String()) }

// commas joins what is not empty.
func commas(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// text is the line as it is printed, with the events that one side alone has.
func (l *Line) text() string {
	if ids := l.Spans.String(); l.Op != " " && ids != "" {
		return l.Op + l.Text + "\t" + ids
	}
	return l.Op + l.Text
}

func (s Spread) String() string { return fmt.Sprintf("%d × %d, %d", s.Count, s.Median, s.P99) }

// latencyLines is the spread of every role, in one line where it does not differ.
func latencyLines(rows []Latency) (out []string) {
	for _, l := range rows {
		if !l.Differs {
			out = append(out, fmt.Sprintf(" %-12s %s | %s", l.Role, l.A, l.B))
			continue
		}
		out = append(out, fmt.Sprintf("-%-12s %s", l.Role, l.A), fmt.Sprintf("+%-12s %s", l.Role, l.B))
	}
	if len(out) > 0 {
		out = append([]string{"@@ " + latencyHeading + " @@"}, out...)
	}
	return out
}

// headline is what the comparison comes to.
func (r *Result) headline() string {
	return [...]string{Same: "the same", Different: plural(r.Count(), "difference"), Undecided: "no difference found"}[r.Verdict()]
}

// closing is what the comparison comes to, and rests on.
func (r *Result) closing() (out []string) {
	line := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	says := ": "
	if r.Verdict() == Different {
		says = "; the same: "
	}
	line("%s%s%s of %d and %d (%d and %d opens)", r.headline(), says, plural(r.Same, "call"), r.A.Calls, r.B.Calls, r.A.Opens, r.B.Opens)
	if r.Omitted > 0 {
		line("differences not shown: %d", r.Omitted)
	}
	if n := uint64(len(r.Accepted)); n > 0 {
		line("accepted: %s", plural(n, "difference"))
	}
	for _, u := range r.Unused {
		line("not met: %s (%s, line %d)", u.Text, u.File, u.Line)
	}
	for _, d := range r.Doubts {
		line("not known: %s", d)
	}
	for _, n := range r.Notes {
		line("note: %s", n)
	}
	for _, e := range r.Excused {
		line("not counted: %d × %s, e.g. %s", e.Count, e.Why, e.First)
	}
	return out
}
