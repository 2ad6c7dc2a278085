// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// State is the state of the recorded part of a kernel at one moment. Give it every record of a trace in
// order; it does no I/O.
type State struct {
	Objects Objects
	Losses  Losses

	onGivenUp      []func(*Call)         // see OnGivenUp
	onRenamed      func(from, to uint32) // called when a thread has got another's id; may be nil
	threads        map[uint32]*thread
	execing        map[uint32][]*thread // by process: the threads that entered an execve; some have left it since
	idle           []*thread            // threads without a call in progress, for reuse
	last           *thread              // the thread of the last event, still in threads
	tookMissing    bool                 // an exit whose role has TOOK came without it
	paired         Roles                // roles recorded on entry and on exit
	logged         bool                 // a kernel log: an event without a thread is not paired
	evictsRecorded bool                 // the entry and exit of every drop_caches are recorded, or their loss is
	now            uint64
	skipped        bool   // events before resumedAt were skipped: an exit may have its entry there
	resumedAt      uint64 // time of the first event after the skipped ones
	entries        int    // since the calls in progress were last counted
	outline        bool   // only path calls are looked at, see NewOutline
	exitsRecorded  bool   // the exit is recorded of every path call whose entry is
	whole          Call   // the last call that was one event
	step           Step
}

// Step is an event with its context. It is valid until the next event.
type Step struct {
	Event *schema.Event
	Depth int   // number of calls of this thread that enclose it
	Call  *Call // the call it enters, leaves or is; nil for a role without exit, or if Stray
	Open  *Call // the innermost open around it, itself included; nil: none
	// MaybeOpen is Open, or else an open whose exit may be lost: it is around the event unless it has ended
	// unseen. An exit that later says it belongs to that open (TOOK) tells that it had not.
	MaybeOpen *Call
	Object    *Object // the dentry Event.Dentry; nil for NULL
	Stray     bool    // an exit without an entry
	path      string  // see callPath; set only if the caller asks for it
}

// Call is one call of a function on one thread, from its entry to its exit.
type Call struct {
	Enter *schema.Event // the entry
	Open  *Call         // the innermost open around it, itself included; nil: none
	Outer *Call         // of an open: the open inside which it is made; nil in most cases
	Path  string        // the path walked; for an operation, that of its first walk
	Tag   int           // for the caller's use; 0 at entry
	// NotBefore and NotBeforeTime are the id and time of an event that the call was not entered before: its entry,
	// or if the call is one event, the thread's last event that cannot be reclaim within it; 0: not known.
	NotBefore, NotBeforeTime uint64

	enter schema.Event // what Enter points to while the call is in progress
}

// New returns the state before the first event.
func New(h *schema.Header) *State {
	s := &State{
		threads: make(map[uint32]*thread), execing: make(map[uint32][]*thread),
		logged: h.Logged(),
		paired: pairedRoles(h),
	}
	s.Objects = newObjects(h, &s.Losses)
	enters, _ := RolesByPhase(h)
	s.exitsRecorded = !h.Imported() && enters&callRoles&^s.paired == 0
	whole, vague := RecordedRoles(h)
	s.evictsRecorded = (whole &^ vague).Has(schema.RoleEvict)
	return s
}

// Record applies a record. For an event it returns its step, which is valid until the next event.
func (s *State) Record(rec schema.Record) *Step {
	if e, ok := rec.(*schema.Event); ok { // most often
		return s.Event(e)
	}
	switch rec := rec.(type) {
	case *schema.Loss:
		s.Loss(rec)
	case *schema.Damage:
		s.Damage(rec)
	}
	return nil
}

