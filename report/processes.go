// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// maxMembers bounds the number of processes and names that are counted.
const maxMembers = 1 << 17

// processCounts counts the processes of each name in the whole run.
type processCounts struct {
	of     map[string]*sameName
	births map[uint32]uint32 // by process id: how many processes with this id were seen to begin
	size   int
	full   bool   // maxMembers is reached: further ones are not counted
	comm   string // of the last event
	pid    uint32 // of the last event
}

// sameName holds the processes of one name.
type sameName struct {
	members map[process]struct{}
	exits   []exits
	others  uint64 // processes that ended in more ways than are kept
}

// process identifies a process, as process ids are reused.
type process struct{ pid, birth uint32 }

// exits counts the processes that ended in one way.
type exits struct {
	Status schema.WaitStatus
	Count  uint64
}

// maxExits bounds the number of ways in which processes of one name end.
const maxExits = 8

// see takes an event. Usually it is from the same process as the one before, and is not about processes.
func (c *processCounts) see(e *schema.Event) {
	if e.PID != c.pid || e.Role == schema.RoleExit || e.Columns.Has(schema.ColumnChild) || e.Comm != c.comm {
		c.count(e)
	}
	c.comm = e.Comm // usually the same string as that of the next event, so that no byte is compared
}

// count counts the process of an event, and what the event says about processes.
func (c *processCounts) count(e *schema.Event) {
	o := c.sameName(e.Comm)
	if e.PID != c.pid || e.Comm != c.comm {
		c.comm, c.pid = e.Comm, e.PID
		if o != nil {
			m := process{e.PID, c.births[e.PID]}
			if _, known := o.members[m]; !known && c.room() {
				o.members[m] = struct{}{}
			}
		}
	}
	if e.Columns.Has(schema.ColumnChild) {
		if _, again := c.births[e.Child]; again || c.room() {
			c.births[e.Child]++
		}
	}
	if o != nil && e.Role == schema.RoleExit {
		o.ended(schema.WaitStatus(e.Ret))
	}
}

// room reserves one of maxMembers places; it returns false if there is none.
func (c *processCounts) room() bool {
	if c.size++; c.size > maxMembers {
		c.full = true
	}
	return !c.full
}

// sameName returns the processes of a name; nil if there is no room for the name.
func (c *processCounts) sameName(comm string) *sameName {
	o := c.of[comm]
	if o == nil && c.room() {
		o = &sameName{members: make(map[process]struct{})}
		c.of[comm] = o
	}
	return o
}

func (o *sameName) ended(s schema.WaitStatus) {
	i := slices.IndexFunc(o.exits, func(e exits) bool { return e.Status == s })
	switch {
	case i >= 0:
		o.exits[i].Count++
	case len(o.exits) < maxExits:
		o.exits = append(o.exits, exits{s, 1})
	default:
		o.others++
	}
}

// processesText says who the program's processes are: the id of a single one, otherwise how many there are.
func (prog *Program) processesText() string {
	switch {
	case prog.MoreProcesses:
		return fmt.Sprintf("at least %d processes", prog.Processes)
	case prog.Processes > 1:
		return fmt.Sprintf("%d processes", prog.Processes)
	}
	return fmt.Sprintf("pid %d", prog.PID)
}

// ends says how the program's processes ended, as far as that was recorded.
func (prog *Program) ends() string {
	var out []string
	for _, e := range prog.Exits {
		how := e.Status.String()
		if prog.Processes > 1 {
			how += fmt.Sprintf(" (%d)", e.Count)
		}
		out = append(out, how)
	}
	if prog.OtherExits > 0 {
		out = append(out, fmt.Sprintf("in other ways (%d)", prog.OtherExits))
	}
	if len(out) == 0 {
		return ""
	}
	return "; ended: " + strings.Join(out, ", ")
}

// opensText says how many opens the program made, how many more an exec made of the file it runs, and how
// many of all these have no end in the trace.
func (prog *Program) opensText() string {
	s := fmt.Sprintf("opens: %d", prog.Opens-prog.execs)
	if prog.execs > 0 {
		s += fmt.Sprintf(", and %d of programs to execute", prog.execs)
	}
	if n := prog.Opens - prog.returned; n > 0 {
		s += fmt.Sprintf(" (%d of them without a known return)", n)
	}
	return s
}

// executing are the roles of an exec. maxExecs bounds the number of execs in progress for which it is known
// that the file was opened.
var executing = replay.RolesThat(schema.TraitExecutes)

const maxExecs = 1 << 12

// executes reports whether the open that an event begins is that of the file which the exec around it runs,
// and notes that. The open of that file's interpreter is like any other open.
func (c *collector) executes(e *schema.Event) bool {
	exec := c.state.InnermostCall(e.TID, executing)
	if exec == nil || c.executed[e.TID] == exec.Enter.ID {
		return false
	}
	if c.executed == nil || len(c.executed) >= maxExecs {
		c.executed = make(map[uint32]uint64)
	}
	c.executed[e.TID] = exec.Enter.ID
	return true
}
