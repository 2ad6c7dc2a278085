// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"encoding/hex"
	"hash/maphash"
	"maps"
	"math"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// thread is the state of one thread.
type thread struct {
	tid          uint32
	call         *call  // in progress; nil: none
	before, seen uint64 // times of its last event but one and its last event; 0: none
	inside       bool   // it may be in a call whose entry was lost
}

// Bounds on what is remembered of tasks.
const (
	maxThreads   = 1 << 14
	maxProcesses = 1 << 16
	maxOpened    = 1 << 14 // dentries that programs have opened
	maxOpeners   = 16      // programs that opened one
	maxUnseen    = 1024    // time ranges in which calls may have gone unseen
	maxPrograms  = 4096    // programs whose exit code and output are kept
	printedBytes = 4 << 20 // total size of their output
)

// logName is the name of the only program in a trace made from a kernel log.
const logName = "kernel log"

// newRun returns a run to be compared with one that has the header other. It leaves out claims that rest on
// a role that only one of the two runs recorded, and kinds of claims that a later call decides.
func newRun(in Input, other *schema.Header, seed maphash.Seed) *run {
	h := in.Header()
	p, q := probesOf(h), probesOf(other)
	r := &run{
		Run: Run{File: replay.Printable(in.Name), ID: hex.EncodeToString(h.GetRunId()), Kernel: replay.Printable(h.GetKernel().GetRelease()),
			Machine: replay.Printable(h.GetKernel().GetMachine()), Command: cmp.Or(replay.RecordedCommand(h), "no command")},
		in: in, names: newNamer(seed, h), both: p.in(q), logged: h.Logged(), losses: new(replay.Losses),
		calls: make(map[string]*calls), claims: make(map[uint32][]report.Ruling), marks: make(map[uint64]mark),
		renamed: make(map[string]uint64), threads: make(map[uint32]*thread), tids: make(map[uint32][]uint32), commOf: make(map[uint32]string), opened: make(map[uint64][]string),
	}
	if machine := h.GetKernel().GetMachine(); machine != other.GetKernel().GetMachine() {
		r.machine = machine
	}
	for _, k := range report.Kinds() {
		switch {
		case k.Alone:
			r.inLines |= 1 << k.Kind
		case (k.Needs|k.Some)&p.inOne(q) == 0 && !k.Later:
			r.inCalls |= 1 << k.Kind
		}
	}
	return r
}

// read cuts the whole run into calls, thread by thread. The error is that of the source.
func (r *run) read() error {
	findings, err := report.Judge(r.in, report.Options{Bare: true, Follow: r.record})
	r.abandonAll(math.MaxUint64)
	r.findings, r.threads, r.tids, r.last, r.spare, r.commOf, r.opened = findings, nil, nil, nil, nil, nil, nil
	return err
}

func (r *run) record(m *report.Moment) {
	r.losses = m.Losses
	switch rec := m.Record.(type) {
	case *schema.Event:
		if r.now = rec.Time; rec.Facts&schema.FactUnwatched != 0 {
			r.full = cmp.Or(r.full, rec.Time)
		}
		r.measure(m.Step)
		m.Step.EachPhase(func(s *replay.Step) {
			if r.rulings = nil; s == m.Step {
				r.rulings = m.Rulings
			}
			r.event(s)
		})
	case *schema.Damage:
		r.abandonAll(r.now)
	case *schema.Program:
		r.ended(rec)
	}
}

// event assigns an event to a call.
//
//  1. Events that only one of the runs records are left out, and exits of calls that were given up.
//  2. An entry that encloses what follows begins a call.
//  3. Within a call, an event is a line of it, and its exit finishes it. The end of a dentry
//     that the call does not use otherwise is left out: it is a reclaim that happened to run there.
//  4. Events outside calls are handled by outside.
func (r *run) event(s *replay.Step) {
	e := s.Event
	if ends.Has(e.Role) {
		delete(r.opened, e.Dentry)
	}
	if !r.both.has(e.Role, e.Phase) {
		return
	}
	if r.logged && e.PID == 0 {
		r.line(s)
		return
	}
	t, astray := r.thread(e), isAstray(s)
	t.before, t.seen = t.seen, e.Time
	if t.call.isOpen() && !astray && !r.goesOn(t.call, s) {
		t.inside = t.inside || !opens.Has(t.call.kind) // it may go on all the same
		r.close(t, e.Time)
	}
	t.inside = t.inside || !t.call.isOpen() && r.lost(t.before, e.Time)
	switch gone := s.Call != nil && e.Phase == schema.Exit && (encloses &^ opens).Has(e.Role); {
	case !t.call.isOpen() && (astray || gone): // of a call that was closed, as events were lost
		r.close(t, e.Time)
		t.inside = false
		return
	case astray:
		return
	}
	if !t.call.isOpen() && s.Call != nil && e.Phase == schema.Enter && encloses.Has(e.Role) {
		r.close(t, e.Time)
		t.call = r.begin(t, e.Role, e)
		t.call.encloses = true
	}
	switch c := t.call; {
	case !c.isOpen() && s.MaybeOpen == nil:
		r.outside(t, s)
	case !c.isOpen(): // the entry of the enclosing open was not seen
	case !c.takes(e):
		r.EndsOutside++
	default:
		if execs.Has(e.Role) {
			r.working(e)
		}
		r.put(c, s)
		if e.Phase == schema.Exit && s.Call != nil && s.Call.Enter.ID == c.first {
			t.call = nil
			r.finish(c)
		}
	}
}

