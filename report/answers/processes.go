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

// maxProcesses bounds the processes that are listed; the others are counted.
const maxProcesses = 4096

// Processes is the processes of a trace, in the order of their first events.
type Processes struct {
	Processes []Process `json:"processes"`
	More      uint64    `json:"more"` // beyond those listed
}

// Process is one of them. Ids are event ids, 0 where the event is not in the trace.
type Process struct {
	PID      uint32   `json:"pid"`
	Parent   uint32   `json:"parent,omitempty"`
	Programs []string `json:"programs"` // what it was called
	Execs    []Exec   `json:"execs"`
	Forked   uint64   `json:"forked,omitempty"`
	Exited   uint64   `json:"exited,omitempty"`
	Ended    string   `json:"ended,omitempty"` // exit code or signal, in words
	First    uint64   `json:"first_ns"`        // since boot
	Last     uint64   `json:"last_ns"`
	Calls    uint64   `json:"calls"` // path calls
	Failed   uint64   `json:"failed"`
	Threads  []uint32 `json:"threads,omitempty"` // beside the first, those seen
	Names    []Called `json:"names"`             // what its threads were called, a row each change
	Cgroup   string   `json:"cgroup,omitempty"`  // path in the cgroup2 hierarchy

	order uint64
}

// Called is a name that a thread has from an event on.
type Called struct {
	ID   uint64 `json:"id"`
	TID  uint32 `json:"tid"`
	Comm string `json:"comm"`
}

// Exec is a program that a process ran.
type Exec struct {
	ID   uint64 `json:"id"`
	Path string `json:"path"`
}

// ListProcesses reads a trace to its end and lists its processes.
func ListProcesses(src replay.Source) (*Processes, error) {
	p := &Processes{Processes: []Process{}}
	for t, err := range replay.Tasks(src) {
		if err != nil {
			return p, err
		}
		if len(p.Processes) >= maxProcesses {
			p.More++
			continue
		}
		x := Process{PID: t.PID, Parent: t.Parent, Programs: printables(t.Programs), Execs: []Exec{}, Forked: t.Forked, Exited: t.Exited,
			First: t.FirstAt, Last: t.LastAt, Calls: t.Calls, Failed: t.Failed, Threads: t.Threads, Names: []Called{}, Cgroup: replay.Printable(t.Cgroup), order: cmp.Or(t.Forked, t.First)}
		for _, e := range t.Execs {
			x.Execs = append(x.Execs, Exec{e.ID, replay.Printable(e.Path)})
		}
		for _, n := range t.Names {
			x.Names = append(x.Names, Called{n.ID, n.TID, replay.Printable(n.Comm)})
		}
		if t.Exited != 0 {
			x.Ended = t.Status.String()
		}
		p.Processes = append(p.Processes, x)
	}
	slices.SortFunc(p.Processes, func(a, b Process) int { return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.PID, b.PID)) })
	return p, nil
}

// WriteText prints a line a process.
func (p *Processes) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "pid\tof\tfirst\tcalls\tfailed\tended\tprogram")
	for i := range p.Processes {
		x := &p.Processes[i]
		of, ended := "-", x.Ended
		if x.Parent != 0 {
			of = fmt.Sprint(x.Parent)
		}
		if x.Exited == 0 {
			ended = "not in the trace"
		}
		fmt.Fprintf(t, "%d\t%s\t#%d\t%d\t%d\t%s\t%s\n", x.PID, of, x.order, x.Calls, x.Failed, ended, x.ran())
	}
	t.Flush()
	if p.More > 0 {
		fmt.Fprintf(b, "… and %s\n", plural.Of(p.More, "more process"))
	}
	return b.Flush()
}

// ran is what a process was called, and what it ran.
func (x *Process) ran() string {
	s := strings.Join(x.Programs, ", then ")
	for _, e := range x.Execs {
		s += fmt.Sprintf("; exec %s #%d", e.Path, e.ID)
	}
	if len(x.Threads) > 0 {
		s += "; " + plural.Of(uint64(len(x.Threads)), "more thread")
	}
	if x.Cgroup != "" {
		s += "; cgroup " + x.Cgroup
	}
	return s
}
