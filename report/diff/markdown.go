// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// WriteMarkdown prints the result as a page for GitHub: each difference is a block
// of a diff, headed by the call.
func (r *Result) WriteMarkdown(w io.Writer) error {
	t := &textWriter{w: bufio.NewWriter(w)}
	t.line("# %s and %s: %s", span(r.A.Name), span(r.B.Name), headline(r))
	t.runs(r)
	t.changes(r.Kernel)
	for i := range r.Differences {
		t.block(&r.Differences[i])
	}
	t.listed("What follows", "Calls that find names otherwise because of the above.", r.Follows, r.FollowsMore)
	t.excused(r.Excused)
	t.latencyTable(r.Latency)
	return t.w.Flush()
}

func headline(r *Result) string {
	switch r.Verdict() {
	case Same:
		return "the same"
	case Different:
		return plural(r.Count(), "difference")
	}
	return "no difference found"
}

func (t *textWriter) runs(r *Result) {
	t.line("\n| | %s | %s |\n|---|---|---|", cell(r.A.Name), cell(r.B.Name))
	row := func(what string, get func(*Run) string) { t.line("| %s | %s | %s |", what, get(&r.A), get(&r.B)) }
	row("kernel", func(r *Run) string { return cell(r.Header.GetKernel().GetRelease()) })
	row("command", func(r *Run) string { return cell(command(r.Header)) })
	row("events, lost", func(r *Run) string { return fmt.Sprintf("%d, %d", r.Events, r.Lost) })
	row("programs, calls, opens compared", func(r *Run) string { return fmt.Sprintf("%d, %d, %d", r.Programs, r.Calls, r.Opens) })
	t.line("\n%s agree in everything compared.", plural(r.Same, "call"))
	for _, d := range append(append([]string{}, r.Doubts...), r.Notes...) {
		t.line("\n- %s", span(d))
	}
}

func (t *textWriter) changes(changes []Change) {
	if len(changes) == 0 {
		return
	}
	t.line("\n## The kernels\n\n| | A | B | |\n|---|---|---|---|")
	for _, c := range changes {
		t.line("| %s | %s | %s | %s |", c.About, cell(c.A), cell(c.B), c.Note)
	}
}

func (t *textWriter) block(d *Difference) {
	t.line("\n## %s\n", span(d.heading()))
	var lines []string
	longest := 2
	for _, l := range d.Lines {
		line := string(l.Op) + l.Text + ids(l)
		lines, longest = append(lines, line), max(longest, backticks(line))
	}
	fence := strings.Repeat("`", longest+1)
	t.line("%sdiff\n%s\n%s", fence, strings.Join(lines, "\n"), fence)
	t.bullets(d.Also, d.AlsoMore, "The same in:")
}

func (t *textWriter) listed(title, says string, pairs []Pair, more uint64) {
	if len(pairs) > 0 {
		t.line("\n## %s", title)
		t.bullets(pairs, more, says)
	}
}

func (t *textWriter) bullets(pairs []Pair, more uint64, says string) {
	if len(pairs) == 0 {
		return
	}
	t.line("\n%s\n", says)
	for i := range pairs {
		t.line("- %s", span(pairs[i].text()))
	}
	if more > 0 {
		t.line("- and %d more", more)
	}
}

func (t *textWriter) excused(list []Excuse) {
	if len(list) == 0 {
		return
	}
	t.line("\n## Not counted\n\n| why | how often | for example |\n|---|---|---|")
	for _, e := range list {
		t.line("| %s | %d | %s |", e.Why, e.Count, cell(e.First.text()))
	}
}

func (t *textWriter) latencyTable(rows []Latency) {
	if len(rows) == 0 {
		return
	}
	t.line("\n## Latency\n\n| role | calls A | median ns | p99 ns | calls B | median ns | p99 ns | |\n|---|---|---|---|---|---|---|---|")
	for _, l := range rows {
		t.line("| %s | %d | %d | %d | %d | %d | %d | %s |", l.Role, l.A.Count, l.A.Median, l.A.P99,
			l.B.Count, l.B.Median, l.B.P99, map[bool]string{true: "differs"}[l.Differs])
	}
}

// span puts text into a code span it cannot leave.
func span(s string) string {
	s = replay.Printable(s)
	fence := strings.Repeat("`", backticks(s)+1)
	if s == "" || s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// cell is span for a table, where a bar would end the cell even in code.
func cell(s string) string { return strings.ReplaceAll(span(s), "|", `\|`) }

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
