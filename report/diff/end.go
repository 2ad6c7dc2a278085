// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// run sums a side up.
func (c *comparison) run(side int) Run {
	d := c.sides[side]
	f := d.findings
	r := Run{Name: c.names[side], Header: f.Header, Events: f.Events,
		Apart: d.apart, Lost: f.Lost, Complete: f.Footer != nil && !f.Cut}
	for _, p := range c.order {
		r.Calls += p.made[side]
		r.Opens += p.open[side]
		r.Programs += int(flag(p.made[side] > 0))
	}
	return r
}

// outcomes compares how the programs that both runs recorded ended, and what they
// printed, the n-th of a name with the n-th.
func (c *comparison) outcomes() {
	others := make(map[string][]*schema.Program)
	for _, p := range c.sides[1].programs {
		others[p.Name] = append(others[p.Name], p)
	}
	for _, a := range c.sides[0].programs {
		list := others[a.Name]
		if len(list) == 0 {
			continue
		}
		b := list[0]
		others[a.Name] = list[1:]
		var lines []Line
		if a.ExitCode != b.ExitCode {
			lines = append(lines, Line{Op: '-', Text: fmt.Sprintf("exit code %d", a.ExitCode)},
				Line{Op: '+', Text: fmt.Sprintf("exit code %d", b.ExitCode)})
		}
		if oa, ob := c.printed(0, a), c.printed(1, b); !bytes.Equal(oa, ob) && !bytes.Equal(a.Stdout, b.Stdout) {
			lines = append(lines, printedLines(a.Stdout, b.Stdout)...)
		}
		if len(lines) > 0 {
			c.result.Differences = append(c.result.Differences, Difference{Kind: Outcome, Program: a.Name, Lines: lines})
		}
	}
}

// printed is what a program printed, with the numbers of the run folded.
func (c *comparison) printed(side int, p *schema.Program) []byte {
	n := &c.sides[side].names
	if folded := n.fold(string(p.Stdout), &schema.Event{PID: p.Pid, TID: p.Pid, Time: p.EndNs}); folded != nil {
		return slices.Clone(folded)
	}
	return p.Stdout
}

// printedLines returns the first line in which two outputs differ.
func printedLines(a, b []byte) []Line {
	la, lb := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	n := 0
	for n < len(la) && n < len(lb) && la[n] == lb[n] {
		n++
	}
	line := func(op byte, lines []string) Line {
		if n >= len(lines) {
			return Line{Op: op, Text: "printed nothing more"}
		}
		return Line{Op: op, Text: "printed " + quote(lines[n])}
	}
	return []Line{line('-', la), line('+', lb)}
}

// doubts says why the runs may differ although no difference was found.
func (c *comparison) doubts() {
	for side, d := range c.sides {
		f, name := d.findings, c.names[side]
		doubt := func(format string, args ...any) {
			c.result.Doubts = append(c.result.Doubts, name+fmt.Sprintf(format, args...))
		}
		switch {
		case d.err != nil:
			doubt(" could not be read to its end")
		case f.Footer == nil:
			doubt(" is cut: what came after its %s is not known", plural(f.Events, "event"))
		case c.short(side):
			doubt(" ended early (%s)", f.Footer.EndedBy)
		}
		if f.Lost > 0 {
			doubt(" lost %s", plural(f.Lost, "event"))
		} else if len(f.Damage) > 0 && f.Footer != nil {
			doubt(" is damaged")
		}
	}
}

// notes says what else explains differences, or their absence.
func (c *comparison) notes() {
	note := func(format string, args ...any) {
		c.result.Notes = append(c.result.Notes, fmt.Sprintf(format, args...))
	}
	a, b := c.result.A.Header, c.result.B.Header
	if bytes.Equal(a.RunId, b.RunId) && len(a.RunId) > 0 {
		note("both files are of one run, %x", a.RunId)
	}
	if ka, kb := a.GetKernel().GetRelease(), b.GetKernel().GetRelease(); ka != kb && c.result.Count() == 0 {
		note("the kernels differ: %s and %s", replay.Printable(ka), replay.Printable(kb))
	}
	if ca, cb := command(a), command(b); ca != cb {
		note("the commands differ: %s and %s", ca, cb)
	}
	if wa, wb := attached(a), attached(b); wa != wb {
		note("the probes were attached by %s and by %s", wa, wb)
	}
	if c.result.A.Calls == 0 || c.result.B.Calls == 0 {
		note("a run without calls: there is nothing to compare")
	}
}

func command(h *schema.Header) string {
	if len(h.GetCommand()) == 0 {
		return "no command"
	}
	return replay.Printable(strings.Join(h.GetCommand(), " "))
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
