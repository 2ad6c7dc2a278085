// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// cutter reads a run from its start and cuts it into calls, thread by thread.
type cutter struct {
	*run
	judging judging
	threads map[uint32]*thread
	last    *thread
	now     uint64 // time of the last event
	spare   []*call
	commOf  map[uint32]string // the name under which a process was last seen to make a call
	rulings []report.Ruling   // that came with the last event
}

// thread is what one thread is in the middle of.
type thread struct {
	tid, pid uint32
	in       *call // that encloses all it does until it returns; nil: none
	other    *call // what it does outside of one; nil: nothing
}

// Bounds on what is remembered of tasks.
const (
	maxThreads   = 1 << 14
	maxProcesses = 1 << 16
	maxUnseen    = 1024    // times in which calls may have gone unseen
	maxPrograms  = 4096    // programs whose exit code and output are kept,
	printedBytes = 4 << 20 // and of how much output
	maxSpare     = 1024
)

// logName is what the one program of an imported trace is called.
const logName = "kernel log"

func newCutter(in Input, both probes, j judging, names namer) *cutter {
	h := in.Header()
	r := &run{Run: runOf(in.Name, h), in: in, names: names, both: both, logged: h.Logged(), losses: new(replay.Losses),
		calls: make(map[string]*calls), claims: make(map[uint32][]report.Ruling), renamed: make(map[string]uint64)}
	return &cutter{run: r, judging: j, threads: make(map[uint32]*thread), commOf: make(map[uint32]string)}
}

// read cuts the whole run; the error is the source's.
func (d *cutter) read() error {
	findings, err := report.Judge(d.in, report.Options{Bare: true, Follow: d.record})
	d.abandon(0, math.MaxUint64)
	d.findings = findings
	return err
}

func (d *cutter) record(m *report.Moment) {
	d.losses = m.Losses
	switch rec := m.Record.(type) {
	case *schema.Event:
		d.now = rec.Time
		d.took.measure(m.Step)
		m.Step.Halves(func(s *replay.Step) {
			if d.rulings = nil; s == m.Step {
				d.rulings = m.Rulings
			}
			d.event(s)
		})
	case *schema.Damage:
		d.abandon(0, d.now)
	case *schema.Program:
		d.ended(rec)
	}
}

// event puts an event where it belongs.
//
//  1. What only one run records is left out.
//  2. What is entered and encloses what follows begins a call.
//  3. Within a call an event is a line of it, but for the end of a dentry that the call
//     does not otherwise touch: a reclaim that happened to run there. The exit finishes it.
//  4. Outside it goes to the thread.
func (d *cutter) event(s *replay.Step) {
	e := s.Event
	if !d.both.has(e.Role, e.Phase) || isAstray(s) {
		return
	}
	if d.logged && e.PID == 0 {
		d.line(s)
		return
	}
	t := d.thread(e)
	if t.in != nil && !d.encloses(t.in, s) {
		d.giveUp(t, e.Time)
	}
	if t.in == nil && s.Call != nil && e.Phase == schema.Enter && encloses.Has(e.Role) {
		d.close(t)
		t.in = d.begin(e.Role, e)
	}
	switch c := t.in; {
	case c == nil && s.Within == nil:
		d.outside(t, s)
	case c == nil: // the entry of the open around it was not seen
	case !c.takes(e):
		d.EndsOutside++
	default:
		if execs.Has(e.Role) {
			d.working(e)
		}
		d.put(c, s)
		if e.Phase == schema.Exit && s.Call != nil && s.Call.Enter.ID == c.first {
			t.in = nil
			d.finish(c)
		}
	}
}

// isAstray reports whether an event is the exit of an operation whose entry is not there:
// what it ends is not known.
func isAstray(s *replay.Step) bool { return s.Stray && (encloses &^ opens).Has(s.Event.Role) }

// encloses reports whether a call that was entered is in progress still. An open that is not around
// the event has lost its exit, and so may have an operation since whose entry events were lost.
func (r *run) encloses(c *call, s *replay.Step) bool {
	if opens.Has(c.kind) {
		return isWithin(s, c.first)
	}
	return !r.lost(c.from, s.Event.Time)
}

// isWithin reports whether a step is part of the open that was entered at the id.
func isWithin(s *replay.Step, open uint64) bool {
	w := s.Within
	for w != nil && w.Enter.ID != open {
		w = w.Outer
	}
	return w != nil
}

// put adds an event to a call, with the rulings that came with it.
func (d *cutter) put(c *call, s *replay.Step) {
	o := s.Object
	m := mark{older: o != nil && o.Born == 0 && o.First == s.Event.ID}
	for i := range d.rulings {
		switch r := &d.rulings[i]; {
		case d.judging.calls.has(r.Kind) && !ends.Has(s.Event.Role):
			c.claims = append(c.claims, *r)
		case d.judging.lines.has(r.Kind) && r.Verdict == report.Refuted:
			m.refuted |= 1 << r.Kind
		}
	}
	if m != (mark{}) {
		m.id = s.Event.ID
		d.notes = append(d.notes, m)
	}
	d.add(c, s, m)
}

// begin starts a call at an event.
func (d *cutter) begin(k schema.Role, e *schema.Event) *call {
	c := &call{}
	if n := len(d.spare); n > 0 {
		c, d.spare = d.spare[n-1], d.spare[:n-1]
	}
	c.start(k, e)
	if !exits.Has(k) {
		d.working(e)
	}
	return c
}

