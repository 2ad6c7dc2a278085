// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// thread is what one thread is in the middle of.
type thread struct {
	tid   uint32
	pid   uint32
	opens []*unit // innermost last
	run   *unit   // what it does outside of opens, not yet finished; nil: nothing
	over  bool    // the operation that gave run its kind has returned
}

// maxThreads bounds the threads remembered.
const maxThreads = 1 << 14

func (d *side) thread(e *schema.Event) *thread {
	if d.last != nil && d.last.tid == e.TID {
		return d.last
	}
	t := d.threads[e.TID]
	if t == nil {
		if len(d.threads) >= maxThreads {
			d.prune()
		}
		t = &thread{tid: e.TID, pid: e.PID}
		d.threads[e.TID] = t
	}
	d.last = t
	return t
}

// prune forgets the threads that are in the middle of nothing.
func (d *side) prune() {
	for tid, t := range d.threads {
		if len(t.opens) == 0 {
			d.close(t)
			delete(d.threads, tid)
		}
	}
}

// sorted lists the threads in a fixed order.
func (d *side) sorted() []*thread {
	var all []*thread
	for _, t := range d.threads {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *thread) int { return cmp.Compare(a.tid, b.tid) })
	return all
}

// innermost returns the open entered at the event; opens above it lost their exits.
func (d *side) innermost(t *thread, s *replay.Step) *unit {
	for i := len(t.opens) - 1; i >= 0; i-- {
		if t.opens[i].first == s.Within.Enter.ID {
			d.swallow(t, i+1, s.Event.Time)
			return t.opens[i]
		}
	}
	return nil
}

// abandon gives up the opens in progress and finishes what is outside of them.
func (d *side) abandon(t *thread, now uint64) {
	d.swallow(t, 0, now)
	d.close(t)
}

// maxBlind bounds the times kept in which calls may have gone unseen.
const maxBlind = 1024

// swallow gives up the opens from the n-th on, whose exits were lost: what the
// thread did since went unseen for all that is known.
func (d *side) swallow(t *thread, n int, now uint64) {
	if n < len(t.opens) && len(d.blind) < maxBlind {
		d.blind = append(d.blind, [2]uint64{t.opens[n].from, now})
	}
	t.opens = t.opens[:n]
}

// close finishes what the thread did outside of opens.
func (d *side) close(t *thread) {
	u := t.run
	if u == nil {
		return
	}
	t.run, t.over = nil, false
	if len(u.calls) > 0 { // a return is missing: it may have come at any time
		u.to = d.now
	}
	if u.kind == dropping {
		u.settle()
	}
	if len(u.steps) > 0 {
		d.finish(u)
	}
}

// settle puts the dentries that drop_caches ended into an order of its own: the
// kernel's follows lists that everything on the machine takes part in.
func (u *unit) settle() {
	slices.SortFunc(u.killed, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.hash.folded, b.hash.folded), cmp.Compare(a.state, b.state), cmp.Compare(a.enter, b.enter))
	})
	u.steps = append(u.steps, u.killed...)
}

// outside adds an event that no open encloses.
//
//  1. Program starts and ends are units of their own.
//  2. The end of a dentry joins the unit that touches the dentry; else it counts
//     only if this program, in this process, has used the dentry.
//  3. Anything else goes on with the run, or begins the next one.
func (d *side) outside(t *thread, s *replay.Step, judged []report.Ruling) {
	d.swallow(t, 0, s.Event.Time)
	switch e := s.Event; {
	case e.Role == schema.RoleFork, e.Role == schema.RoleExec, e.Role == schema.RoleExit:
		d.process(t, s)
	case isEnd(e.Role):
		d.dies(t, s, judged)
	default:
		if t.run != nil && t.breaks(s) {
			d.close(t)
		}
		if t.run == nil {
			t.run = d.begin(walking, s)
		}
		t.goOn(s)
		d.put(t.run, s, judged)
	}
}

// goOn takes what an event says about the kind of the run.
func (t *thread) goOn(s *replay.Step) {
	var k kind
	switch s.Event.Role {
	case schema.RoleUnlink:
		k = unlinking
	case schema.RoleMove:
		k = moving
	case schema.RoleEvict:
		k = dropping
	default:
		return
	}
	t.run.kind, t.over = k, s.Event.Phase == schema.Exit
}

