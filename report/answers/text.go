// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/replay"
)

// maxRows bounds the programs in the text of a summary.
const maxRows = 12

// WriteJSON writes an answer as one JSON object on one line.
func WriteJSON(w io.Writer, answer any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(answer)
}

// WriteText prints the summary for people. file holds the arguments that give a command this trace,
// including the choice of a run.
func (s *Summary) WriteText(w io.Writer, file ...string) error {
	b := bufio.NewWriter(w)
	s.writeHead(b)
	if len(s.Errnos) > 0 {
		fmt.Fprintf(b, "failed: %s\n", list(s.Errnos))
	}
	if n := s.Negatives; n != nil && (n.Made > 0 || len(s.Doubts) > 0) {
		fmt.Fprintf(b, "negative dentries: %d made%s, %d left, %s%s answered by them%s\n", n.Made, n.by(), n.Left, n.unsure(), plural.Of(n.Hits, "lookup"), asRecorded(s.Doubts))
	} else if n == nil && len(s.Doubts) > 0 && !s.Log {
		fmt.Fprintf(b, "negative dentries: not known, %s\n", strings.Join(s.Doubts, "; "))
	}
	if len(s.Findings) > 0 {
		fmt.Fprintf(b, "\nwhat stands out\n")
		for _, f := range s.Findings {
			fmt.Fprintf(b, "  %s\n      dtrec %s\n", f.What, s.commandLine(f.Command, file))
		}
	}
	if len(s.Programs) > 0 {
		fmt.Fprintln(b)
		s.writePrograms(b, file)
	}
	s.writeSlowest(b)
	return b.Flush()
}

// processes says how many processes there were.
func (s *Summary) processes() string {
	if s.Imported && s.Total.Processes == 0 && s.Total.Calls > 0 {
		return "processes not known"
	}
	return plural.Of(s.Total.Processes, "process")
}

// by says how negative dentries came to be; empty if there are none.
func (n *NegativeCounts) by() string {
	if n.Made == 0 {
		return ""
	}
	return " (by " + list(n.Births) + ")"
}

// unsure says of how many the fate is not known; empty if it is of all.
func (n *NegativeCounts) unsure() string {
	if n.Unsure == 0 {
		return ""
	}
	return fmt.Sprintf("what became of %d is not known, ", n.Unsure)
}

// asRecorded adds to a count why it is not known to be of all that happened.
func asRecorded(doubts []string) string {
	if len(doubts) == 0 {
		return ""
	}
	return "; as far as is recorded: " + strings.Join(doubts, "; ")
}

func (s *Summary) writeHead(b *bufio.Writer) {
	t := &s.Total
	lost := fmt.Sprintf("%d lost", s.Lost)
	if s.Imported && s.Lost == 0 {
		lost = "losses not known"
	} else if !s.Complete && s.Lost == 0 {
		lost = "cut or damaged"
	}
	if s.Log {
		fmt.Fprintf(b, "%s, %s, Linux %s\nmade of a kernel log, which has lines, not calls: dtrec replay and check read it\n", plural.Of(s.Events, "event"), lost, s.Kernel)
		return
	}
	by := ""
	if len(s.Picked) > 0 { // only processes that made picked calls are counted
		by = "by "
	}
	fmt.Fprintf(b, "%s, %d failed, %s in them; %s%s; %d events, %s, Linux %s\n",
		plural.Of(t.Calls, "path call"), t.Failed, t.took(), by, s.processes(), s.Events, lost, s.Kernel)
	if len(t.Operations) > 1 {
		fmt.Fprintf(b, "%s\n", list(t.Operations))
	}
	if len(s.Picked) > 0 {
		fmt.Fprintf(b, "of the path calls that %s picks; events and losses are of the whole trace\n", replay.CommandLine(s.Picked))
	}
	switch {
	case s.Imported:
		fmt.Fprintf(b, "made of the text of a trace buffer\n")
	case !s.Complete:
		fmt.Fprintf(b, "the trace is cut or damaged: the numbers are of what could be read\n")
	}
	if s.lossy {
		fmt.Fprintf(b, "events were lost: the numbers are of what was recorded\n")
	}
	if t.Unfinished > 0 {
		fmt.Fprintf(b, "%s without a known return\n", plural.Of(t.Unfinished, "call"))
	}
	if t.Unknown > 0 {
		fmt.Fprintf(b, "%s not classified as rcu, ref or miss: the events for that were not recorded, or were lost\n", plural.Of(t.Unknown, "call"))
	}
}

func (s *Summary) writePrograms(b *bufio.Writer, file []string) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "processes\tcalls\tfailed\trcu\tref\tmiss\ttime\tslowest\t\t  program")
	calling := s.calling()
	for _, r := range calling[:min(len(calling), maxRows)] {
		slow, id := "", ""
		if r.Slowest != nil {
			slow, id = r.Slowest.took(), fmt.Sprintf("#%d", r.Slowest.ID)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", r.processes(), r.Calls, r.Failed, r.atLeast(r.RCU), r.atLeast(r.Ref), r.atLeast(r.Miss), r.took(), slow, id, r.label())
	}
	t.Flush()
	processes := uint64(0)
	for _, r := range calling {
		processes += r.Processes
	}
	if processes > s.Total.Processes {
		fmt.Fprintln(b, "  a process is counted with each name that it had")
	}
	if n := len(calling) - maxRows; n > 0 {
		fmt.Fprintf(b, "  … and %s: dtrec %s\n", plural.Of(uint64(n), "more program"), s.commandLine([]string{"top", "--by", "program", "--of", "time", "FILE"}, file))
	}
}

