// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
)

// WriteMarkdown writes the summary as the first screen of a page: one sentence about the calls, what stands
// out, a table of programs, and the slowest calls. A part that does not fit into the bytes left in room is
// omitted; room is reduced by each part written. Headings do not count.
func (s *Summary) WriteMarkdown(w *md.Writer, room *int) {
	t := &s.Total
	w.Try(room, func() {
		if len(s.Picked) > 0 {
			w.Put("%s picks ", md.Span(replay.CommandLine(s.Picked)))
		}
		w.Put("%s, %d failed", plural.Of(t.Calls, "path call"), t.Failed)
		if len(s.Errnos) > 0 {
			w.Put(" (%s)", list(s.Errnos))
		}
		w.Put(", %s in them; %s", t.took(), s.processes())
		if t.Unfinished > 0 {
			w.Put("; %d without a known return", t.Unfinished)
		}
		if t.Unknown > 0 {
			w.Put("; %d not classified as rcu, ref or miss", t.Unknown)
		}
		w.Line(".")
		if s.lossy {
			w.Line("Events were lost: these are the numbers of what was recorded.")
		}
		if n := s.Negatives; n != nil && (n.Made > 0 || len(s.Doubts) > 0) {
			w.Line("%s made%s, %d left when the trace ended; %s%s answered by them%s.", plural.Of(n.Made, "negative dentry"), n.by(), n.Left, n.unsure(),
				plural.Of(n.Hits, "lookup"), asRecorded(s.Doubts))
		} else if n == nil && len(s.Doubts) > 0 {
			w.Line("How many negative dentries were made and left is not known, %s.", strings.Join(s.Doubts, "; "))
		}
	})
	s.pageFindings(w, room)
	if t.Calls > 0 {
		s.pageTable(w, room)
	}
	if len(s.Slowest) > 0 {
		s.pageSlow(w, room)
	}
}

func (s *Summary) pageFindings(w *md.Writer, room *int) {
	w.Line("\n## What stands out")
	if len(s.Findings) == 0 {
		w.Line("Nothing, by the rules of docs/answers.md.")
	}
	left := 0
	for i, f := range s.Findings {
		if i >= pageFindings || !w.Try(room, func() {
			w.Line("- %s: %s", md.Prose(f.What), md.Span("dtrec "+s.commandLine(f.Command, []string{"FILE"})))
		}) {
			left++
		}
	}
	if left > 0 {
		w.Line("- … and %d more: %s", left, md.Span("dtrec "+s.commandLine([]string{"summary", "FILE"}, []string{"FILE"})))
	}
}

func (s *Summary) pageTable(w *md.Writer, room *int) {
	w.Line("\n## Programs by time")
	w.Line("| program | processes | calls | failed | rcu | ref | miss | time | slowest |\n|---|--:|--:|--:|--:|--:|--:|--:|---|")
	left, processes := 0, uint64(0)
	for i, r := range s.calling() {
		processes += r.Processes
		if i >= pageRows || !w.Try(room, func() { w.Line("%s", r.pageRow()) }) {
			left++
		}
	}
	if processes > s.Total.Processes {
		w.Line("\nA process is counted with each name that it had.")
	}
	if left > 0 {
		w.Line("\n%s: %s", plural.Of(uint64(left), "more program"), md.Span("dtrec "+s.commandLine([]string{"top", "--by", "program", "--of", "time", "FILE"}, []string{"FILE"})))
	}
}

func (s *Summary) pageSlow(w *md.Writer, room *int) {
	w.Line("\n## The slowest calls")
	for _, c := range s.Slowest[:min(len(s.Slowest), pageSlowest)] {
		w.Try(room, func() {
			w.Line("- %s: %s %s by %s, #%d%s", c.took(), c.Operation, md.Span(c.Path), md.Prose(c.Program), c.ID, c.parts())
		})
	}
}

func (r *Row) pageRow() string {
	name, slow := md.Prose(r.Program), ""
	if r.Program == "" {
		name = "(others)"
	}
	if c := r.Slowest; c != nil {
		slow = fmt.Sprintf("%s, %s #%d", c.took(), c.Operation, c.ID)
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %s | %s | %s | %s |", name, r.processes(), r.Calls, r.Failed, r.atLeast(r.RCU), r.atLeast(r.Ref), r.atLeast(r.Miss), r.took(), slow)
}
