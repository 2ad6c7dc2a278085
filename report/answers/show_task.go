// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// processTitle returns the title for a process id. last is the last process that had the id; nil if it is
// the id of a thread only.
func processTitle(pid uint32, last *replay.Task, processes int) string {
	if last == nil {
		return fmt.Sprintf("thread %d", pid)
	}
	title := fmt.Sprintf("process %d ", pid)
	if processes > 1 {
		title = fmt.Sprintf("%d processes had the number %d, the last is ", processes, pid)
	}
	title += strings.Join(printables(last.Programs), ", then ")
	if last.Parent != 0 {
		title += fmt.Sprintf(", of process %d", last.Parent)
	}
	return title + inCgroup(last.Cgroup)
}

// processOf shows a process: which one made it, what it ran and which processes it made, its calls, and how
// it ended.
func processOf(pid uint32) *inquiry {
	var calls, deeds lines
	var own *replay.Task // the last process that had the id
	var row Row
	processes := 0
	thread, comms := false, make(map[uint32]string)
	return &inquiry{
		step: func(m *replay.Model, s *replay.Step) {
			e := s.Event
			if e.Columns.Has(schema.ColumnChild) && e.Child == pid {
				deeds.add(e.ID, e.Time, "made%s", by(m))
			}
			if e.PID != pid {
				thread = thread || e.TID == pid
				return
			}
			if was, seen := comms[e.TID]; was != e.Comm {
				comms[e.TID] = strings.Clone(e.Comm)
				if seen || e.TID != pid {
					deeds.add(e.ID, e.Time, "%s", calledNow(e, seen))
				}
			}
			if does := deedOf[e.Role]; does != nil {
				deeds.add(e.ID, e.Time, "%s", does(e))
			}
		},
		call: func(_ *replay.Model, c *replay.PathCall) {
			if c.PID == pid || c.TID == pid {
				row.add(c, c.TookOnce())
				calls.add(c.ID, c.At, "%s", callLine(c))
			}
		},
		task: func(t *replay.Task) {
			if t.PID == pid {
				own = t
				processes++
			}
		},
		sections: func() (out []Section) {
			if own == nil && !thread {
				return nil
			}
			out = append(out, deeds.section(processTitle(pid, own, processes)))
			if row.Calls > 0 {
				row.finish()
				out = append(out, calls.begun().section(fmt.Sprintf("%s (%s), %d failed, %s in them: %d rcu, %d ref, %d miss",
					plural.Of(row.Calls, "path call"), list(row.Operations), row.Failed, row.took(), row.RCU, row.Ref, row.Miss)))
			}
			return out
		},
	}
}

// programOf shows the processes that had the name, or a thread with it, in the order of their first events.
func programOf(name string) *inquiry {
	var called lines
	threads := false // the trace does not say which processes they are of
	return &inquiry{
		task: func(t *replay.Task) {
			is := func(comm string) bool { return given(name, comm) }
			if slices.ContainsFunc(t.Programs, is) || slices.ContainsFunc(t.Names, func(n replay.ThreadName) bool { return is(n.Comm) }) {
				who := fmt.Sprintf("process %d", t.PID)
				if threads = threads || t.ThreadOnly(); t.ThreadOnly() {
					who = fmt.Sprintf("thread %d", t.Threads[0])
				}
				ended := ""
				if t.Exited != 0 {
					ended = fmt.Sprintf("; ended at #%d, %s", t.Exited, t.Status)
				}
				called.add(t.First, t.FirstAt, "%s %s: %s, %d failed%s", who, strings.Join(printables(t.Programs), ", then "), plural.Of(t.Calls, "path call"), t.Failed, ended)
			}
		},
		sections: func() []Section {
			what := "process"
			if threads {
				what = "thread"
			}
			return called.begun().sections(plural.Of(called.total, what) + " called " + replay.Printable(replay.Unescape(name)))
		},
	}
}

// calledNow says what a thread is called from this event on. seen is false for the first event of the
// thread.
func calledNow(e *schema.Event, seen bool) string {
	who := "the first thread"
	if e.TID != e.PID {
		who = fmt.Sprintf("thread %d", e.TID)
	}
	if !seen {
		return fmt.Sprintf("%s is first seen, called %s", who, replay.Printable(e.Comm))
	}
	return fmt.Sprintf("%s is called %s", who, replay.Printable(e.Comm))
}

// deedOf maps a role to what its event says about the process.
var deedOf = map[schema.Role]func(*schema.Event) string{
	schema.RoleFork: func(e *schema.Event) string { return fmt.Sprintf("makes process %d", e.Child) },
	schema.RoleExec: func(e *schema.Event) string { return "runs " + replay.Printable(e.Name) + inCgroup(e.Cgroup) },
	schema.RoleExit: func(e *schema.Event) string { return "ends: " + schema.WaitStatus(e.Ret).String() + inCgroup(e.Cgroup) },
}

// inCgroup returns the cgroup as it is appended to a line; empty if it is not known.
func inCgroup(path string) string {
	if path == "" {
		return ""
	}
	return ", in cgroup " + replay.Printable(path)
}

func printables(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = replay.Printable(n)
	}
	return out
}

// inodeAt shows the calls that led to the inode at an address.
func inodeAt(addr uint64) *inquiry {
	var calls lines
	return &inquiry{
		call: func(_ *replay.Model, c *replay.PathCall) {
			if c.Inode == addr {
				calls.add(c.ID, c.At, "%s", callLine(c))
			}
		},
		sections: func() []Section {
			return calls.begun().sections(fmt.Sprintf("%s to the inode at %#x", plural.Of(calls.total, "call"), addr))
		},
	}
}

