// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Task is a process. Ids are event ids, 0 where the event is not in the trace.
type Task struct {
	PID    uint32 // initial pid namespace
	Parent uint32 // 0: its fork is not in the trace
	// Program is what its first thread is called, by its last exec or prctl(2); where that has
	// not been seen, what another one is.
	Program  string
	Programs []string // what Program has been, in that order; at most maxExecs, the first ones
	Names    []Name   // what its threads were called, a row each change; at most maxNames, the first ones
	Threads  []uint32 // those seen beside the first, in the order of their first events; at most maxNames, the first ones
	Cgroup   string   // path in the cgroup2 hierarchy at its last exec, or where it has ended then; empty: not known
	Forked   uint64
	Execs    []Exec // at most maxExecs, the first ones
	Exited   uint64
	Status   schema.WaitStatus // where Exited is not 0

	First, FirstAt uint64 // its first event, and the time of it
	LastAt         uint64 // the time of its last event
	Calls, Failed  uint64 // path calls that have returned

	leader bool // Program is that of its first thread
	bytes  int  // of the strings it holds
}

// Name is what a thread was called from an event on: by an exec, by prctl(2), or from its birth.
type Name struct {
	ID   uint64 `json:"id"`
	TID  uint32 `json:"tid"`
	Comm string `json:"comm"`
}

// Exec is a program that a process ran.
type Exec struct {
	ID   uint64 `json:"id"`
	Path string `json:"path"`
}

// Bounds on processes that are remembered at once, on the programs and names of one, and on
// the bytes of all these.
const (
	maxTasks    = 1 << 16
	maxExecs    = 16
	maxNames    = 64
	tasksBudget = 8 << 20
)

// task returns the process of a number.
func (m *Model) task(pid uint32) *Task {
	t := m.tasks[pid]
	if t == nil {
		if len(m.tasks) >= maxTasks {
			m.fewer()
		}
		t = &Task{PID: pid}
		m.tasks[pid] = t
	}
	return t
}

// fewer makes room for processes: those that have ended are told, if that is not enough all.
func (m *Model) fewer() {
	for _, t := range m.tasksInOrder() {
		if t.Exited != 0 {
			m.leaves(t.PID)
		}
	}
	if len(m.tasks) > maxTasks/2 {
		for _, t := range m.tasksInOrder() {
			m.leaves(t.PID)
		}
	}
	for _, s := range m.threads {
		s.task = nil
	}
}

// tasksInOrder are the processes known, the first first.
func (m *Model) tasksInOrder() []*Task {
	return slices.SortedFunc(maps.Values(m.tasks), func(a, b *Task) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Forked, b.Forked)) })
}

// leaves hands out a process and forgets it.
func (m *Model) leaves(pid uint32) {
	t := m.tasks[pid]
	delete(m.tasks, pid)
	m.taskBytes -= t.bytes
	if m.Task != nil && !m.State.logged && t.First+t.Forked != 0 {
		m.Task(t)
	}
}

// see takes an event of a process.
func (m *Model) see(t *Task, e *schema.Event) {
	if t.First == 0 {
		t.First, t.FirstAt = e.ID, e.Time
		m.name(t, e)
	}
	t.LastAt = max(t.LastAt, e.Time)
	if t.Program != e.Comm || !t.leader && e.TID == e.PID {
		m.name(t, e)
	}
}

// called notes that a thread of a process has a name that it did not have before.
func (m *Model) called(s *threadCalls, e *schema.Event) {
	t := s.task
	if s.comm = strings.Clone(e.Comm); len(t.Names) < maxNames && m.room(t, s.comm) {
		t.Names = append(t.Names, Name{e.ID, e.TID, s.comm})
	}
	if e.TID != e.PID && len(t.Threads) < maxNames && !slices.Contains(t.Threads, e.TID) {
		t.Threads = append(t.Threads, e.TID)
	}
}

// belongs notes the cgroup that an event shows its process in.
func (m *Model) belongs(t *Task, e *schema.Event) {
	if e.Cgroup != "" && e.Cgroup != t.Cgroup && m.room(t, e.Cgroup) {
		t.Cgroup = strings.Clone(e.Cgroup)
	}
}

// name gives a process the name of a thread, if it is the first one, or that is not known.
func (m *Model) name(t *Task, e *schema.Event) {
	if e.TID != e.PID && t.leader {
		return
	}
	if t.leader = e.TID == e.PID; t.Program != e.Comm {
		t.Program = strings.Clone(e.Comm)
	}
	if len(t.Programs) < maxExecs && !slices.Contains(t.Programs, t.Program) && m.room(t, t.Program) {
		t.Programs = append(t.Programs, t.Program)
	}
}

// room reports whether there is room for one more string of a process.
func (m *Model) room(t *Task, s string) bool {
	if m.taskBytes+len(s) > tasksBudget {
		return false
	}
	m.taskBytes += len(s)
	t.bytes += len(s)
	return true
}

// count takes a path call of the process that has returned.
func (t *Task) count(c *PathCall) {
	t.Calls++
	if c.Failed() {
		t.Failed++
	}
}

// forked begins a process: another one of its number has ended.
func (m *Model) forked(t *threadCalls, s *Step) {
	e := s.Event
	if e.Child == e.PID {
		return
	}
	if m.tasks[e.Child] != nil {
		m.leaves(e.Child)
		for _, s := range m.threads {
			if s.task != nil && s.task.PID == e.Child {
				s.task = nil
			}
		}
	}
	program := t.task.Program // making room forgets the task
	child := m.task(e.Child)
	child.Parent, child.Forked, child.FirstAt, child.LastAt = e.PID, e.ID, e.Time, e.Time
	child.Program = program // but it need not be in the cgroup that its parent was last seen in
}

func (m *Model) executed(t *threadCalls, s *Step) {
	m.belongs(t.task, s.Event)
	if p := t.task; len(p.Execs) < maxExecs && m.room(p, s.Event.Name) {
		p.Execs = append(slices.Clip(p.Execs), Exec{s.Event.ID, strings.Clone(s.Event.Name)})
	}
}

// exited ends a process: its last thread ends. It may let go of its files after that.
func (m *Model) exited(t *threadCalls, s *Step) {
	m.unfinished(t, 0)
	m.belongs(t.task, s.Event)
	t.task.Exited, t.task.Status = s.Event.ID, schema.WaitStatus(s.Event.Ret)
}
