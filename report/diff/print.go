// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/report/suite"
)

// WriteText prints the result as diff(1) prints two files: lines of A only after '-', of B only after '+',
// with the ids of their events.
func (r *Result) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(r.text(), "\n")+"\n")
	return err
}

// WriteMarkdown prints the same text as a page for GitHub: a heading with the outcome, and a diff.
func (r *Result) WriteMarkdown(w io.Writer) error {
	p := md.NewWriter(w)
	p.Line("# %s and %s: %s\n", md.Span(r.A.File), md.Span(r.B.File), r.headline())
	p.Fence("diff", r.text())
	return p.Flush()
}

// text returns the lines of the result: the differences, the outcome, and what it rests on.
func (r *Result) text() (out []string) {
	line := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	says := ": "
	if r.Count() > 0 {
		says = "; the same: "
		line("--- %s", r.A.title())
		line("+++ %s", r.B.title())
		out = append(out, hunks(r.Differences)...)
	}
	if r.Timed {
		out = append(out, latencyLines(r.Latency)...)
	}
	line("%s%s%s of %d and %d", r.headline(), says, plural.Of(r.Same, "call"), r.A.Calls, r.B.Calls)
	if r.Omitted > 0 {
		line("differences not shown: %d", r.Omitted)
	}
	if n := uint64(len(r.Accepted)); n > 0 {
		line("accepted: %s", plural.Of(n, "difference"))
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
		line("not counted: %d × %s, e.g. %s", e.Count, e.Why, e.Pair)
	}
	return out
}

// maxPairs bounds the other calls of a difference that the text lists; JSON lists up to maxAlso.
const maxPairs = 6

