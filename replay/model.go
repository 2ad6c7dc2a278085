// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Model reads a trace in one pass and derives path calls, tasks and negative dentries from it. Give it
// every record in order, then call End. What it remembers is bounded by what is in progress and alive, not
// by the length of the trace.
//
// Its hooks are called for each thing when it has ended, or when the trace has; each may be nil.
type Model struct {
	State    *State
	Call     func(*PathCall) // valid until the next record; a Clone may be kept
	Task     func(*Task)
	Object   func(*Object) // its memory was given back or used again, or it is forgotten; or the trace has ended
	Negative func(*Negative)

	outline        bool  // see NewOutline
	classRecorded  bool  // the roles that tell the class of a call are recorded
	walksRecorded  bool  // every walk that opens nothing is recorded
	chainsRecorded bool  // __d_lookup is recorded, and counts in place of the d_lookup around it
	exitsKnown     Roles // whose exits are recorded, with a count of missed hits
	missing        Roles // those of negativeRoles that are not recorded, or that may have missed hits without a count
	threads        map[uint32]*threadCalls
	last           *threadCalls // the thread of the last event
	unchanged      *threadCalls // the same, if neither its task nor its name has changed; else nil
	comm           string       // comm of the last event
	tasks          map[uint32]*Task
	negatives      map[uint64]*Negative   // by address
	mounts         map[uint64]*Object     // by Seq of a filesystem's root: the dentry it is mounted on
	roots          map[uint64]bool        // Seq of the dentries that absolute paths began at
	moves          moves                  // where dentries were before their last __d_move
	dirCache       [cachedDirs]cachedPath // cache of paths by a hash of the directory's address
	spare          []*walker
	freeNegatives  []*Negative // under State.Reuse: ended ones, to be used again
	walking        int         // path calls in progress
	heldItems      int         // components and addresses that walkers hold
	taskBytes      int         // bytes of the strings that tasks hold
	dirBytes       int         // bytes of the directory paths of negatives
	scratch        []byte
}

// threadCalls holds what the model knows of a thread.
type threadCalls struct {
	tid   uint32
	task  *Task
	comm  string    // as last seen
	calls []*walker // innermost last
}

// NewModel returns the model of a trace with the header.
func NewModel(h *schema.Header) *Model {
	m := &Model{
		State:     New(h),
		threads:   make(map[uint32]*threadCalls),
		tasks:     make(map[uint32]*Task),
		negatives: make(map[uint64]*Negative),
		mounts:    make(map[uint64]*Object),
		roots:     make(map[uint64]bool),
	}
	recorded, vague := RecordedRoles(h)
	m.classRecorded = (recorded&^vague)&classRoles == classRoles
	m.walksRecorded = (recorded &^ vague).Has(schema.RoleWalk)
	m.chainsRecorded = recorded.Has(schema.RoleLookupChain)
	m.exitsKnown = m.State.paired &^ vague
	unattached, uncounted := MissingRoles(h, negativeRoles)
	m.missing = unattached | uncounted
	m.State.OnGivenUp(m.onGivenUp)
	m.State.onRenamed = m.renameThread
	m.State.Objects.OnForget(m.onForget)
	m.State.Objects.onEnded = m.objectEnded
	return m
}

// NewOutline returns a model that looks only at the entries and exits of path calls and at processes. Its
// PathCalls have no class, no components, nothing that is derived, counted or timed from the events in
// between, and no dentries. A source that can pass over events (schema.Reader.Only) is told to pass over
// the others. It costs about a quarter of a full Model.
func NewOutline(src Source) *Model {
	m := NewModel(src.Header())
	m.outline, m.State.outline, m.classRecorded = true, true, false
	if r, ok := src.(interface{ Only(func(schema.Role) bool) }); ok {
		r.Only(outlineRoles.Has)
	}
	return m
}

// hooks holds what the model does with an event of a role, after the state has placed its call and dentry.
var hooks = [maxRole]func(*Model, *threadCalls, *Step){
	schema.RoleLookup:      (*Model).onLookup,
	schema.RoleLookupChain: (*Model).onLookup,
	schema.RoleLookupRCU:   (*Model).onLookup,
	schema.RoleAlloc:       (*Model).onAlloc,
	schema.RoleParallel:    (*Model).onParallel,
	schema.RoleInsert:      (*Model).onInsert,
	schema.RoleInstantiate: (*Model).onInstantiate,
	schema.RoleDelete:      (*Model).onDelete,
	schema.RoleDrop:        (*Model).onDrop,
	schema.RoleKill:        (*Model).onKill,
	schema.RoleFree:        (*Model).onFree,
	schema.RoleMove:        (*Model).onMove,
	schema.RoleFork:        (*Model).onFork,
	schema.RoleExec:        (*Model).onExec,
	schema.RoleExit:        (*Model).onExit,
}

