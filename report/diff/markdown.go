// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/report/md"
)

// WriteMarkdown prints the result as a page for GitHub: each difference is a block
// of a diff, headed by the call.
func (r *Result) WriteMarkdown(w io.Writer) error {
	p := &printer{bufio.NewWriter(w)}
	p.line("# %s and %s: %s", code(r.A.File), code(r.B.File), r.headline())
	p.runs(r)
	if len(r.Kernel) > 0 {
		p.line("\n## The kernels\n\n| | A | B | |\n|---|---|---|---|")
	}
	for _, c := range r.Kernel {
		p.line("| %s | %s | %s | %s |", c.About, cell(c.A), cell(c.B), c.Note)
	}
	for _, d := range r.Differences {
		p.block(d)
	}
	if len(r.Follows) > 0 {
		p.line("\n## What follows")
		p.bullets(r.Follows, r.FollowsMore, "Calls that find names otherwise because of the above.")
	}
	if len(r.Excused) > 0 {
		p.line("\n## Not counted\n\n| why | how often | for example |\n|---|---|---|")
	}
	for _, e := range r.Excused {
		p.line("| %s | %d | %s |", e.Why, e.Count, cell(e.First.String()))
	}
	if len(r.Latency) > 0 {
		p.line("\n## Latency\n\n| role | calls A | median ns | p99 ns | calls B | median ns | p99 ns | |\n|---|---|---|---|---|---|---|---|")
	}
	for _, l := range r.Latency {
		p.line("| %s | %d | %d | %d | %d | %d | %d | %s |", l.Role, l.A.Count, l.A.Median, l.A.P99,
			l.B.Count, l.B.Median, l.B.P99, map[bool]string{true: "differs"}[l.Differs])
	}
	return p.w.Flush()
}

func (p *printer) runs(r *Result) {
	p.line("\n| | %s | %s |\n|---|---|---|", cell(r.A.File), cell(r.B.File))
	row := func(what string, get func(*Run) string) { p.line("| %s | %s | %s |", what, get(&r.A), get(&r.B)) }
	row("kernel", func(r *Run) string { return cell(r.Kernel) })
	row("command", func(r *Run) string { return cell(r.Command) })
	row("events, lost", func(r *Run) string { return fmt.Sprintf("%d, %d", r.Events, r.Lost) })
	row("programs, calls, opens compared", func(r *Run) string { return fmt.Sprintf("%d, %d, %d", r.Programs, r.Calls, r.Opens) })
	p.line("\n%s agree in everything compared.", plural(r.Same, "call"))
	for _, list := range [][]string{r.Doubts, r.Notes} {
		for _, d := range list {
			p.line("\n- %s", code(d))
		}
	}
}

func (p *printer) block(d *Difference) {
	p.line("\n## %s\n", code(d.heading()))
	var lines []string
	longest := 2
	for i := range d.Lines {
		lines = append(lines, md.Block(d.Lines[i].text()))
		longest = max(longest, backticks(lines[i]))
	}
	fence := strings.Repeat("`", longest+1)
	p.line("%sdiff\n%s\n%s", fence, strings.Join(lines, "\n"), fence)
	p.bullets(d.Also, d.AlsoMore, "The same in:")
}

func (p *printer) bullets(pairs []Pair, more uint64, says string) {
	if len(pairs) == 0 {
		return
	}
	p.line("\n%s\n", says)
	for _, pair := range pairs {
		p.line("- %s", code(pair.String()))
	}
	if more > 0 {
		p.line("- and %d more", more)
	}
}

// code puts text into a code span it cannot leave.
func code(s string) string { return md.Span(s) }

// cell is code for a table, where a bar would end the cell even in code.
func cell(s string) string { return strings.ReplaceAll(code(s), "|", `\|`) }

// backticks is the length of the longest run of them.
func backticks(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if run++; s[i] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}