// around shows an event and the path call it belongs to, component by component.
func around(id uint64) *inquiry {
	var event *lines
	var out []Section
	var tid uint32
	return &inquiry{
		step: func(m *replay.Model, s *replay.Step) {
			if e := s.Event; e.ID == id {
				event, tid = &lines{}, e.TID
				text := e.Role.Label() + " " + e.PhaseInFile().Label() + by(m)
				if name := s.Named().Name; name != "" {
					text += ", name " + replay.Printable(name)
				}
				if s.Object != nil {
					text += ", " + dentry(m, s.Object) + state(e)
				}
				event.add(e.ID, e.Time, "%s", text)
			}
		},
		call: func(_ *replay.Model, c *replay.PathCall) {
			if c.End == id || c.ID <= id && (id <= c.End || c.End == 0) && event != nil && tid == c.TID { // a call is reported before its exit event
				out = append(out, callSection(c))
			}
		},
		sections: func() []Section {
			if event == nil {
				return nil
			}
			return append([]Section{event.section("the event")}, out...)
		},
	}
}

// displaced says what a rename found under the new name: a file that it replaced, or that it exchanged
// places with.
func displaced(c *replay.PathCall) string {
	last := &c.Components[len(c.Components)-1] // the last component of Target, since ResolvedTarget is set
	switch {
	case !last.OfTarget || last.Negative || last.Dentry == c.Dentry || !movedIn(c, last.Dentry):
		return ""
	case slices.Contains(c.FlagNames(), "RENAME_EXCHANGE"):
		return fmt.Sprintf(", in exchange for D%d", last.Dentry.Seq)
	}
	return fmt.Sprintf(", in place of D%d", last.Dentry.Seq)
}

// movedIn reports whether the call recorded a __d_move of the dentry, or of another one to its place. It
// did not if a file was renamed to another of its own hard links, which does nothing.
func movedIn(c *replay.PathCall, d *replay.Object) bool {
	return d != nil && d.Moved > c.ID && d.Moved < c.End
}

// callSection shows a call component by component.
func callSection(c *replay.PathCall) Section {
	var l lines
	l.add(c.ID, c.At, "%s by %s", asGiven(c), caller(c))
	for i := range c.Components {
		p := &c.Components[i]
		l.add(p.ID, p.At, "%s", componentText(p))
	}
	end := outcome(c)
	if limits := c.FlagNames(); len(limits) > 0 {
		l.add(c.ID, 0, "%s", "with "+strings.Join(limits, ", "))
	}
	switch {
	case c.ResolvedTarget != "" && movedIn(c, c.Dentry):
		end += ", from " + replay.PrintablePath(c.Resolved) + " to " + replay.PrintablePath(c.ResolvedTarget) + displaced(c)
	case c.Resolved != "":
		end += ", at " + replay.PrintablePath(c.Resolved)
	}
	if c.FSType != "" {
		end += " on " + replay.Printable(c.FSType)
	}
	if c.Filesystem > 0 {
		end += fmt.Sprintf("; %s of %s the filesystem", duration(c.Filesystem), took(c))
	}
	if c.Wait > 0 {
		end += "; " + duration(c.Wait) + " until another task had looked a name up"
	}
	if c.Restarts > 0 {
		end += "; the walk started over " + times(uint64(c.Restarts)) + ", the last time after " + duration(c.UntilRestart)
	}
	if g := c.Gap; g.Took > 0 && c.End != 0 {
		l.add(g.From.ID, 0, "%s without an event, from %s to %s", duration(g.Took), g.From, g.To)
	}
	at := c.At + c.Took
	if c.End == 0 {
		at = 0
	}
	left := fmt.Sprintf("%d left without inode", c.Negatives)
	if c.Unsure {
		left = fmt.Sprintf("%d known to be left without inode", c.Negatives)
	}
	l.add(c.End, at, "%s; %s, %d allocated, %s", end, c.Class, c.Allocs, left)
	return l.section("its path call, " + took(c))
}

// componentText says how the lookup of a component was answered.
func componentText(p *replay.Component) string {
	text := replay.Printable(p.Name)
	switch p.Found {
	case replay.FoundNothing:
		text += ": not in the cache"
	case replay.FoundMiss:
		if text += ": missed, the filesystem was asked"; p.Wait > 0 {
			text += " by another task, for " + duration(p.Wait)
		}
	case replay.FoundLocked:
		text += ": in the cache, with the directory locked"
	default:
		text += ": in the cache, " + p.Found.String() + "-walk"
	}
	if p.Dentry != nil {
		text += fmt.Sprintf(": D%d", p.Dentry.Seq)
	}
	if p.Negative {
		text += ", without inode"
	}
	if p.Filesystem > 0 {
		text += fmt.Sprintf(", %s from alloc to insert", duration(p.Filesystem))
	}
	if p.Create > 0 {
		text += fmt.Sprintf(", %s until it had an inode", duration(p.Create))
	}
	for _, f := range []struct {
		is   bool
		text string
	}{{p.OffPath, "not of the path itself"}, {p.Mount, "a filesystem is mounted there"}, {p.Link, "a link, followed after " + duration(p.Follow)}} {
		if f.is {
			text += " (" + f.text + ")"
		}
	}
	return text
}
