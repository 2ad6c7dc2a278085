// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Task is a process, or a thread of which the trace does not say to which process it belongs. Ids are event
// ids; 0 means that the event is not in the trace.
type Task struct {
	PID    uint32 // in the initial pid namespace; see ThreadOnly
	Parent uint32 // 0: its fork is not in the trace
	// Program is the name of its first thread, from its last exec or prctl(2); where that thread has not
	// been seen, the name of another one.
	Program  string
	Programs []string     // values of Program, each once, in order; at most the first maxExecs
	Names    []ThreadName // names of its threads, an entry for each change; at most the first maxNames
	Threads  []uint32     // threads seen besides the first, in order; at most maxNames
	Cgroup   string       // path in the cgroup2 hierarchy at its exit, or else at its last exec; empty: not known
	Forked   uint64
	Execs    []Exec // at most the first maxExecs
	Exited   uint64
	Status   schema.WaitStatus // valid if Exited is not 0

	First, FirstAt uint64 // id and time of its first event
	LastAt         uint64 // time of its last event
	Calls, Failed  uint64 // path calls; those of which no return is known have not failed

	key    uint32 // in Model.tasks
	does   bool   // it has an event of another role than reclaimRoles
	leader bool   // Program is the name of its first thread
	bytes  int    // of the strings it holds
	gone   bool   // it has been handed out: a thread of it belongs to another process of that pid, or comes later
}

// ThreadOnly reports whether the trace does not say which process it is, as the text of a trace buffer may name
// threads only. It is then that of the one thread in Threads, and PID is 0.
func (t *Task) ThreadOnly() bool { return t.PID == 0 && len(t.Threads) > 0 }

// EndsOnly reports whether the trace has nothing of the process but what it took from the cache: it may be no target of the
// recording, but have reclaimed memory, or reaped a process whose directories in /proc were in the cache.
func (t *Task) EndsOnly() bool { return !t.does && t.Forked == 0 && t.Calls == 0 }

// taskKey returns the key of a process in Model.tasks. In the kernel only the idle tasks have pid 0, and their
// thread ids are 0 as well.
func taskKey(pid, tid uint32) uint32 { return cmp.Or(pid, tid) }

// ThreadName is the name of a thread from an event on: from an exec, from prctl(2), or from its birth.
type ThreadName struct {
	ID   uint64 `json:"id"`
	TID  uint32 `json:"tid"`
	Comm string `json:"comm"`
}

// Exec is a program that a process ran.
type Exec struct {
	ID   uint64 `json:"id"`
	Path string `json:"path"`
}

// Bounds on the processes that are remembered at once, on the programs and names of one, and on the bytes
// of all of these.
const (
	maxTasks    = 1 << 16
	maxExecs    = 16
	maxNames    = 64
	tasksBudget = 8 << 20
)

// task returns the process with a pid, and begins it if it is new.
func (m *Model) task(pid, tid uint32) *Task {
	key := taskKey(pid, tid)
	t := m.tasks[key]
	if t == nil {
		if len(m.tasks) >= maxTasks {
			m.limitTasks()
		}
		t = &Task{PID: pid, key: key}
		m.tasks[key] = t
	}
	return t
}

// limitTasks makes room for processes. It hands out those that have ended, and all if that is not enough.
func (m *Model) limitTasks() {
	for _, t := range m.tasksInOrder() {
		if t.Exited != 0 {
			m.handOutTask(t.key)
		}
	}
	if len(m.tasks) > maxTasks/2 {
		for _, t := range m.tasksInOrder() {
			m.handOutTask(t.key)
		}
	}
}

// tasksInOrder returns the known processes in the order of their first events.
func (m *Model) tasksInOrder() []*Task {
	return slices.SortedFunc(maps.Values(m.tasks), func(a, b *Task) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Forked, b.Forked)) })
}

