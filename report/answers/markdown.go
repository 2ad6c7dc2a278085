// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
)

// How much of a summary the first screen of a page has.
const (
	pageFindings = 6
	pageRows     = 8
	pageSlowest  = 3
)

// WriteMarkdown writes the summary as the first screen of a page: the calls in a sentence, what
// stands out, and a table of programs. It takes no more bytes than there is room.
func (s *Summary) WriteMarkdown(w *md.Writer, room *int) {
	t := &s.Total
	w.Try(room, func() {
		w.Put("%s, %d failed", plural.Of(t.Calls, "path call"), t.Failed)
		if len(s.Errnos) > 0 {
			w.Put(" (%s)", list(s.Errnos))
		}
		w.Put(", %s in them; %s", duration(t.Took), plural.Of(t.Processes, "process"))
		if t.Unfinished > 0 {
			w.Put("; %d did not return in the trace", t.Unfinished)
		}
		if t.Unknown > 0 {
			w.Put("; %d not told to be rcu, ref or miss", t.Unknown)
		}
		w.Line(".")
		if n := &s.Negatives; n.Made > 0 {
			w.Line("%s without inode made (by %s), %d left when the trace ended; %s answered by them.", plural.Of(n.Made, "dentry"), list(n.Births), n.Left, plural.Of(n.Hits, "lookup"))
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
		w.Line("Nothing does by the rules of docs/answers.md.")
	}
	left := 0
	for i, f := range s.Findings {
		if i >= pageFindings || !w.Try(room, func() { w.Line("- %s: %s", md.Prose(f.What), md.Span("dtrec "+f.commandLine("FILE"))) }) {
			left++
		}
	}
	if left > 0 {
		w.Line("- … and %d more: `dtrec summary FILE`", left)
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
		w.Line("\n%s: %s", plural.Of(uint64(left), "more program"), md.Span(replay.CommandLine([]string{"dtrec", "top", "--by", "program", "--of", "time", "FILE"})))
	}
}

func (s *Summary) pageSlow(w *md.Writer, room *int) {
	w.Line("\n## The slowest calls")
	for _, c := range s.Slowest[:min(len(s.Slowest), pageSlowest)] {
		w.Try(room, func() {
			w.Put("- %s: %s %s by %s, #%d", duration(c.Took), c.Operation, md.Span(c.Path), md.Prose(c.Program), c.ID)
			if c.Filesystem > 0 {
				w.Put("; filesystem %s", duration(c.Filesystem))
			}
			w.Line("")
		})
	}
}

func (r *Row) pageRow() string {
	name, slow := md.Prose(r.Program), ""
	if r.Program == "" {
		name = "(others)"
	}
	if c := r.Slowest; c != nil {
		slow = fmt.Sprintf("%s, %s #%d", duration(c.Took), c.Operation, c.ID)
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %s | %s |", name, r.Processes, r.Calls, r.Failed, r.RCU, r.Ref, r.Miss, duration(r.Took), slow)
}
