// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"math"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// cutter reads a run from its start and cuts it into calls, thread by thread.
type cutter struct {
	*builder
	run     *run
	judged  uint32 // kinds of claim that are compared
	threads map[uint32]*thread
	last    *thread
	now     uint64 // time of the last event
	spare   []*call
	atWork  map[uint32]string // the name under which a process was last seen to make a call
	rulings []report.Ruling   // that came with it
}

// thread is what one thread is in the middle of.
type thread struct {
	tid, pid uint32
	opens    []*call // innermost last
	other    *call   // what it does outside of opens; nil: nothing
}

// Bounds on what is remembered of tasks.
const (
	maxThreads   = 1 << 14
	maxProcesses = 1 << 16
	maxBlind     = 1024    // times in which calls may have gone unseen
	maxPrograms  = 4096    // programs whose exit code and output are kept,
	printedBytes = 4 << 20 // and of how much output
	maxSpare     = 1024
)

// logName is what the one program of an imported trace is called.
const logName = "kernel log"

// read cuts the whole run; the error is the source's.
func (d *cutter) read() error {
	findings, err := report.Judge(d.run.in, report.Options{Follow: d.record})
	d.giveUp(math.MaxUint64)
	d.run.findings = findings
	return err
}

func (d *cutter) record(m *report.Moment) {
	d.run.losses = m.Losses
	switch rec := m.Record.(type) {
	case *schema.Event:
		d.now, d.rulings = rec.Time, m.Rulings
		d.run.took.measure(m.Step)
		d.event(m.Step)
	case *schema.Damage:
		d.giveUp(d.now)
	case *schema.Program:
		d.run.ended(rec)
	}
}

// event puts an event where it belongs.
//
//  1. What only one run records is left out.
//  2. Within an open it is a line of the innermost one, but for the end of a dentry
//     the open does not otherwise touch: a reclaim that happened to run there. The exit
//     of an open finishes the call.
//  3. Outside it goes to the thread.
func (d *cutter) event(s *replay.Step) {
	e := s.Event
	if !d.both.has(e.Role, e.Phase) {
		return
	}
	if d.logged && e.PID == 0 {
		d.line(s)
		return
	}
	t := d.thread(e)
	if s.Within == nil {
		d.outside(t, s)
		return
	}
	if s.Call == s.Within && e.Phase == schema.Enter {
		d.close(t)
		t.opens = append(t.opens, d.begin(opening, e))
	}
	c := d.innermost(t, s)
	switch {
	case c == nil: // of an open whose entry was not seen
	case !c.takes(e):
		d.run.Apart++
	default:
		d.put(c, s)
		if s.Call == s.Within && e.Phase == schema.Exit {
			t.opens = t.opens[:len(t.opens)-1]
			d.finish(c)
		}
	}
}

// apart says which kinds of claim are not compared with the call they are judged in. On
// one event a refuted claim is told in its line, and one that is merely unproven is no
// matter of the program; whether one that spans calls ends in time is not one call's.
var apart = [32]marks{report.Hash: badHash, report.Bucket: badBucket, report.Storage: badStorage, report.Delete: spansCalls}

// put adds an event to a call, with the rulings that came with it.
func (d *cutter) put(c *call, s *replay.Step) {
	var m marks
	if o := s.Object; o != nil && o.Born == 0 && o.First == s.Event.ID {
		m |= older
	}
	for _, r := range d.rulings {
		switch mark := apart[r.Kind]; {
		case mark == 0 && d.judged>>r.Kind&1 != 0 && !ends.Has(s.Event.Role):
			c.claims = append(c.claims, r)
		case r.Verdict == report.Refuted:
			m |= mark
		}
	}
	if m &^= spansCalls; m != 0 {
		d.run.notes = append(d.run.notes, noted{s.Event.ID, m})
	}
	d.add(c, s, m)
}

// begin starts a call at an event.
func (d *cutter) begin(k kind, e *schema.Event) *call {
	var c *call
	if n := len(d.spare); n > 0 {
		c, d.spare = d.spare[n-1], d.spare[:n-1]
		c.reset()
	} else {
		c = &call{}
	}
	c.start(k, e)
	if k != exiting && d.atWork[e.PID] != e.Comm {
		if len(d.atWork) >= maxProcesses {
			clear(d.atWork)
		}
		d.atWork[e.PID] = e.Comm
	}
	return c
}

// finish hands a call out.
func (d *cutter) finish(c *call) {
	d.complete(c)
	c.lossy = d.run.lost(c.from, c.to)
	d.run.keep(c)
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
			d.giveUp(d.now)
		}
		t = &thread{tid: e.TID, pid: e.PID}
		d.threads[e.TID] = t
	}
	d.last = t
	return t
}

