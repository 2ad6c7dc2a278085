// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// finish adds what is said of the runs as wholes.
func (c *comparison) finish(o Options) {
	r := c.result
	r.Differences = append(r.Differences, c.differences...)
	c.outcomes()
	for side, run := range c.runs {
		f := run.findings
		run.Events, run.Lost, run.Complete = f.Events, f.Lost, f.Footer != nil && !f.Cut
		c.doubts(run)
		*[]*Run{&r.A, &r.B}[side] = run.Run
	}
	r.Timed = o.Latency > 0
	r.Latency = latencies(&c.runs[0].took, &c.runs[1].took, o.Latency)
	if c.unread > 0 {
		r.Doubts = append(r.Doubts, plural(c.unread, "call")+" could not be read again")
	}
	c.notes()
}

func runOf(name string, h *schema.Header) Run {
	command := "no command"
	if len(h.GetCommand()) > 0 {
		command = replay.Printable(strings.Join(h.GetCommand(), " "))
	}
	return Run{File: replay.Printable(name), ID: hex.EncodeToString(h.GetRunId()), Kernel: replay.Printable(h.GetKernel().GetRelease()),
		Machine: replay.Printable(h.GetKernel().GetMachine()), Command: command}
}

// outcomes compares how the programs that both runs recorded ended, and what they
// printed, the n-th of a name with the n-th.
func (c *comparison) outcomes() {
	others := make(map[string][]*schema.Program)
	for _, p := range c.runs[1].programs {
		others[p.Name] = append(others[p.Name], p)
	}
	for _, a := range c.runs[0].programs {
		name := cmp.Or(c.runs[0].rename[a.Name], a.Name)
		list := others[name]
		if len(list) == 0 {
			continue
		}
		b := list[0]
		others[name] = list[1:]
		var lines []Line
		if a.ExitCode != b.ExitCode {
			lines = []Line{{Op: "-", Text: fmt.Sprintf("exit code %d", a.ExitCode)}, {Op: "+", Text: fmt.Sprintf("exit code %d", b.ExitCode)}}
		}
		if c.runs[0].printed(a) != c.runs[1].printed(b) && !bytes.Equal(a.Stdout, b.Stdout) {
			lines = append(lines, printedLines(string(a.Stdout), string(b.Stdout))...)
		}
		if len(lines) > 0 {
			c.result.Differences = append(c.result.Differences, &Difference{Kind: Outcome, Pair: Pair{Program: replay.Printable(name)}, Lines: lines})
		}
	}
}

// printed is what a program printed, without the numbers of the run.
func (r *run) printed(p *schema.Program) string {
	text, _ := r.builder.names.fold(string(p.Stdout), &schema.Event{PID: p.Pid, TID: p.Pid, Time: p.EndNs})
	return text
}

// printedLines returns the first line in which two outputs differ.
func printedLines(a, b string) []Line {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	n := 0
	for n < len(la) && n < len(lb) && la[n] == lb[n] {
		n++
	}
	line := func(op string, lines []string) Line {
		if n >= len(lines) {
			return Line{Op: op, Text: "printed nothing more"}
		}
		return Line{Op: op, Text: "printed " + quote(lines[n])}
	}
	return []Line{line("-", la), line("+", lb)}
}

// doubts says why the runs may differ although no difference was found.
func (c *comparison) doubts(r *run) {
	doubt := func(format string, args ...any) {
		c.result.Doubts = append(c.result.Doubts, r.File+fmt.Sprintf(format, args...))
	}
	switch f := r.findings; {
	case f.Footer == nil:
		doubt(" is cut: what came after its %s is not known", plural(f.Events, "event"))
	case r.short():
		doubt(" ended early (%s)", f.Footer.EndedBy)
	}
	if r.unkept > 0 {
		doubt(": what the last %s printed, and how they ended, was not compared", plural(r.unkept, "program"))
	}
	if r.left > 0 {
		doubt(" has more than %d calls: the last %d were not compared", uint64(maxCalls), r.left)
	}
	if r.Lost > 0 {
		doubt(" lost %s", plural(r.Lost, "event"))
	} else if len(r.findings.Damage) > 0 && r.findings.Footer != nil {
		doubt(" is damaged")
	}
}

// notes says what else explains differences, or their absence.
func (c *comparison) notes() {
	r := c.result
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	if r.A.ID == r.B.ID && r.A.ID != "" {
		note("both files are of one run, %s", r.A.ID)
	}
	if r.A.Kernel != r.B.Kernel && r.Count() == 0 {
		note("the kernels differ: %s and %s", r.A.Kernel, r.B.Kernel)
	}
	if r.A.Command != r.B.Command {
		note("the commands differ: %s and %s", r.A.Command, r.B.Command)
	}
	ha, hb := c.runs[0].in.Header(), c.runs[1].in.Header()
	for i, list := range [][]string{untried(ha, hb), untried(hb, ha)} {
		if len(list) > 0 {
			note("%s was made by a recorder without %s: left out", []string{r.A.File, r.B.File}[i], strings.Join(list, ", "))
		}
	}
	for i, list := range [][]string{halved(ha, hb), halved(hb, ha)} {
		if len(list) > 0 {
			note("%s has an entry and an exit of %s where the other run has one event: compared as one call, without its time", []string{r.A.File, r.B.File}[i], strings.Join(list, ", "))
		}
	}
	if wa, wb := attached(ha), attached(hb); wa != wb {
		note("the probes were attached by %s and by %s", wa, wb)
	}
	for _, old := range slices.Sorted(maps.Keys(c.runs[0].rename)) {
		note("%s of A is taken for %s of B: %s", replay.Printable(old), replay.Printable(c.runs[0].rename[old]), plural(c.runs[0].renamed[old], "call"))
	}
	if r.A.Calls == 0 || r.B.Calls == 0 {
		note("a run without calls: there is nothing to compare")
	}
}

// attached lists the ways the probes were attached.
func attached(h *schema.Header) string {
	var ways []string
	for _, p := range h.GetProbe() {
		if p.Attached {
			ways = append(ways, p.Attach.Label())
		}
	}
	slices.Sort(ways)
	return strings.Join(slices.Compact(ways), ", ")
}