// Record applies a record. For an event it returns its step, which is valid until the next event.
func (m *Model) Record(rec schema.Record) *Step {
	switch rec := rec.(type) {
	case *schema.Event:
		return m.event(rec)
	case *schema.Damage:
		if !rec.Behind {
			m.handOutInProgress()
		}
	}
	return m.State.Record(rec)
}

// outlineRoles are the roles that an outline looks at: those of path calls and of processes.
var outlineRoles = outlineStateRoles | RolesOf(schema.RoleFork)

// event applies an event.
//
//  1. The state places it; calls that have lost their exit are handed out.
//  2. An entry of a path call begins one on its thread, an exit ends it.
//  3. What the event means by its role is added to the call around it, and to what is known
//     of its dentry and its task.
func (m *Model) event(e *schema.Event) *Step {
	s := m.State.Event(e)
	t := m.threadOf(e)
	if m.outline && !outlineRoles.Has(e.Role) {
		return s
	}
	for _, w := range t.calls {
		if !w.exitLost {
			w.noteGap(e, &m.State.Losses)
		}
	}
	if len(t.calls) > 0 && len(m.State.Losses.windows) > 0 {
		m.markExitsLost(t, s)
	}
	if e.Phase == schema.Enter {
		if callRoles.Has(e.Role) {
			m.beginCall(t, e)
			return s
		}
	} else if c := s.Call; c != nil && callRoles.Has(e.Role) {
		if i := t.indexOf(c.Enter.ID); i >= 0 {
			m.endCall(t, i, s)
		} else {
			m.endWalk(t, s)
		}
		return s
	}
	if hook := hooks[slotOf(e.Role)]; hook != nil {
		hook(m, t, s)
	}
	return s
}

// threadOf returns the thread of an event. Most often it is that of the last event, and nothing about it
// has changed.
func (m *Model) threadOf(e *schema.Event) *threadCalls {
	same := m.comm == e.Comm
	m.comm = e.Comm // mostly the next event's string is at the same address, so its bytes need not be compared
	if t := m.unchanged; same && t != nil && t.tid == e.TID && !t.task.gone && t.task.PID == e.PID {
		t.task.LastAt = max(t.task.LastAt, e.Time)
		t.task.does = t.task.does || !reclaimRoles.Has(e.Role)
		return t
	}
	m.unchanged = m.updateThread(e)
	return m.unchanged
}

// updateThread finds or begins the thread of an event, and notes what the event says of the thread and its
// task.
func (m *Model) updateThread(e *schema.Event) *threadCalls {
	t := m.last
	if t == nil || t.tid != e.TID {
		if t = m.threads[e.TID]; t == nil {
			if len(m.threads) >= maxThreads {
				m.forgetThreads()
			}
			t = &threadCalls{tid: e.TID}
			m.threads[e.TID] = t
		}
		m.last = t
	}
	if t.task == nil || t.task.gone || t.task.PID != e.PID {
		t.task = m.task(e.PID, e.TID)
		t.comm = ""
	}
	m.noteTask(t.task, e)
	if t.comm != e.Comm {
		m.noteThreadName(t, e)
	}
	return t
}

// forgetThreads forgets threads when there are more than maxThreads: idle ones first, then all if that is not
// enough.
func (m *Model) forgetThreads() {
	for _, t := range m.threads {
		if len(t.calls) == 0 {
			delete(m.threads, t.tid)
		}
	}
	if len(m.threads) < maxThreads/2 {
		return
	}
	for _, tid := range slices.Sorted(maps.Keys(m.threads)) {
		m.handOutUnfinished(m.threads[tid], 0)
	}
	clear(m.threads)
}

// renameThread gives the path calls of one thread to another, whose id it now has. The other's own calls have
// been handed out.
func (m *Model) renameThread(from, to uint32) {
	t := m.threads[from]
	if t == nil {
		return
	}
	delete(m.threads, from)
	m.threads[to], t.tid, t.comm = t, to, ""
	m.last, m.unchanged = nil, nil
}

// indexOf returns the index of a path call in progress by the id of its entry; -1 if there is none.
func (t *threadCalls) indexOf(id uint64) int {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if t.calls[i].call.ID == id {
			return i
		}
	}
	return -1
}