// breaks reports whether an event begins another unit than the run: after the
// operation has returned, for another program, or for another path. Drops of the
// caches that follow one another are one unit: whether a dentry goes at the first
// or the second is the kernel's choice.
func (t *thread) breaks(s *replay.Step) bool {
	e, u := s.Event, t.run
	switch {
	case e.Comm != u.comm:
		return true
	case len(u.calls) > 0 || e.Phase == schema.Exit && s.Call != nil:
		return false
	case e.Role == schema.RoleEvict:
		return u.kind != dropping
	case t.over:
		return true
	case isLookup(e.Role) || e.Role == schema.RoleAlloc:
		return u.leaves(e)
	}
	return false
}

// leaves reports whether a name does not belong to the path the run walks: it is
// neither the next component nor, before something came of it, the last one again.
// The buffer may have been used for another path since, or for the same one by
// another call.
func (u *unit) leaves(e *schema.Event) bool {
	if e.NameAddr == 0 || u.path == 0 && !u.named() {
		return false
	}
	off, made := e.NameAddr-u.path, false
	for i := len(u.steps) - 1; i >= 0; i-- {
		st := &u.steps[i]
		made = made || st.role == schema.RoleInsert || st.role == schema.RoleInstantiate
		if st.base != inPath {
			continue
		}
		if off == uint64(st.at) {
			return made || st.name != e.Name
		}
		end := uint64(st.at) + uint64(len(st.name))
		return off <= end || off > end+maxGap
	}
	return off >= maxPath
}

// named reports whether the unit has met a name.
func (u *unit) named() bool {
	for i := range u.steps {
		if u.steps[i].base != nowhere {
			return true
		}
	}
	return false
}

// dies adds the end of a dentry, outside of opens.
func (d *side) dies(t *thread, s *replay.Step, judged []report.Ruling) {
	e, o := s.Event, s.Object
	switch {
	case o == nil || d.users.gone[e.PID] || d.nameless(t, o):
		d.apart++
	case t.run != nil && t.run.kind == dropping && !t.over:
		if e.Role == schema.RoleKill && d.users.has(s, t.run.comm) {
			t.run.killed = append(t.run.killed, d.killStep(s))
		} else if e.Role == schema.RoleKill {
			d.apart++
			if len(t.run.swept) < maxSteps {
				t.run.swept = append(t.run.swept, d.names.hash(e.Name, e).folded)
			}
		}
	case t.run != nil && t.run.comm == e.Comm && t.run.knows(o.Addr, o.Seq):
		d.put(t.run, s, judged)
	case d.users.has(s, e.Comm):
		d.close(t)
		t.run = d.begin(ending, s)
		t.over = true
		d.put(t.run, s, judged)
	default:
		d.apart++
	}
}

// nameless reports whether no path leads to a dentry, as to that of a pipe: it ends
// when the last of those who share it lets go, whoever that is.
func (d *side) nameless(t *thread, o *replay.Object) bool {
	return d.compared.has(schema.RoleInsert, schema.Exit) && o.Born != 0 && o.Inserted == 0 && (t.run == nil || !t.run.knows(o.Addr, o.Seq))
}

func (d *side) killStep(s *replay.Step) step {
	e := s.Event
	st := step{role: e.Role, depth: 1, state: stateOf(e), enter: e.ID, exit: e.ID}
	d.name(&st, e)
	return st
}

// bury finishes what the threads of a process were in, and forgets them.
func (d *side) bury(pid uint32) {
	for _, t := range d.sorted() {
		if t.pid == pid {
			d.abandon(t, d.now)
			delete(d.threads, t.tid)
		}
	}
	d.last = nil
}

// process makes units of program starts and ends. What a thread looked up on the
// way into a new program belongs to execve, as its opens do.
func (d *side) process(t *thread, s *replay.Step) {
	e := s.Event
	k := map[schema.Role]kind{schema.RoleFork: forking, schema.RoleExec: execing, schema.RoleExit: exiting}[e.Role]
	if k == execing && t.run != nil && t.run.kind == walking {
		t.run = nil
	}
	d.close(t)
	u := d.begin(k, s)
	if k == exiting {
		d.bury(e.PID)
		u.comm = d.users.leaves(e)
	}
	d.put(u, s, nil)
	d.finish(u)
}
