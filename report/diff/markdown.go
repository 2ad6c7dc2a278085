// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/report/md"
)

// WriteMarkdown prints the result as a page for GitHub: each difference is a block
// of a diff, headed by the call.
func (r *Result) WriteMarkdown(w io.Writer) error {
	p := md.NewWriter(w)
	p.Line("# %s and %s: %s", md.Span(r.A.File), md.Span(r.B.File), r.headline())
	r.markdownRuns(p)
	if len(r.Kernel) > 0 {
		p.Line("\n## The kernels\n\n| | A | B | |\n|---|---|---|---|")
	}
	for _, c := range r.Kernel {
		p.Line("| %s | %s | %s | %s |", c.About, cell(c.A), cell(c.B), c.Note)
	}
	for _, d := range r.Differences {
		p.Line("\n## %s\n", md.Span(d.heading()))
		var lines []string
		for i := range d.Lines {
			lines = append(lines, d.Lines[i].text())
		}
		p.Fence("diff", lines)
		markdownPairs(p, d.Also, d.AlsoMore, "The same in:")
	}
	for i, d := range r.Accepted {
		if i == 0 {
			p.Line("\n## Accepted\n")
		}
		p.Line("- %s", md.Span(d.heading()))
	}
	for _, u := range r.Unused {
		p.Line("\n- not met: %s (%s, line %d)", md.Span(u.Text), md.Span(u.File), u.Line)
	}
	if len(r.Excused) > 0 {
		p.Line("\n## Not counted\n\n| why | how often | for example |\n|---|---|---|")
	}
	for _, e := range r.Excused {
		p.Line("| %s | %d | %s |", e.Why, e.Count, cell(e.First.String()))
	}
	if len(r.Latency) > 0 {
		p.Line("\n## Latency\n\n| role | calls A | median ns | p99 ns | calls B | median ns | p99 ns | |\n|---|---|---|---|---|---|---|---|")
	}
	for _, l := range r.Latency {
		p.Line("| %s | %d | %d | %d | %d | %d | %d | %s |", l.Role, l.A.Count, l.A.Median, l.A.P99,
			l.B.Count, l.B.Median, l.B.P99, map[bool]string{true: "differs"}[l.Differs])
	}
	return p.Flush()
}

func (r *Result) markdownRuns(p *md.Writer) {
	p.Line("\n| | %s | %s |\n|---|---|---|", cell(r.A.File), cell(r.B.File))
	row := func(what string, get func(*Run) string) { p.Line("| %s | %s | %s |", what, get(&r.A), get(&r.B)) }
	row("kernel", func(r *Run) string { return cell(r.Kernel) })
	row("command", func(r *Run) string { return cell(r.Command) })
	row("events, lost", func(r *Run) string { return fmt.Sprintf("%d, %d", r.Events, r.Lost) })
	row("programs, calls, opens compared", func(r *Run) string { return fmt.Sprintf("%d, %d, %d", r.Programs, r.Calls, r.Opens) })
	p.Line("\n%s agree in everything compared.", plural(r.Same, "call"))
	for _, list := range [][]string{r.Doubts, r.Notes} {
		for _, d := range list {
			p.Line("\n- %s", md.Span(d))
		}
	}
}

func markdownPairs(p *md.Writer, pairs []Pair, more uint64, says string) {
	if len(pairs) == 0 {
		return
	}
	p.Line("\n%s\n", says)
	for _, pair := range pairs {
		p.Line("- %s", md.Span(pair.String()))
	}
	if more > 0 {
		p.Line("- and %d more", more)
	}
}

// cell is a code span in a table, where a bar would end the cell even so.
func cell(s string) string { return strings.ReplaceAll(md.Span(s), "|", `\x7c`) }