// isAstray reports whether an event is the exit of an operation whose entry was not recorded.
func isAstray(s *replay.Step) bool { return s.Stray && (encloses &^ opens).Has(s.Event.Role) }

// goesOn reports whether a call that encloses others is still in progress at the event. If the event is not
// within the open, the open's exit was lost; another operation may have lost its exit if events were lost
// since its entry.
func (r *run) goesOn(c *call, s *replay.Step) bool {
	if opens.Has(c.kind) {
		return isWithin(s, c.first)
	}
	return !r.lost(c.from, s.Event.Time)
}

// isWithin reports whether a step is part of the open entered at the event with the given id.
func isWithin(s *replay.Step, open uint64) bool {
	w := s.MaybeOpen
	for w != nil && w.Enter.ID != open {
		w = w.Outer
	}
	return w != nil
}

// put adds an event to a call, together with its rulings.
func (r *run) put(c *call, s *replay.Step) {
	o := s.Object
	m := mark{older: o != nil && o.Born == 0 && o.First == s.Event.ID}
	for i := range r.rulings {
		switch ruling := &r.rulings[i]; {
		case r.inCalls.has(ruling.Kind) && !ends.Has(s.Event.Role):
			c.claims = append(c.claims, *ruling)
		case r.inLines.has(ruling.Kind) && ruling.Verdict == report.Refuted:
			m.refuted |= 1 << ruling.Kind
		}
	}
	if m != (mark{}) {
		r.marks[s.Event.ID] = m
	}
	r.add(c, s, m)
}

// begin starts a call of a thread at an event. If events were lost since an earlier event of the thread, the call may
// be only a part of one whose entry was lost, and so may those after it, until a call begins that is never part
// of another.
func (r *run) begin(t *thread, k schema.Role, e *schema.Event) *call {
	c := r.spare
	if r.spare = nil; c == nil {
		c = &call{}
	}
	c.start(k, e)
	t.inside = !outermost.Has(k) && t.inside && !(opens.Has(k) && !r.both.has(schema.RoleExecve, schema.Enter))
	c.lossy = t.inside
	if !exits.Has(k) {
		r.working(e)
	}
	return c
}

// working remembers the name under which a process makes a call.
func (r *run) working(e *schema.Event) {
	if r.commOf[e.PID] == e.Comm {
		return
	}
	if len(r.commOf) >= maxProcesses {
		clear(r.commOf)
	}
	r.commOf[e.PID] = e.Comm
}

// finish completes a call and keeps its digest, unless it was made on a descriptor only.
func (r *run) finish(c *call) {
	r.complete(c)
	r.list(c)
	if c.lossy = c.lossy || r.lost(c.from, c.to); c.lossy || !c.pathless() {
		r.keep(c)
	}
	if cap(c.lines) <= 256 {
		r.spare = c
	}
}

// list notes whether a call is about a name in a directory that the program has opened, and what it opens itself.
func (r *run) list(c *call) {
	if l := c.last(); l != nil && l.in > 0 && l.in < maxPlaces { // the last place is that of all dentries beyond
		c.listed = slices.Contains(r.opened[c.places[l.in-1]], c.comm)
	}
	own := c.own()
	if own == nil || !opens.Has(c.kind) || own.value>>32&(oAccess|oCreat|oPath) != 0 || own.out == 0 || own.out >= maxPlaces {
		return
	}
	if len(r.opened) >= maxOpened {
		clear(r.opened)
	}
	dentry := c.places[own.out-1]
	if by := r.opened[dentry]; len(by) < maxOpeners && !slices.Contains(by, c.comm) {
		r.opened[dentry] = append(by, c.comm)
	}
}