// working notes the name under which a process makes a call.
func (d *cutter) working(e *schema.Event) {
	if d.commOf[e.PID] == e.Comm {
		return
	}
	if len(d.commOf) >= maxProcesses {
		clear(d.commOf)
	}
	d.commOf[e.PID] = e.Comm
}

// finish hands a call out.
func (d *cutter) finish(c *call) {
	d.complete(c)
	if c.lossy = d.lost(c.from, c.to); c.lossy || !c.pathless() {
		d.keep(c)
	}
	if len(d.spare) < maxSpare && cap(c.lines) <= 256 {
		d.spare = append(d.spare, c)
	}
}

func (d *cutter) thread(e *schema.Event) *thread {
	if d.last != nil && d.last.tid == e.TID {
		return d.last
	}
	t := d.threads[e.TID]
	if t == nil {
		if len(d.threads) >= maxThreads {
			d.abandon(0, d.now)
		}
		t = &thread{tid: e.TID, pid: e.PID}
		d.threads[e.TID] = t
	}
	d.last = t
	return t
}

// abandon gives up what the threads of a process, 0 for all, are in the middle of: it finishes
// what is outside of other calls, and forgets the threads.
func (d *cutter) abandon(pid uint32, now uint64) {
	for _, tid := range slices.Sorted(maps.Keys(d.threads)) {
		if t := d.threads[tid]; pid == 0 || t.pid == pid {
			d.giveUp(t, now)
			d.close(t)
			delete(d.threads, tid)
			d.last = nil
		}
	}
}

// giveUp forgets the call that the thread is in, whose exit was lost: what the thread
// did since went unseen for all that is known.
func (d *cutter) giveUp(t *thread, now uint64) {
	if t.in != nil && len(d.unseen) < maxUnseen {
		d.unseen = append(d.unseen, [2]uint64{t.in.from, now})
	}
	t.in = nil
}

// close finishes what the thread did outside of what encloses.
func (d *cutter) close(t *thread) {
	c := t.other
	if t.other = nil; c == nil || len(c.lines) == 0 {
		return
	}
	if len(c.entered) > 0 { // a return is missing: it may have come at any time
		c.to = d.now
	}
	d.finish(c)
}

// outside adds an event that no call encloses.
//
//  1. Program starts and ends are calls of their own.
//  2. The end of a dentry joins the call that has met the dentry.
//  3. Anything else goes on with what the thread does, or begins the next call.
func (d *cutter) outside(t *thread, s *replay.Step) {
	e := s.Event
	switch {
	case standalone.Has(e.Role):
		d.process(t, s)
		return
	case ends.Has(e.Role):
		c := t.other
		taken := c != nil && c.comm == e.Comm && c.takes(e)
		if taken {
			d.put(c, s)
		}
		if !taken || evicts.Has(c.kind) {
			d.EndsOutside++
		}
		return
	case t.other != nil && t.breaks(s):
		d.close(t)
	}
	if t.other == nil {
		t.other = d.begin(0, e)
	}
	c := t.other
	if c.kind == 0 && decides.Has(e.Role) {
		c.kind = e.Role
	}
	d.put(c, s)
	c.over = c.kind != 0 && len(c.entered) == 0
}

// breaks reports whether an event begins another call than the one in progress: after what
// decides it has returned, for another program, or for another path. Drops of the
// caches that follow one another are one call: whether a dentry goes at the first or
// the second is the kernel's choice.
func (t *thread) breaks(s *replay.Step) bool {
	e, c := s.Event, t.other
	switch {
	case e.Comm != c.comm:
		return true
	case len(c.entered) > 0 || e.Phase == schema.Exit && s.Call != nil:
		return false
	case evicts.Has(e.Role):
		return !evicts.Has(c.kind)
	case c.over, paths.Has(e.Role):
		return true
	}
	return (asks | begins).Has(e.Role) && c.leaves(e)
}

// process makes calls of program starts and ends. What a thread looked up on the way
// into a new program belongs to execve, as its opens do.
func (d *cutter) process(t *thread, s *replay.Step) {
	e := s.Event
	if execs.Has(e.Role) && t.other != nil && t.other.kind == 0 {
		t.other = nil
	}
	d.close(t)
	c := d.begin(e.Role, e)
	if exits.Has(e.Role) { // reported by whichever of its threads is last
		c.comm = cmp.Or(d.commOf[e.PID], e.Comm)
		delete(d.commOf, e.PID)
		if e.PID != 0 {
			d.abandon(e.PID, d.now)
		}
	}
	d.rulings = nil
	d.put(c, s)
	d.finish(c)
}

// line adds a line of a kernel log. It does not say which thread a line is of: the lines from
// one open to the next make a call, and none has a return.
func (d *cutter) line(s *replay.Step) {
	e, step := *s.Event, *s
	e.Comm, e.TID, step.Event = logName, 0, &e
	t := d.thread(&e)
	k := schema.Role(0)
	if opens.Has(e.Role) && e.Phase == schema.Enter {
		d.close(t)
		k = e.Role
	}
	if t.other == nil {
		t.other = d.begin(k, &e)
	}
	d.rulings = nil
	d.put(t.other, &step)
}