// hunks returns the lines of differences, each under a heading of its own, so that it is seen to which lines "times
// more" belongs. Those between the kernels, which are two lines each, share one.
func hunks(list []*Difference) (out []string) {
	last := ""
	for _, d := range list {
		if h := "@@ " + d.heading() + " @@"; h != last || !d.Kind.ofKernel() {
			out, last = append(out, h), h
		}
		for _, l := range d.Lines {
			text := l.Op + l.Text
			if ids := l.Spans.String(); l.Op != " " && ids != "" {
				text += "\t" + ids
			}
			out = append(out, text)
		}
		if len(d.Also) == 0 {
			continue
		}
		out = append(out, "  and "+plural.Of(uint64(len(d.Also))+d.AlsoMore, "time")+" more:")
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

// title returns the file, the kernel and the size of a run.
func (r *Run) title() string {
	return fmt.Sprintf("%s\t%s %s, %s, %s", r.File, r.Kernel, r.Machine, plural.Of(r.Events, "event"), plural.Of(r.Calls, "call"))
}

// heading returns the place and the kind of a difference, with its events.
func (d *Difference) heading() string {
	if d.Kind == CallsOnly || d.Kind == ProgramOnly {
		return d.title() // the lines have the event ids
	}
	return commas(d.title(), d.Spans.String())
}

// title is heading without the events.
func (d *Difference) title() string {
	kind := map[Kind]string{Symbols: "symbols", Layout: "layout", ProgramOnly: "on one side only", CallsOnly: "calls on one side only", Order: "order", Claims: "claims"}[d.Kind]
	return commas(d.Program, d.Call, kind)
}

func (p Pair) String() string { return commas(p.Program, p.Call, p.Spans.String()) }

// commas joins the parts that are not empty.
func commas(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// headline returns the outcome of the comparison.
func (r *Result) headline() string {
	return map[Verdict]string{Same: "the same", Different: plural.Of(r.Count(), "difference"), Undecided: "no difference found"}[r.Verdict()]
}

const latencyHeading = "latency: calls, median and 99th percentile in ns"

// latencyLines returns one line per role, or two lines if the latency differs.
func latencyLines(rows []Latency) (out []string) {
	for _, l := range rows {
		if l.Differs {
			out = append(out, fmt.Sprintf("-%-12s %s", l.Role, l.A), fmt.Sprintf("+%-12s %s", l.Role, l.B))
		} else {
			out = append(out, fmt.Sprintf(" %-12s %s | %s", l.Role, l.A, l.B))
		}
	}
	if len(out) > 0 {
		out = append([]string{"@@ " + latencyHeading + " @@"}, out...)
	}
	return out
}

// WriteJSON prints the result as one object per line, each with a "type": "runs" first, then any
// "difference", "accepted", "unused", "excused" and "latency", and "verdict" last. Event ids are numbers; a
// span is [first, last].
func (r *Result) WriteJSON(w io.Writer) error {
	var out bytes.Buffer
	var err error
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	line := func(kind string, v any) { // puts the type before the object's own fields
		if err != nil {
			return
		}
		out.Reset()
		if err = enc.Encode(v); err == nil {
			_, err = w.Write(append([]byte(`{"type":"`+kind+`",`), out.Bytes()[1:]...))
		}
	}
	line("runs", map[string]*Run{"a": &r.A, "b": &r.B})
	each(r.Differences, "difference", line)
	each(r.Accepted, "accepted", line)
	each(r.Unused, "unused", line)
	each(r.Excused, "excused", line)
	each(r.Latency, "latency", line)
	line("verdict", struct {
		Verdict     Verdict  `json:"verdict"` // same, different, undecided
		Differences uint64   `json:"differences"`
		Same        uint64   `json:"same_calls"`
		Omitted     uint64   `json:"omitted,omitempty"`
		NotAsked    int      `json:"not_asked,omitempty"`
		Accepted    int      `json:"accepted,omitempty"`
		Unused      int      `json:"unused,omitempty"`
		Doubts      []string `json:"doubts"`
		Notes       []string `json:"notes"`
	}{r.Verdict(), r.Count(), r.Same, r.Omitted, r.NotAsked, len(r.Accepted), len(r.Unused), r.Doubts, r.Notes})
	return err
}

func each[T any](list []T, kind string, line func(string, any)) {
	for _, v := range list {
		line(kind, v)
	}
}

// WriteKTAP prints the result in KTAP format, one test for each program and kind of difference.
func (r *Result) WriteKTAP(w io.Writer) error { return suite.WriteKTAP(w, r.tests()) }

// WriteJUnit prints the same tests as JUnit XML.
func (r *Result) WriteJUnit(w io.Writer) error {
	return suite.WriteJUnit(w, "dtrec diff "+r.A.File+" "+r.B.File, r.tests())
}

// tests returns one test for each program (or "kernel") and kind of difference, whether it differs or not.
// A difference in several programs is one of each. If nothing can be concluded from finding no difference, no test passes.
func (r *Result) tests() (tests []suite.Test) {
	doubts := slices.Clone(r.Doubts)
	if r.Omitted > 0 {
		doubts = append(doubts, plural.Of(r.Omitted, "difference")+" not shown")
	}
	for i, class := range append([]string{"kernel"}, r.programs...) {
		for _, k := range Kinds() {
			if k.ofKernel() != (i == 0) || r.asked != nil && !slices.Contains(r.asked, k) {
				continue
			}
			isOther := func(d *Difference) bool { return d.Kind != k || d.Program != class && !d.others[class] }
			open := slices.DeleteFunc(slices.Clone(r.Differences), isOther)
			accepted := slices.DeleteFunc(slices.Clone(r.Accepted), isOther)
			t := suite.Test{Class: class, Name: string(k), Details: hunks(open)}
			switch {
			case len(open) > 0:
				t.Outcome, t.Why = suite.Failed, plural.Of(uint64(len(open)), "difference")
			case len(doubts) > 0:
				t.Outcome, t.Why = suite.Undecided, strings.Join(doubts, "; ")
			case len(accepted) > 0:
				t.Outcome, t.Why = suite.Accepted, plural.Of(uint64(len(accepted)), "difference")
			}
			tests = append(tests, t)
		}
	}
	for _, l := range r.Latency {
		if t := (suite.Test{Class: "latency", Name: l.Role}); r.Timed {
			if l.Differs {
				t.Outcome, t.Why = suite.Failed, "A "+l.A.String()+"; B "+l.B.String()
			}
			tests = append(tests, t)
		}
	}
	return tests
}
