// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"errors"
	"hash/maphash"
	"io"
	"math"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// side is one of the two runs while it is read: records in, units out.
type side struct {
	src      replay.Source
	follow   *report.Follower
	seed     maphash.Seed
	names    namer
	compared probes // recorded in both runs
	logged   bool   // an imported trace
	judged   uint32 // kinds of claim that both runs have the probes for, or lack them
	threads  map[uint32]*thread
	last     *thread
	users    users
	took     [roles]histogram

	now   uint64      // time of the last event
	blind [][2]uint64 // times in which calls of a thread went unseen

	ready []*unit // finished units, not yet taken
	spare []*unit

	findings *report.Findings // at the end
	programs []*schema.Program
	apart    uint64 // ends of dentries that were not the program's
	waiting  int    // units in the queues of programs
	done     bool
	err      error // the source's, but for its end
}

func newSide(src replay.Source, seed maphash.Seed, both probes, judged uint32) *side {
	return &side{
		src: src, follow: report.Follow(src.Header()), seed: seed, names: newNamer(seed, src.Header()),
		compared: both, logged: src.Header().Imported(), judged: judged, threads: make(map[uint32]*thread), users: newUsers(seed),
	}
}

// maxAtOnce is how many records are read for one unit before the other run has its
// turn.
const maxAtOnce = 4096

// read reads on until a unit is ready.
func (d *side) read() {
	for n := 0; n < maxAtOnce && len(d.ready) == 0; n++ {
		rec, err := d.src.Next()
		if err != nil {
			d.end(err)
			return
		}
		d.record(rec)
	}
}

func (d *side) record(rec schema.Record) {
	s, judged := d.follow.Record(rec)
	switch rec := rec.(type) {
	case *schema.Event:
		d.now = rec.Time
		d.event(s, judged)
		if rec.Role == schema.RoleFree {
			d.users.forget(s)
		}
	case *schema.Damage:
		for _, t := range d.threads {
			d.abandon(t, d.now)
		}
	case *schema.Program:
		if len(d.programs) < maxPrograms {
			d.programs = append(d.programs, rec)
		}
	}
}

// maxPrograms bounds the programs whose exit code and output are kept.
const maxPrograms = 4096

func (d *side) end(err error) {
	for _, t := range d.sorted() {
		d.abandon(t, math.MaxUint64)
	}
	d.findings, d.done = d.follow.Finish(), true
	if !errors.Is(err, io.EOF) {
		d.err = err
	}
}

// take hands out the units that are ready.
func (d *side) take() []*unit {
	units := d.ready
	d.ready = d.ready[:0]
	return units
}

// event puts an event where it belongs.
//
//  1. What only one run records is left out.
//  2. Within an open it is a step of the innermost one; the exit of an open
//     finishes its unit.
//  3. Outside it goes to the thread (thread.go).
func (d *side) event(s *replay.Step, judged []report.Ruling) {
	e := s.Event
	d.measure(s)
	if !d.compared.has(e.Role, e.Phase) {
		return
	}
	if d.logged && e.PID == 0 {
		d.line(s)
		return
	}
	t := d.thread(e)
	if s.Within == nil {
		d.outside(t, s, judged)
		return
	}
	if s.Call == s.Within && e.Phase == schema.Enter {
		d.close(t)
		t.opens = append(t.opens, d.begin(opening, s))
	}
	u := d.innermost(t, s)
	if u == nil {
		return // of an open whose entry was not seen
	}
	d.within(u, s, judged)
	if s.Call == s.Within && e.Phase == schema.Exit {
		t.opens = t.opens[:len(t.opens)-1]
		d.finish(u)
	}
}

// within adds an event to an open unless it is the end of a dentry the open does
// not otherwise touch: a reclaim that happened to run there.
func (d *side) within(u *unit, s *replay.Step, judged []report.Ruling) {
	if isEnd(s.Event.Role) {
		if s.Object == nil || !u.knows(s.Object.Addr, s.Object.Seq) {
			d.apart++
			return
		}
	}
	d.put(u, s, judged)
}

// put adds an event to a unit, with the rulings that came with it.
func (d *side) put(u *unit, s *replay.Step, judged []report.Ruling) {
	d.users.note(s, u.comm)
	d.add(u, s)
	u.last, u.to = s.Event.ID, s.Event.Time
	for i := range judged {
		switch r := &judged[i]; r.Kind {
		case report.Hash, report.Bucket, report.Storage:
			u.refute(r)
		case report.Delete: // spans calls: whether it ends in time is not this call's
		default:
			if d.judged>>r.Kind&1 != 0 {
				u.claims = append(u.claims, *r)
			}
		}
	}
}

// refute marks the last step; what is merely unproven is no matter of the program.
func (u *unit) refute(r *report.Ruling) {
	if r.Verdict == report.Refuted && len(u.steps) > 0 {
		u.steps[len(u.steps)-1].marks |= map[report.Kind]mark{
			report.Hash: badHash, report.Bucket: badBucket, report.Storage: badStorage}[r.Kind]
	}
}

// begin starts a unit at an event.
func (d *side) begin(k kind, s *replay.Step) *unit {
	var u *unit
	if n := len(d.spare); n > 0 {
		u, d.spare = d.spare[n-1], d.spare[:n-1]
		u.reset()
	} else {
		u = &unit{}
	}
	e := s.Event
	u.kind, u.comm, u.tid = k, e.Comm, e.TID
	u.first, u.from, u.last, u.to = e.ID, e.Time, e.ID, e.Time
	return u
}

// finish signs a unit and makes it ready.
func (d *side) finish(u *unit) {
	u.lossy = d.lossy(u.from, u.to)
	u.sign(d.seed)
	d.ready = append(d.ready, u)
}

// lossy reports whether events are missing between two times.
func (d *side) lossy(from, to uint64) bool {
	l := d.follow.Losses()
	if len(l.Windows()) == 0 {
		return false
	}
	if _, hit := l.Touched(from, to, ^replay.Roles(0)); hit {
		return true
	}
	return slices.ContainsFunc(d.blind, func(w [2]uint64) bool { return w[0] <= to && from <= w[1] })
}

// maxSpare bounds the units kept for use again.
const maxSpare = 1024

// recycle takes back a unit nobody needs any more.
func (d *side) recycle(u *unit) {
	if len(d.spare) < maxSpare && cap(u.steps) <= 256 {
		d.spare = append(d.spare, u)
	}
}