// handOutTask hands out a process and forgets it.
func (m *Model) handOutTask(key uint32) {
	t := m.tasks[key]
	t.gone = true
	delete(m.tasks, key)
	m.taskBytes -= t.bytes
	if m.Task != nil && !m.State.logged && t.First+t.Forked != 0 {
		m.Task(t)
	}
}

// noteTask notes the time of an event of a process, and its program.
func (m *Model) noteTask(t *Task, e *schema.Event) {
	if t.First == 0 {
		t.First, t.FirstAt = e.ID, e.Time
		m.noteProgram(t, e)
	}
	t.LastAt = max(t.LastAt, e.Time)
	t.does = t.does || !reclaimRoles.Has(e.Role)
	if t.Program != e.Comm || !t.leader && e.TID == e.PID {
		m.noteProgram(t, e)
	}
}

// noteThreadName notes that a thread of a process has a new name.
func (m *Model) noteThreadName(s *threadCalls, e *schema.Event) {
	t := s.task
	if s.comm = strings.Clone(e.Comm); len(t.Names) < maxNames && m.reserveBytes(t, s.comm) {
		t.Names = append(t.Names, ThreadName{e.ID, e.TID, s.comm})
	}
	if e.TID != e.PID && len(t.Threads) < maxNames && !slices.Contains(t.Threads, e.TID) {
		t.Threads = append(t.Threads, e.TID)
	}
}

// noteCgroup notes the cgroup that an event shows its process in.
func (m *Model) noteCgroup(t *Task, e *schema.Event) {
	if e.Cgroup != "" && e.Cgroup != t.Cgroup && m.reserveBytes(t, e.Cgroup) {
		t.Cgroup = strings.Clone(e.Cgroup)
	}
}

// noteProgram takes the name of a thread for its process, if it is the first thread, or the first thread's
// name is not known.
func (m *Model) noteProgram(t *Task, e *schema.Event) {
	if e.TID != e.PID && t.leader {
		return
	}
	if t.leader = e.TID == e.PID; t.Program != e.Comm {
		t.Program = strings.Clone(e.Comm)
	}
	if len(t.Programs) < maxExecs && !slices.Contains(t.Programs, t.Program) && m.reserveBytes(t, t.Program) {
		t.Programs = append(t.Programs, t.Program)
	}
}

// reserveBytes reports whether there is room for one more string of a process, and counts it.
func (m *Model) reserveBytes(t *Task, s string) bool {
	if m.taskBytes+len(s) > tasksBudget {
		return false
	}
	m.taskBytes += len(s)
	t.bytes += len(s)
	return true
}

// count takes a path call of the process.
func (t *Task) count(c *PathCall) {
	t.Calls++
	if c.Failed() {
		t.Failed++
	}
}

// onFork begins a process. An earlier one with the same pid has ended.
func (m *Model) onFork(t *threadCalls, s *Step) {
	e := s.Event
	if e.Child == e.PID {
		return
	}
	if m.tasks[e.Child] != nil {
		m.handOutTask(e.Child)
	}
	program := t.task.Program
	child := m.task(e.Child, 0)
	child.Parent, child.Forked, child.FirstAt, child.LastAt = e.PID, e.ID, e.Time, e.Time
	child.Program = program // the cgroup is not inherited: it need not be the one its parent was last seen in
}

func (m *Model) onExec(t *threadCalls, s *Step) {
	m.noteCgroup(t.task, s.Event)
	if p := t.task; len(p.Execs) < maxExecs && m.reserveBytes(p, s.Event.Name) {
		p.Execs = append(slices.Clip(p.Execs), Exec{s.Event.ID, strings.Clone(s.Event.Name)})
	}
}

// onExit ends a process, whose last thread ends. The process may still close its files after that.
func (m *Model) onExit(t *threadCalls, s *Step) {
	m.handOutUnfinished(t, 0)
	m.noteCgroup(t.task, s.Event)
	t.task.Exited, t.task.Status = s.Event.ID, schema.WaitStatus(s.Event.Ret)
}
