// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// WriteText prints the result as diff(1) prints two files: what A alone has after
// '-', what B alone has after '+', with the ids of the events.
func (r *Result) WriteText(w io.Writer) error {
	t := &textWriter{w: bufio.NewWriter(w)}
	if r.Count() > 0 {
		t.line("--- %s", title(&r.A))
		t.line("+++ %s", title(&r.B))
		t.kernel(r.Kernel)
		for i := range r.Differences {
			t.difference(&r.Differences[i])
		}
		t.pairs(r.Follows, r.FollowsMore, "@@ what follows: calls that find names otherwise because of the above @@")
	}
	if r.Timed {
		t.latency(r.Latency)
	}
	t.summary(r)
	return t.w.Flush()
}

type textWriter struct{ w *bufio.Writer }

func (t *textWriter) line(format string, args ...any) { fmt.Fprintf(t.w, format+"\n", args...) }

// title names a run: the file, the kernel, and what it holds.
func title(r *Run) string {
	k := r.Header.GetKernel()
	return fmt.Sprintf("%s\t%s %s, %s, %s", replay.Printable(r.Name), replay.Printable(k.GetRelease()),
		replay.Printable(k.GetMachine()), plural(r.Events, "event"), plural(r.Opens, "open"))
}

func (t *textWriter) kernel(changes []Change) {
	for i, c := range changes {
		if i == 0 || c.Symbol != changes[i-1].Symbol {
			t.line("@@ kernel: %s @@", map[bool]string{true: "symbols", false: "layout"}[c.Symbol])
		}
		note := ""
		if c.Note != "" {
			note = " (" + c.Note + ")"
		}
		t.line("-%s: %s", c.About, replay.Printable(c.A))
		t.line("+%s: %s%s", c.About, replay.Printable(c.B), note)
	}
}

func (t *textWriter) difference(d *Difference) {
	t.line("@@ %s @@", d.heading())
	for _, l := range d.Lines[:min(len(d.Lines), maxShown)] {
		t.line("%c%s%s", l.Op, l.Text, ids(l))
	}
	if n := len(d.Lines) - maxShown; n > 0 {
		t.line("  … %d more lines", n)
	}
	t.pairs(d.Also, d.AlsoMore, "  and "+plural(uint64(len(d.Also))+d.AlsoMore, "time")+" more:")
}

// maxShown is how many lines of a difference are printed; JSON has more.
const maxShown = 32

// maxPairs is how many calls of a kind are listed.
const maxPairs = 6

// pairs lists calls under a heading.
func (t *textWriter) pairs(list []Pair, more uint64, heading string) {
	if len(list) == 0 {
		return
	}
	t.line("%s", heading)
	for i := range list[:min(len(list), maxPairs)] {
		t.line("    %s", list[i].text())
	}
	if n := max(len(list)-maxPairs, 0) + int(more); n > 0 {
		t.line("    … %d more", n)
	}
}

// heading says where a difference is and of which kind.
func (d *Difference) heading() string {
	parts := []string{replay.Printable(d.Program)}
	if d.Call != "" {
		parts = append(parts, d.Call)
	}
	switch d.Kind {
	case ProgramOnly:
		parts = append(parts, "on one side only")
	case CallsOnly:
		parts = append(parts, "calls on one side only")
	case Order:
		parts = append(parts, "order")
	case Claims:
		parts = append(parts, "claims")
	}
	if s := spans(d.A, d.B); s != "" && d.Kind != CallsOnly && d.Kind != ProgramOnly {
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}

func (p *Pair) text() string {
	parts := []string{replay.Printable(p.Program), p.Call, spans(p.A, p.B)}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// ids are the events of a line that one side alone has.
func ids(l Line) string {
	switch s := spans(l.A, l.B); {
	case l.Op == ' ' || s == "":
		return ""
	default:
		return "\t" + s
	}
}

// spans are the events of both sides: "#3-#9 / #4-#10".
func spans(a, b Span) string {
	switch {
	case a == Span{}:
		return b.text()
	case b == Span{}:
		return a.text()
	}
	return a.text() + " / " + b.text()
}

func (s Span) text() string {
	switch {
	case s == Span{}:
		return ""
	case s.First == s.Last:
		return fmt.Sprintf("#%d", s.First)
	}
	return fmt.Sprintf("#%d-#%d", s.First, s.Last)
}

func (t *textWriter) latency(rows []Latency) {
	for i, l := range rows {
		if i == 0 {
			t.line("@@ latency: calls, median and 99th percentile in ns @@")
		}
		if !l.Differs {
			t.line(" %-12s %s | %s", l.Role, l.A.text(), l.B.text())
			continue
		}
		t.line("-%-12s %s", l.Role, l.A.text())
		t.line("+%-12s %s", l.Role, l.B.text())
	}
}

func (s Spread) text() string { return fmt.Sprintf("%d × %d, %d", s.Count, s.Median, s.P99) }

// summary is what the comparison comes to, and rests on.
func (t *textWriter) summary(r *Result) {
	switch r.Verdict() {
	case Same:
		t.line("the same: %s", compared(r))
	case Different:
		t.line("%s; the same: %s", plural(r.Count(), "difference"), compared(r))
	case Undecided:
		t.line("no difference found: %s", compared(r))
	}
	if r.Omitted > 0 {
		t.line("differences not shown: %d", r.Omitted)
	}
	for _, d := range r.Doubts {
		t.line("not known: %s", d)
	}
	for _, n := range r.Notes {
		t.line("note: %s", n)
	}
	for _, e := range r.Excused {
		t.line("not counted: %d × %s, e.g. %s", e.Count, e.Why, e.First.text())
	}
}

func compared(r *Result) string {
	return fmt.Sprintf("%s of %s and %d (%d and %d opens)", plural(r.Same, "call"), fmt.Sprint(r.A.Calls), r.B.Calls, r.A.Opens, r.B.Opens)
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