// giveUp abandons what all threads are in the middle of.
func (d *cutter) giveUp(now uint64) {
	for _, t := range d.sorted() {
		d.abandon(t, now)
	}
	clear(d.threads)
	d.last = nil
}

// sorted lists the threads in a fixed order.
func (d *cutter) sorted() []*thread {
	var all []*thread
	for _, t := range d.threads {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *thread) int { return cmp.Compare(a.tid, b.tid) })
	return all
}

// innermost returns the open entered at the event; opens above it lost their exits.
func (d *cutter) innermost(t *thread, s *replay.Step) *call {
	for i := len(t.opens) - 1; i >= 0; i-- {
		if t.opens[i].first == s.Within.Enter.ID {
			d.swallow(t, i+1, s.Event.Time)
			return t.opens[i]
		}
	}
	return nil
}

// abandon gives up the opens in progress and finishes what is outside of them.
func (d *cutter) abandon(t *thread, now uint64) {
	d.swallow(t, 0, now)
	d.close(t)
}

// swallow gives up the opens from the n-th on, whose exits were lost: what the thread
// did since went unseen for all that is known.
func (d *cutter) swallow(t *thread, n int, now uint64) {
	if n < len(t.opens) && len(d.run.blind) < maxBlind {
		d.run.blind = append(d.run.blind, [2]uint64{t.opens[n].from, now})
	}
	t.opens = t.opens[:n]
}

// close finishes what the thread did outside of opens.
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

// outside adds an event that no open encloses.
//
//  1. Program starts and ends are calls of their own.
//  2. The end of a dentry joins the call that has met the dentry.
//  3. Anything else goes on with what the thread does, or begins the next call.
func (d *cutter) outside(t *thread, s *replay.Step) {
	d.swallow(t, 0, s.Event.Time)
	e, k := s.Event, deciding[s.Event.Role]
	switch {
	case k == execing, k == forking, k == exiting:
		d.process(t, s, k)
		return
	case ends.Has(e.Role):
		c := t.other
		taken := c != nil && c.comm == e.Comm && c.takes(e)
		if taken {
			d.put(c, s)
		}
		if !taken || c.kind == dropping {
			d.run.Apart++
		}
		return
	case t.other != nil && t.breaks(s):
		d.close(t)
	}
	if t.other == nil {
		t.other = d.begin(looking, e)
	}
	c := t.other
	if c.kind == looking {
		c.kind = k
	}
	d.put(c, s)
	c.over = c.kind != looking && len(c.entered) == 0
}

// breaks reports whether an event begins another call than the one in progress: after
// the operation has returned, for another program, or for another path. Drops of the
// caches that follow one another are one call: whether a dentry goes at the first or
// the second is the kernel's choice.
func (t *thread) breaks(s *replay.Step) bool {
	e, c := s.Event, t.other
	switch {
	case e.Comm != c.comm:
		return true
	case len(c.entered) > 0 || e.Phase == schema.Exit && s.Call != nil:
		return false
	case e.Role == schema.RoleEvict:
		return c.kind != dropping
	case c.over:
		return true
	}
	return walks.Has(e.Role) && e.Role != schema.RoleInsert && c.leaves(e)
}

// process makes calls of program starts and ends. What a thread looked up on the way
// into a new program belongs to execve, as its opens do.
func (d *cutter) process(t *thread, s *replay.Step, k kind) {
	e := s.Event
	if k == execing && t.other != nil && t.other.kind == looking {
		t.other = nil
	}
	d.close(t)
	c := d.begin(k, e)
	if k == exiting { // told by whichever of its threads is last
		c.comm = cmp.Or(d.atWork[e.PID], e.Comm)
		delete(d.atWork, e.PID)
		for _, other := range d.sorted() {
			if other.pid == e.PID {
				d.abandon(other, d.now)
				delete(d.threads, other.tid)
			}
		}
		d.last = nil
	}
	d.rulings = nil
	d.put(c, s)
	d.finish(c)
}

// line adds a line of a kernel log. Threads cannot be told apart in it: the lines from
// one open to the next make a call, and none has a return.
func (d *cutter) line(s *replay.Step) {
	e, step := *s.Event, *s
	e.Comm, e.TID, step.Event = logName, 0, &e
	t := d.thread(&e)
	k := looking
	if e.Role == schema.RoleOpen && e.Phase == schema.Enter {
		d.close(t)
		k = opening
	}
	if t.other == nil {
		t.other = d.begin(k, &e)
	}
	d.rulings = nil
	d.put(t.other, &step)
}