// Event applies one event.
//
//  1. If time runs backwards, nothing between the two moments is certain. Lines of a kernel log are
//     exempt, as no two of them are taken together.
//  2. A call whose exit may be among events lost since its entry encloses nothing more. An exit is
//     paired with its own entry, or with none: see leave.
//  3. The dentry of the event is looked up by address; its life goes on, begins or ends.
//  4. An entry whose role has exits is pushed. A call that is one event encloses nothing.
func (s *State) Event(e *schema.Event) *Step {
	line := s.logged && e.TID == 0
	if e.Time < s.now || s.skipped {
		s.timeJump(e.Time, line)
	}
	s.now = max(s.now, e.Time)
	s.Losses.endDamage(e.Time)
	s.Losses.beginDue(s.now)
	if s.step = (Step{Event: e}); s.outline && !outlineStateRoles.Has(e.Role) {
		return &s.step
	}
	reacts := reactions[slotOf(e.Role)]
	if reacts != nil && reacts.before != nil {
		reacts.before(s, e)
	}
	t := s.thread(e.TID)
	if t != nil && t.first <= s.Losses.lostUntil && len(s.Losses.windows) > 0 {
		s.suspendCalls(t)
	}
	if len(s.Objects.unlockedReads) > 0 {
		s.Objects.endReads(e)
	}
	if e.Entry != nil {
		s.wholeCall(t)
		return &s.step
	}
	paired := s.paired.Has(e.Role) && !line
	if e.Phase == schema.Exit && paired {
		s.tookMissing = s.tookMissing || tookRoles.Has(e.Role) && !e.Columns.Has(schema.ColumnTook)
		s.leave(t)
	}
	if t != nil {
		s.step.Depth = len(t.calls)
		s.findOpen(t)
	}
	if e.Columns.Has(schema.ColumnDentry) && e.Dentry != 0 && !s.outline {
		s.step.Object = s.Objects.apply(e, s.step.Call)
	}
	if e.Phase == schema.Enter && lookupRoles.Has(e.Role) {
		s.Objects.applyParent(e)
	}
	if reacts != nil && reacts.after != nil {
		reacts.after(s, t)
	}
	if e.Phase == schema.Enter && paired {
		s.enter(t)
	} else if t != nil && t.idle() {
		s.retire(t)
	}
	if t := s.last; t != nil && t.tid == e.TID && !t.idle() && !reclaimRoles.Has(e.Role) { // reclaim may be inside a call that is one event
		t.lastEvent, t.lastTime = e.ID, e.Time
	}
	return &s.step
}

// Loss applies a loss record.
func (s *State) Loss(l *schema.Loss) { s.Losses.addRecord(l, s.now) }

// Damage applies a stretch of the file that could not be read: anything may have happened between the event
// before it and now, so the calls in progress are given up.
func (s *State) Damage(d *schema.Damage) {
	if d.Behind {
		return
	}
	s.Losses.addDamage(d, s.now)
	for _, t := range s.threadsInOrder() {
		s.abandon(t)
		s.retire(t)
	}
}

// Skipped applies a stretch of skipped events. Calls in progress and dentries are forgotten. No dentry gets
// a number from here on, as it is not known how many were first seen in that stretch.
func (s *State) Skipped() {
	for _, t := range s.threadsInOrder() {
		s.abandon(t)
		s.retire(t)
	}
	s.skipped, s.resumedAt = true, 0
	s.Objects.restart()
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
	if s.entries++; (s.entries >= sweepEvery || t != nil && len(t.calls) >= maxDepth) && s.limitCalls(t) { // nothing encloses it any more
		t, s.step.Open, s.step.MaybeOpen, s.step.Depth = s.threads[e.TID], nil, nil, 0
	}
	if t == nil {
		t = s.begin(e.TID)
	}
	c := recycled(&t.spare)
	c.enter = *e
	c.Enter = &c.enter
	c.Open, c.Outer, c.Path, c.Tag = nil, nil, "", 0
	c.NotBefore, c.NotBeforeTime = e.ID, e.Time
	if walkRoles.Has(e.Role) {
		c.Path = e.Name
		if n := len(t.calls); n > 0 && t.calls[n-1].Path == "" && callRoles.Has(t.calls[n-1].Enter.Role) {
			t.calls[n-1].Path = e.Name
		}
	}
	if openRoles.Has(e.Role) {
		c.Open, c.Outer = c, s.step.Open
		s.step.Open, s.step.MaybeOpen, t.maybeOpen = c, c, nil
	} else {
		c.Open = s.step.Open
	}
	s.step.Call = c
	if execRoles.Has(e.Role) {
		s.execing[e.PID] = append(s.execing[e.PID], t)
	}
	if t.calls = append(t.calls, c); len(t.calls) == 1 || e.Time < t.first {
		t.first = e.Time
	}
}

// onMove handles the exit of a __d_move, whose entry names the dentry whose place was taken.
func (s *State) onMove(*thread) {
	if c, e := s.step.Call, s.step.Event; c != nil && e.Phase == schema.Exit {
		s.Objects.noteDisplaced(c.Enter.Target, e.ID)
	}
}

// timeJump handles the time of an event that is earlier than the last one, or the first after skipped
// events.
func (s *State) timeJump(at uint64, line bool) {
	if s.skipped && s.resumedAt == 0 {
		s.resumedAt = at
	}
	if at < s.now && !line {
		s.Losses.addBackwards(at, s.now)
	}
}

// wholeCall handles a call that is one event: its entry with the directory it was given, and its exit.
func (s *State) wholeCall(t *thread) {
	e, c := s.step.Event, &s.whole
	s.step.Call, c.Enter, c.NotBefore, c.NotBeforeTime = c, e.Entry, 0, 0
	if t != nil {
		s.step.Depth = len(t.calls)
		s.findOpen(t)
		if c.NotBefore, c.NotBeforeTime = t.lastEvent, t.lastTime; !t.idle() {
			t.lastEvent, t.lastTime = e.ID, e.Time
		}
	}
	c.Open = s.step.Open
	if lookupRoles.Has(e.Role) {
		s.Objects.applyParent(e.Entry)
	}
	if e.Columns.Has(schema.ColumnDentry) && e.Dentry != 0 {
		s.step.Object = s.Objects.apply(e, c)
	}
}

