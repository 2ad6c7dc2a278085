// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
)

// maxProcesses bounds the processes that are listed; further ones are only counted.
const maxProcesses = 4096

// Processes lists the processes of a trace in the order of their first events.
type Processes struct {
	Processes []Process `json:"processes"`
	More      uint64    `json:"more"`             // number of processes not listed
	Doubts    []string  `json:"doubts,omitempty"` // why this is of what was recorded, and may not be of all that happened
}

// Process describes one process. Forked and Exited are event ids, 0 if the event is not in the trace.
type Process struct {
	PID      uint32              `json:"pid"`
	Parent   uint32              `json:"parent,omitempty"`
	Programs []string            `json:"programs"` // names of its first thread, in order
	Execs    []replay.Exec       `json:"execs"`
	Forked   uint64              `json:"forked,omitempty"`
	Exited   uint64              `json:"exited,omitempty"`
	Ended    string              `json:"ended,omitempty"` // exit code or signal in words
	First    uint64              `json:"first_ns"`        // nanoseconds since boot
	Last     uint64              `json:"last_ns"`
	Calls    uint64              `json:"calls"` // path calls
	Failed   uint64              `json:"failed"`
	Threads  []uint32            `json:"threads,omitempty"` // other threads than the first that had events
	Names    []replay.ThreadName `json:"names"`             // names of its threads, one entry for each change
	Cgroup   string              `json:"cgroup,omitempty"`  // path in the cgroup2 hierarchy

	order uint64
}

// ListProcesses reads a trace to its end and lists its processes. If the source returns an error, it
// returns those read up to then, unsorted, together with the error.
func ListProcesses(src replay.Source) (*Processes, error) {
	p := &Processes{Processes: []Process{}}
	noting := &noting{Source: src}
	defer func() { p.Doubts = noting.doubts(src.Header(), 0, false) }()
	for t, err := range replay.Tasks(noting) {
		if err != nil {
			return p, err
		}
		if len(p.Processes) >= maxProcesses {
			p.More++
			continue
		}
		x := Process{PID: t.PID, Parent: t.Parent, Programs: printables(t.Programs), Execs: []replay.Exec{}, Forked: t.Forked, Exited: t.Exited,
			First: t.FirstAt, Last: t.LastAt, Calls: t.Calls, Failed: t.Failed, Threads: t.Threads, Names: []replay.ThreadName{}, Cgroup: replay.Printable(t.Cgroup), order: cmp.Or(t.Forked, t.First)}
		for _, e := range t.Execs {
			x.Execs = append(x.Execs, replay.Exec{ID: e.ID, Path: replay.Printable(e.Path)})
		}
		for _, n := range t.Names {
			x.Names = append(x.Names, replay.ThreadName{ID: n.ID, TID: n.TID, Comm: replay.Printable(n.Comm)})
		}
		if t.Exited != 0 {
			x.Ended = t.Status.String()
		}
		p.Processes = append(p.Processes, x)
	}
	slices.SortFunc(p.Processes, func(a, b Process) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.PID, b.PID)) })
	return p, nil
}

// WriteText prints one line for each process.
func (p *Processes) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "pid\tof\tfirst\tcalls\tfailed\tended\tprogram")
	for i := range p.Processes {
		x := &p.Processes[i]
		pid, of, ended := fmt.Sprint(x.PID), "-", x.Ended
		if x.PID == 0 {
			pid = "not known"
		}
		if x.Parent != 0 {
			of = fmt.Sprint(x.Parent)
		}
		if x.Exited == 0 {
			ended = "not in the trace"
		}
		fmt.Fprintf(t, "%s\t%s\t#%d\t%d\t%d\t%s\t%s\n", pid, of, x.order, x.Calls, x.Failed, ended, x.ran())
	}
	t.Flush()
	if p.More > 0 {
		fmt.Fprintf(b, "… and %s\n", plural.Of(p.More, "more process"))
	}
	if len(p.Doubts) > 0 {
		fmt.Fprintf(b, "as far as is recorded: %s\n", strings.Join(p.Doubts, "; "))
	}
	return b.Flush()
}

// ran returns the names of a process, what it executed, the number of its other threads, and its cgroup.
func (x *Process) ran() string {
	s := strings.Join(x.Programs, ", then ")
	for _, e := range x.Execs {
		s += fmt.Sprintf("; exec %s #%d", e.Path, e.ID)
	}
	if x.PID == 0 && len(x.Threads) > 0 {
		s += fmt.Sprintf("; thread %d", x.Threads[0])
	} else if len(x.Threads) > 0 {
		s += "; " + plural.Of(uint64(len(x.Threads)), "more thread")
	}
	if x.Cgroup != "" {
		s += "; cgroup " + x.Cgroup
	}
	return s
}