// innermost returns the path call around an event, or nil where there is none or its exit may be lost.
func (t *threadCalls) innermost() *walker {
	if n := len(t.calls); n > 0 && !t.calls[n-1].exitLost {
		return t.calls[n-1]
	}
	return nil
}

// markExitsLost marks the path calls that the state no longer counts as in progress, and that the event does not
// end: their exits may be among the lost events.
func (m *Model) markExitsLost(t *threadCalls, s *Step) {
	in := m.State.threads[t.tid]
	for _, w := range t.calls {
		ends := s.Call != nil && s.Call.Enter.ID == w.call.ID && s.Event.Phase == schema.Exit
		if !w.exitLost && !ends && (in == nil || !slices.ContainsFunc(in.calls, func(c *Call) bool { return c.Enter.ID == w.call.ID })) {
			w.exitLost, w.incomplete = true, true
		}
	}
}

// EventContext describes what an event happened in.
type EventContext struct {
	Task *Task
	Call *PathCall // in progress, so without what its exit says; nil: none
	Dir  string    // the directory of the component that the call is looking up, see Path
}

// EventContext returns what the last applied event happened in.
func (m *Model) EventContext() EventContext {
	a := EventContext{Dir: unknownDir}
	if m.last == nil {
		return a
	}
	a.Task = m.last.task
	if w := m.last.innermost(); w != nil {
		a.Call = w.call
		if p := w.component(); p != nil {
			a.Dir = m.PathAt(p.Parent)
		}
	}
	return a
}

// End hands out what has not ended by the end of the trace, each kind in the order in which it began.
func (m *Model) End() {
	m.handOutInProgress()
	for _, n := range slices.SortedFunc(maps.Values(m.negatives), func(a, b *Negative) int { return cmp.Compare(a.Born, b.Born) }) {
		if n.Fate == FateAlive && m.endMayBeMissing(n) {
			n.Fate = FateUnknown
		}
		m.handOutNegative(n)
	}
	for _, t := range m.tasksInOrder() {
		m.handOutTask(t.key)
	}
	m.State.Objects.each(func(d *Object) {
		d.Unsure = m.mayLack(d.LastAt, endRoles)
		m.objectEnded(d)
	})
}

// handOutInProgress hands out the path calls in progress, as nothing is known of what follows. A call whose exit cannot
// have been missed has not returned by now.
func (m *Model) handOutInProgress() {
	for _, tid := range slices.Sorted(maps.Keys(m.threads)) {
		t := m.threads[tid]
		for _, w := range t.calls {
			if !w.exitLost && m.exitsKnown.Has(w.role) && !m.State.Losses.lostSince(w.call.At, w.role) {
				w.call.Took = m.State.now - min(m.State.now, w.call.At)
			}
		}
		m.handOutUnfinished(t, 0)
	}
}

// objectEnded hands out a dentry whose address is free for another, or that is forgotten.
func (m *Model) objectEnded(d *Object) {
	if m.Object != nil {
		m.Object(d)
	}
}

// follow reads a source to its end, or until more returns false.
func (m *Model) follow(src Source, more func() bool) error {
	for more() {
		rec, err := src.Next()
		if err != nil {
			m.End()
			return ignoreEOF(err)
		}
		m.Record(rec)
	}
	return nil
}

// Calls yields each path call of a trace when it has returned, and those without an exit at the end. An
// error of the source is yielded last.
func Calls(src Source) iter.Seq2[*PathCall, error] {
	return each(src, func(m *Model, tell func(*PathCall)) { m.Call = func(c *PathCall) { tell(c.Clone()) } })
}

// Tasks yields each process of a trace when it has ended, and the others at the end.
func Tasks(src Source) iter.Seq2[*Task, error] {
	return each(src, func(m *Model, tell func(*Task)) { m.Task = tell })
}

// Negatives yields each period that a dentry spent in the cache without an inode when it has ended, and the
// others at the end.
func Negatives(src Source) iter.Seq2[*Negative, error] {
	return each(src, func(m *Model, tell func(*Negative)) { m.Negative = tell })
}

func each[T any](src Source, hook func(*Model, func(*T))) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		m, more := NewModel(src.Header()), true
		hook(m, func(v *T) { more = more && yield(v, nil) })
		if err := m.follow(src, func() bool { return more }); more && err != nil && err != io.EOF {
			yield(nil, err)
		}
	}
}