// findOpen finds the open around the event. It is not known inside a call since whose entry an open may have
// begun unseen.
func (s *State) findOpen(t *thread) {
	if n := len(t.calls); s.step.Open == nil && n > 0 {
		c := t.calls[n-1]
		if c == c.Open || t.first > s.Losses.lostUntil || !s.Losses.lostSince(c.Enter.Time, schema.RoleOpen) {
			s.step.Open = c.Open
		}
	}
	if s.step.MaybeOpen = s.step.Open; s.step.MaybeOpen == nil {
		s.step.MaybeOpen = t.maybeOpen
	}
}

// suspendCalls removes the calls whose exit may be among events lost since their entry. Those whose exit can
// say when its entry was become pending.
func (s *State) suspendCalls(t *thread) {
	sure := t.calls[:0]
	for _, c := range t.calls {
		switch {
		case !s.Losses.lostSince(c.Enter.Time, c.Enter.Role):
			sure = append(sure, c)
		case tookRoles.Has(c.Enter.Role):
			if len(t.pending) == maxPending {
				s.giveUp(t.pending[0])
				t.pending = append(t.pending[:0], t.pending[1:]...)
			}
			t.pending = append(t.pending, c)
			if c == c.Open && !s.tookMissing {
				t.maybeOpen = c
			}
		default:
			t.spare = append(t.spare, c)
		}
	}
	t.calls = sure
}

// leave pops the call that the exit ends. If the exit says when its entry was, it is that call; else it is
// the innermost of its role that no loss affects. Calls entered after it have lost their exits, and are
// dropped.
func (s *State) leave(t *thread) {
	e := s.step.Event
	if t == nil {
		s.step.Stray = !s.entrySkipped(e)
		return
	}
	if openRoles.Has(e.Role) {
		t.maybeOpen = nil
	}
	c := innermost(t.calls, e)
	if c == nil && e.Entered != 0 {
		c = innermost(t.pending, e)
	}
	if c == nil || e.Entered != 0 && s.Losses.mispairedSince(e.Entered, e.Role) {
		s.step.Stray = !s.entrySkipped(e)
		return
	}
	s.step.Call, s.step.Open = c, c.Open
	if n := len(t.calls); len(t.pending) == 0 && t.calls[n-1] == c { // most often
		t.calls, t.spare = t.calls[:n-1], append(t.spare, c)
		return
	}
	t.calls = s.dropSince(t, t.calls, c)
	t.pending = s.dropSince(t, t.pending, c)
}

// entrySkipped reports whether the entry of an exit may be among the skipped events.
func (s *State) entrySkipped(exit *schema.Event) bool {
	return s.skipped && (exit.Entered == 0 || exit.Entered < s.resumedAt)
}

// innermost returns the innermost call that the exit may end, or nil.
func innermost(calls []*Call, exit *schema.Event) *Call {
	for i := len(calls) - 1; i >= 0; i-- {
		if c := calls[i]; c.Enter.Role == exit.Role && (exit.Entered == 0 || exit.Entered == c.Enter.Time) {
			return c
		}
	}
	return nil
}

// dropSince returns the calls entered before c, and drops the others.
func (s *State) dropSince(t *thread, calls []*Call, c *Call) []*Call {
	kept := calls[:0]
	for _, other := range calls {
		if other.Enter.ID < c.Enter.ID {
			kept = append(kept, other)
			continue
		}
		if other != c {
			s.giveUp(other)
		}
		t.spare = append(t.spare, other)
	}
	return kept
}

// OnGivenUp adds f to the functions that are called for each call that is dropped although its exit was not
// seen.
func (s *State) OnGivenUp(f func(*Call)) { s.onGivenUp = append(s.onGivenUp, f) }

func (s *State) giveUp(calls ...*Call) {
	for _, f := range s.onGivenUp {
		for _, c := range calls {
			f(c)
		}
	}
}

// onKill notes the drop_caches call of the thread, if there is one, as what killed the dentry.
func (s *State) onKill(t *thread) {
	if d := s.step.Object; d != nil && d.Killed == s.step.Event.ID && t != nil && s.evictsRecorded {
		if c := t.innermost(evictRoles); c != nil {
			d.Evict = c.Enter.ID
		}
	}
}

// Now returns the time of the latest event, nanoseconds since boot.
func (s *State) Now() uint64 { return s.now }
