// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/schema"
)

// State is the recorded part of a kernel at one moment. Give it every record of a
// trace in order; it does no I/O.
type State struct {
	Objects Objects
	Losses  Losses

	threads map[uint32]*thread
	idle    []*thread // threads without an open call, for reuse
	last    *thread   // the thread of the previous event, still in threads
	paired  Roles     // roles recorded on entry and on exit
	logged  bool      // imported: an event without a process is not paired, though it may have a thread
	marked  bool      // every drop_caches is recorded from its begin to its end, or its loss is
	now     uint64
	entries int // since the calls in progress were last counted
	step    Step
}

// Step is what one event means where it stands. It is valid until the next event.
type Step struct {
	Event  *schema.Event
	Depth  int     // how many calls of this thread enclose it
	Call   *Call   // the call it enters or leaves; nil for a role without exit, or a stray
	Open   *Call   // the innermost open around it, itself included; nil outside
	Object *Object // what Event.Dentry is; nil for NULL
	Stray  bool    // an exit whose entry is not there
}

// Call is one function between its entry and its exit on one thread.
type Call struct {
	Enter schema.Event // a copy of the entry
	Open  *Call        // the open around it, itself included; nil outside
	Outer *Call        // of an open: the open in which it is made; nil mostly
	Tag   any          // the caller's own; nil at entry
}

type thread struct {
	tid   uint32
	calls []*Call // innermost last
	spare []*Call
}

// New returns the state before the first event.
func New(h *schema.Header) *State {
	s := &State{
		Objects: newObjects(h),
		threads: make(map[uint32]*thread),
		logged:  h.Imported(),
		paired:  paired(h),
	}
	whole, vague := Recorded(h)
	s.marked = (whole &^ vague).Has(schema.RoleEvict)
	return s
}

// Event applies one event.
//
//  1. Time that runs backwards is a loss of certainty between the two moments, but for
//     the lines of a log, of which no two are taken together. An open that begins
//     within one whose exit may be lost is not taken to be nested in it.
//  2. An exit is paired with the innermost entry of its role on its thread;
//     entries above that one have lost their exits and are dropped.
//  3. The dentry of the event is looked up by address and its life goes on,
//     begins or ends.
//  4. An entry whose role has exits is pushed.
func (s *State) Event(e *schema.Event) *Step {
	line := s.logged && e.PID == 0
	if e.Time >= s.now {
		s.now = e.Time
	} else if !line {
		s.Losses.backwards(e.Time, s.now)
	}
	s.Losses.resumed(e.Time)
	t := s.thread(e.TID)
	if t != nil && e.Role == schema.RoleOpen && e.Phase == schema.Enter && len(s.Losses.windows) > 0 {
		s.interrupted(t, e)
	}
	s.step = Step{Event: e}
	paired := s.paired.Has(e.Role) && !line
	if e.Phase == schema.Exit && paired {
		s.leave(t)
	}
	if t != nil {
		s.step.Depth = len(t.calls)
		if s.step.Open == nil && s.step.Depth > 0 {
			s.step.Open = t.calls[s.step.Depth-1].Open
		}
	}
	if e.Columns.Has(schema.ColumnDentry) && e.Dentry != 0 {
		s.step.Object = s.Objects.apply(e, s.evicting(t))
	}
	if c := s.step.Call; c != nil && e.Role == schema.RoleMove && e.Phase == schema.Exit {
		s.Objects.displaced(c.Enter.Target, e.ID)
	}
	if e.Phase == schema.Enter && asks.Has(e.Role) {
		s.Objects.under(e)
	}
	if e.Role == schema.RoleExit && t != nil {
		t.abandon()
	}
	if e.Phase == schema.Enter && paired {
		s.enter(t)
	} else if t != nil && len(t.calls) == 0 {
		s.retire(t)
	}
	return &s.step
}

// Loss applies a loss record.
func (s *State) Loss(l *schema.Loss) { s.Losses.record(l, s.now) }

// Damage applies a stretch of the file that could not be read: anything may have
// happened between the event before it and now, and every call in progress has
// lost its nesting.
func (s *State) Damage(d *schema.Damage) {
	s.Losses.damage(d, s.now)
	for _, t := range s.threads {
		t.abandon()
		s.retire(t)
	}
}

func (s *State) thread(tid uint32) *thread {
	if s.last != nil && s.last.tid == tid {
		return s.last
	}
	if t := s.threads[tid]; t != nil {
		s.last = t
		return t
	}
	return nil
}

func (s *State) enter(t *thread) {
	e := s.step.Event
	if s.crowded(t) { // nothing encloses it any more
		t, s.step.Open, s.step.Depth = s.threads[e.TID], nil, 0
	}
	if t == nil {
		t = s.begin(e.TID)
	}
	c := t.call()
	c.Enter, c.Open, c.Outer, c.Tag = *e, nil, nil, nil
	if e.Role == schema.RoleOpen {
		c.Open, c.Outer = c, s.step.Open
	} else {
		c.Open = s.step.Open
	}
	s.step.Call, s.step.Open = c, c.Open
	t.calls = append(t.calls, c)
}

// interrupted drops the calls in progress on a thread that begins another open, if
// the exit of the open around them may be among the events lost since.
func (s *State) interrupted(t *thread, e *schema.Event) {
	for _, c := range t.calls {
		if c.Enter.Role != schema.RoleOpen {
			continue
		}
		if _, lost := s.Losses.Touched(c.Enter.Time, e.Time, RolesOf(schema.RoleOpen)); lost {
			t.abandon()
			return
		}
	}
}

// leave pops the innermost call of the event's role.
func (s *State) leave(t *thread) {
	if t != nil {
		for i := len(t.calls) - 1; i >= 0; i-- {
			if c := t.calls[i]; c.Enter.Role == s.step.Event.Role {
				s.step.Call, s.step.Open = c, c.Open
				t.spare = append(t.spare, t.calls[i:]...)
				t.calls = t.calls[:i]
				return
			}
		}
	}
	s.step.Stray = true
}

func (s *State) begin(tid uint32) *thread {
	var t *thread
	if n := len(s.idle); n > 0 {
		t, s.idle = s.idle[n-1], s.idle[:n-1]
	} else {
		t = &thread{}
	}
	t.tid = tid
	s.threads[tid], s.last = t, t
	return t
}

func (s *State) retire(t *thread) {
	delete(s.threads, t.tid)
	s.idle = append(s.idle, t)
	if s.last == t {
		s.last = nil
	}
}

// abandon drops the calls in progress: their exits will not come.
func (t *thread) abandon() {
	t.spare = append(t.spare, t.calls...)
	t.calls = t.calls[:0]
}

func (t *thread) call() *Call {
	if n := len(t.spare); n > 0 {
		c := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return c
	}
	return &Call{}
}

// evicting returns the id of the drop_caches call in progress on the thread, or 0: also
// where its end may have gone unseen.
func (s *State) evicting(t *thread) uint64 {
	if t == nil || !s.marked {
		return 0
	}
	for i := len(t.calls) - 1; i >= 0; i-- {
		c := t.calls[i]
		if c.Enter.Role != schema.RoleEvict {
			continue
		}
		if _, lost := s.Losses.Touched(c.Enter.Time, s.now, RolesOf(schema.RoleEvict)); lost {
			return 0
		}
		return c.Enter.ID
	}
	return 0
}

// Now returns the time of the latest event, nanoseconds since boot.
func (s *State) Now() uint64 { return s.now }