// calling returns the programs that made calls. Programs are sorted by time and then by calls, so those
// without calls come last.
func (s *Summary) calling() []*Row {
	return s.Programs[:slices.IndexFunc(append(slices.Clip(s.Programs), &Row{}), func(r *Row) bool { return r.Calls == 0 })]
}

// maxSlow bounds the slowest calls in the text of a summary.
const maxSlow = 3

func (s *Summary) writeSlowest(b *bufio.Writer) {
	if s.Total.Calls < someCalls {
		return
	}
	fmt.Fprintln(b, "\nslowest")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range s.Slowest[:min(len(s.Slowest), maxSlow)] {
		fmt.Fprintf(t, "%s\t#%d\t  %s %s by %s%s\n", c.took(), c.ID, c.Operation, shown.Fitting(c.Path, 120), c.Program, c.parts())
	}
	t.Flush()
}

// parts says how much of a call's time the filesystem took, if that is known. If it took less than half,
// parts also says between which two events half of the time or more passed, if such a gap exists.
func (c *Slow) parts() (s string) {
	if c.Unfinished {
		s = "; it had not returned by then"
	}
	if c.Filesystem > 0 {
		s += "; filesystem " + duration(c.Filesystem)
	}
	if 2*c.Filesystem < c.Took && 2*c.Gap.Took >= c.Took {
		s += fmt.Sprintf("; %s without an event, from %s to %s", duration(c.Gap.Took), c.Gap.From, c.Gap.To)
	}
	return s
}

func (r *Row) label() string {
	if r.Program == "" {
		return "(others)"
	}
	if len(r.Operations) > 1 {
		return r.Program + ": " + mostOf(r.Operations)
	}
	return r.Program
}

// commandLine returns the words after dtrec, quoted for a shell, for this trace and its filters. The
// filters are left out for show, which takes none, and where the command has its own, narrower value. A
// command with --errno picks returns of calls, which have no component name and only the last dentry, so
// --name and --object are left out too.
func (s *Summary) commandLine(command []string, file []string) string {
	words := []string{command[0]}
	ends := slices.Contains(command, "--errno")
	for _, flag := range s.Picked {
		name, _, _ := strings.Cut(flag, "=")
		if command[0] != "show" && !slices.Contains(command, name) && !(ends && (name == "--name" || name == "--object")) {
			words = append(words, flag)
		}
	}
	for _, w := range command[1:] {
		if w == "FILE" {
			words = append(words, file...)
		} else {
			words = append(words, w)
		}
	}
	return replay.CommandLine(words)
}

// list formats counts as "open 3, stat 1".
func list(counts []Count) string {
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprintf("%s %d", c.Name, c.Count)
	}
	return strings.Join(words, ", ")
}

// mostOf is like list, but shows only the first few counts.
func mostOf(counts []Count) string {
	const few = 5
	if len(counts) <= few {
		return list(counts)
	}
	return fmt.Sprintf("%s … and %d more kinds", list(counts[:few-1]), len(counts)-few+1)
}

// ofAll formats a part of a whole: "12 of 30 failures (40 %)".
func ofAll(part, whole uint64, things string) string {
	return fmt.Sprintf("%d of %d %s (%s)", part, whole, things, percent(part, whole))
}

func percent(part, whole uint64) string {
	of := fmt.Sprintf("%.0f %%", 100*float64(part)/float64(max(whole, 1)))
	if of == "0 %" && part > 0 {
		return "<1 %"
	} else if of == "100 %" && part < whole {
		return ">99 %"
	}
	return of
}

// duration formats nanoseconds with three significant digits.
func duration(ns uint64) string {
	switch v := float64(ns); {
	case ns < 1e3:
		return fmt.Sprintf("%d ns", ns)
	case ns < 1e6:
		return three(v/1e3) + " µs"
	case ns < 1e9:
		return three(v/1e6) + " ms"
	default:
		return three(v/1e9) + " s"
	}
}

func three(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// baseOf returns the last component of a path, or the path itself if it has none.
func baseOf(path string) string {
	trimmed := strings.TrimRight(path, "/")
	if i := strings.LastIndexByte(trimmed, '/'); trimmed != "" {
		return trimmed[i+1:]
	}
	return path
}

// dirOf returns the directory of a path, empty if the path has no slash.
func dirOf(path string) string {
	i := strings.LastIndexByte(path, '/')
	switch {
	case i < 0:
		return ""
	case i == 0:
		return "/"
	}
	return path[:i]
}

// Bounds on what a Markdown page shows of a summary.
const (
	pageFindings = 6
	pageRows     = 8
	pageSlowest  = 3
)