func (r *run) thread(e *schema.Event) *thread {
	if r.last != nil && r.last.tid == e.TID {
		return r.last
	}
	t := r.threads[e.TID]
	if t == nil {
		if len(r.threads) >= maxThreads {
			r.abandonAll(r.now)
		}
		t = &thread{tid: e.TID}
		r.threads[e.TID] = t
		r.tids[e.PID] = append(r.tids[e.PID], e.TID)
	}
	r.last = t
	return t
}

// abandonAll closes the calls in progress of all threads, and forgets the threads.
func (r *run) abandonAll(now uint64) {
	for _, tid := range slices.Sorted(maps.Keys(r.threads)) {
		r.close(r.threads[tid], now)
	}
	clear(r.threads)
	clear(r.tids)
	r.last = nil
}

// abandon does so for the threads of a process.
func (r *run) abandon(pid uint32, now uint64) {
	tids := r.tids[pid]
	slices.Sort(tids)
	for _, tid := range tids {
		r.close(r.threads[tid], now)
		delete(r.threads, tid)
		r.last = nil
	}
	delete(r.tids, pid)
}

// close ends the call in progress of a thread. If the call encloses others, its exit was lost, and anything
// the thread did since may be unseen; otherwise the call is finished.
func (r *run) close(t *thread, now uint64) {
	c := t.call
	switch t.call = nil; {
	case c == nil:
	case !c.encloses:
		if len(c.entered) > 0 { // a return is missing; it may have come at any time
			c.to = r.now
		}
		c.lossy = c.lossy || r.lost(c.to, now)
		t.inside = t.inside || c.lossy
		r.finish(c)
	case len(r.unseen) < maxUnseen:
		r.unseen = append(r.unseen, [2]uint64{c.from, now})
	default:
		last := &r.unseen[maxUnseen-1]
		*last = [2]uint64{min(last[0], c.from), max(last[1], now)}
	}
}

// outside adds an event that no call encloses.
//
// 1. Starts and ends of programs are calls of their own.
// 2. The end of a dentry joins the current call if that has used the dentry.
// 3. Any other event continues the current call or begins the next one.
func (r *run) outside(t *thread, s *replay.Step) {
	e, c := s.Event, t.call
	switch {
	case standalone.Has(e.Role):
		r.process(t, s)
		return
	case ends.Has(e.Role):
		taken := c != nil && c.comm == e.Comm && c.takes(e)
		if taken {
			r.put(c, s)
		}
		if !taken || evicts.Has(c.kind) {
			r.EndsOutside++
		}
		return
	case c == nil || c.breaks(s):
		r.close(t, e.Time)
		c = r.begin(t, 0, e)
		t.call = c
	}
	if c.kind == 0 && decides.Has(e.Role) {
		c.kind = e.Role
	}
	r.put(c, s)
}

// breaks reports whether an event begins another call: it follows the return of what decided the current
// one, or belongs to another program or path. Consecutive drops of the caches are one call, because the
// kernel chooses whether a dentry is freed by the first or the second.
func (c *call) breaks(s *replay.Step) bool {
	switch e := s.Event; {
	case e.Comm != c.comm:
		return true
	case len(c.entered) > 0 || e.Phase == schema.Exit && s.Call != nil:
		return false
	case evicts.Has(e.Role):
		return !evicts.Has(c.kind)
	default:
		return c.kind != 0 || paths.Has(e.Role) || (asks|begins).Has(e.Role) && c.leaves(e)
	}
}

// process turns starts and ends of programs into calls. Names that the thread looked up outside a call
// before an exec belong to the execve, like its opens, and are dropped.
func (r *run) process(t *thread, s *replay.Step) {
	e := s.Event
	if execs.Has(e.Role) && t.call != nil && t.call.kind == 0 {
		t.call = nil
	}
	r.close(t, e.Time)
	c := r.begin(t, e.Role, e)
	if exits.Has(e.Role) { // reported by whichever of its threads exits last
		c.comm = cmp.Or(r.commOf[e.PID], e.Comm)
		c.lossy = r.lost(t.before, e.Time) // an exec may be lost, and the name with it
		delete(r.commOf, e.PID)
		if e.PID != 0 {
			r.abandon(e.PID, r.now)
		}
	}
	r.rulings = nil
	r.put(c, s)
	r.finish(c)
}

// line adds a line of a kernel log. The log does not say which thread printed it, so the lines from one
// open to the next make up a call, and no line has a return.
func (r *run) line(s *replay.Step) {
	e, step := *s.Event, *s
	e.Comm, e.TID, step.Event = logName, 0, &e
	t, k := r.thread(&e), schema.Role(0)
	if opens.Has(e.Role) && e.Phase == schema.Enter {
		r.close(t, e.Time)
		k = e.Role
	}
	if t.call == nil {
		t.call = r.begin(t, k, &e)
	}
	r.rulings = nil
	r.put(t.call, &step)
}
