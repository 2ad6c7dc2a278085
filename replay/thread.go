// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// thread is what the state knows of a thread that is in a call.
type thread struct {
	tid       uint32
	calls     []*Call // innermost last
	first     uint64  // no call in calls was entered before this time
	pending   []*Call // may have ended unseen: they enclose nothing and wait for an exit that names their entry; oldest first
	maybeOpen *Call   // the pending open that is around what follows, unless it has ended; nil: none
	spare     []*Call
	lastEvent uint64 // its last event while a call was in progress; 0: none
	lastTime  uint64 // time of that event
}

// maxIdle is how many threads there may be before those that are in no call are taken out.
const maxIdle = 1 << 10

// maxPending bounds the calls of a thread that wait for such an exit.
const maxPending = 16

func (s *State) begin(tid uint32) *thread {
	t := recycled(&s.idle)
	t.tid, t.lastEvent, t.lastTime = tid, 0, 0
	s.threads[tid], s.last = t, t
	return t
}

// execRoles are the roles of execve and execveat.
var execRoles = RolesThat(schema.TraitExecutes)

// onExec handles a program run by a thread that is not the first of its process: it takes over the id of
// the first thread (de_thread in the kernel), with the calls that it is in. The calls of the first thread
// will not return. If several threads are in an execve, it is not known which one it was, and no exit is
// paired with any of them.
func (s *State) onExec(e *schema.Event) {
	if e.TID != e.PID {
		return
	}
	in := s.inExecve(e.PID)
	if len(in) > 1 {
		for _, t := range in {
			s.abandon(t)
		}
	}
	if len(in) != 1 || in[0].tid == e.TID {
		return
	}
	if first := s.threads[e.TID]; first != nil {
		s.abandon(first)
	}
	t, from := in[0], in[0].tid
	delete(s.threads, from)
	s.threads[e.TID], s.last, t.tid = t, nil, e.TID
	t.each(func(c *Call) { c.enter.TID = e.TID })
	if s.onRenamed != nil {
		s.onRenamed(from, e.TID)
	}
}

// inExecve returns the threads of a process that are in an execve, by thread id.
func (s *State) inExecve(pid uint32) []*thread {
	in := slices.DeleteFunc(s.execing[pid], func(t *thread) bool { return s.threads[t.tid] != t || !t.inExec(pid) })
	slices.SortFunc(in, func(a, b *thread) int { return cmp.Compare(a.tid, b.tid) })
	in = slices.Compact(in)
	if s.execing[pid] = in; len(in) == 0 {
		delete(s.execing, pid)
	}
	return in
}

// inExec reports whether the thread is in an execve of the process.
func (t *thread) inExec(pid uint32) bool {
	return slices.ContainsFunc(t.calls, func(c *Call) bool { return execRoles.Has(c.Enter.Role) && c.Enter.PID == pid })
}

// idle reports whether no call of the thread is in progress.
func (t *thread) idle() bool { return len(t.calls)+len(t.pending) == 0 }

// retire takes out a thread without a call in progress, if there are many threads.
func (s *State) retire(t *thread) {
	if t.lastEvent, t.lastTime, t.maybeOpen = 0, 0, nil; len(s.threads) <= maxIdle {
		return
	}
	delete(s.threads, t.tid)
	s.idle = append(s.idle, t)
	if s.last == t {
		s.last = nil
	}
}

// abandon drops the calls in progress, whose exits will not come. The thread may be nil.
func (s *State) abandon(t *thread) {
	if t == nil {
		return
	}
	s.giveUp(t.calls...)
	s.giveUp(t.pending...)
	t.spare = append(append(t.spare, t.calls...), t.pending...)
	t.calls, t.pending, t.maybeOpen = t.calls[:0], t.pending[:0], nil
}

// recycled returns a spare value, with its old contents, or a new one.
func recycled[T any](spare *[]*T) *T {
	n := len(*spare)
	if n == 0 {
		return new(T)
	}
	v := (*spare)[n-1]
	*spare = (*spare)[:n-1]
	return v
}

// EnclosingCall returns the innermost call of the given roles that the step is in, itself included; nil if
// there is none, or its exit may be among lost events.
func (s *State) EnclosingCall(step *Step, roles Roles) *Call {
	if c := step.Call; c != nil && roles.Has(c.Enter.Role) {
		return c
	}
	return s.InnermostCall(step.Event.TID, roles)
}

// InnermostCall returns the innermost call of the given roles that a thread is in, as EnclosingCall does.
func (s *State) InnermostCall(tid uint32, roles Roles) *Call {
	if t := s.thread(tid); t != nil {
		return t.innermost(roles)
	}
	return nil
}

// innermost returns the innermost call of the given roles, or nil.
func (t *thread) innermost(roles Roles) *Call {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if roles.Has(t.calls[i].Enter.Role) {
			return t.calls[i]
		}
	}
	return nil
}

// callPath returns the path of the path call that the step is in or ends. It is empty at the entry of an
// operation, whose walk is still to come.
func (s *State) callPath(step *Step) string {
	if c := s.EnclosingCall(step, callRoles); c != nil {
		return c.Path
	}
	return ""
}
