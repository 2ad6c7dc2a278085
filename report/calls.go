// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Walks that open nothing: filename_lookup, and filename_parentat with what its operation
// does to the last component. The kinds that say so judge them as they do opens.
var (
	opens    = replay.RolesOf(schema.RoleOpen)
	toParent = replay.RolesOf(schema.RoleWalkParent)
	walks    = replay.RolesOf(schema.RoleWalk) | toParent
	// operations are what a walk is made for; that to a parent ends with its operation.
	operations = replay.RolesWhere(func(r schema.RoleInfo) bool { return r.Op != "" && r.Exit != nil && r.Traits&schema.Walks == 0 })
	naming     = replay.RolesThat(schema.Names)
)

// passes adds an event outside any open to the walk, or to those of the operation, that it
// is in.
func (c *collector) passes(s *replay.Step) {
	if c.f.Attached&walks == 0 {
		return
	}
	e, call := s.Event, s.Call
	if call != nil && e.Phase == schema.Enter && walks.Has(e.Role) {
		c.begins(call).add(s, true)
		return
	}
	if call = c.state.Enclosing(s, walks|operations); call == nil {
		return
	}
	ends := s.Call == call && e.Phase == schema.Exit
	if ends && toParent.Has(e.Role) && e.Errno() == 0 {
		c.goesOn(call)
		return
	}
	first := c.within[call.Tag]
	if first == nil {
		return
	}
	second, room := first.then, c.roomForSteps() || ends
	if ends || !second.names(s) {
		first.add(s, room)
	}
	if second != nil && (ends || !first.names(s)) {
		second.add(s, room)
	}
	if ends {
		c.passed(first)
		c.passed(second)
		c.recycle(call)
	}
}

// goesOn gives a walk that has come to the parent to its operation, which looks the last
// component up: beside the one of another path, or in place of those that were tried before.
// One in no operation is not judged.
func (c *collector) goesOn(walked *replay.Call) {
	w, op := c.within[walked.Tag], c.state.Around(walked.Enter.TID, walks|operations)
	if w == nil || op == nil || walks.Has(op.Enter.Role) {
		c.recycle(walked)
		return
	}
	if first := c.within[op.Tag]; first != nil && first.then == nil && first.enter().NameAddr != w.enter().NameAddr {
		first.then = w
		c.within[walked.Tag], c.free, walked.Tag = nil, append(c.free, walked.Tag), 0
		return
	}
	c.recycle(op)
	op.Tag, walked.Tag = walked.Tag, 0
}

// names reports whether the event is of a lookup or an alloc of a name in the path of the walk.
func (w *walk) names(s *replay.Step) bool {
	if w == nil || s.Call == nil {
		return false
	}
	e := s.Call.Enter
	return (e.Role.Is(schema.Asks) || e.Role.Is(schema.Begins)) && e.NameAddr-w.enter().NameAddr < uint64(len(w.enter().Name))
}

// passed makes the claims that a walk which has ended supports; of nil none.
func (c *collector) passed(w *walk) {
	if w == nil {
		return
	}
	p := &c.nobody
	if !c.mute {
		p = c.program(w.enter())
	}
	c.claims(p, w, c.purpose(w))
}

// purpose is what a walk was made for, and the event at which that began: the operation that has ended with it, the one
// that it was in, or itself.
func (c *collector) purpose(w *walk) purpose {
	end := w.end()
	if info, _ := end.ev.Role.Info(); !end.ev.Role.Is(schema.Walks) {
		return purpose{info.Op, end.enter}
	}
	around := c.state.Around(w.enter().TID, operations)
	if around == nil {
		return purpose{"walk", w.enter().ID}
	}
	info, _ := around.Enter.Role.Info()
	return purpose{"walk of " + info.Op, around.Enter.ID}
}

// purpose is of a walk that is no open. Of an open it is empty.
type purpose struct {
	op string
	id uint64
}

// needed are the roles that the claim at hand needs: one on a walk needs that, and its
// operation.
func (v *view) needed() replay.Roles { return v.kind.needs | v.also | v.walked }

// opens reports whether what is judged is an open, and no other walk.
func (v *view) opens() bool { return opens.Has(v.enter.Role) }

// unreturned is an open, or another walk, of which no exit is known.
type unreturned struct {
	program    *Program
	roles      replay.Roles // its own, and its operation's
	path       string
	at         uint64 // id of its entry
	first, end uint64 // when it began, and was given up
}

// maxUnreturned bounds them.
const maxUnreturned = 4096

// givenUp takes an open that ends without an exit.
func (c *collector) givenUp(call *replay.Call) {
	if w := c.within[call.Tag]; w != nil && w.picked && opens.Has(call.Enter.Role) {
		c.opened(w)
	}
	for w := c.within[call.Tag]; w != nil; w = w.then {
		if e := w.enter(); len(c.unreturned) < maxUnreturned {
			c.unreturned = append(c.unreturned, unreturned{c.program(e), replay.RolesOf(e.Role, call.Enter.Role), e.Name, e.ID, e.Time, c.state.Now()})
		}
	}
	c.recycle(call)
}

// tellUnreturned hands every kind the opens that have no exit in the trace: it may be among the
// events lost, or the task was killed, or the recording ended in it.
func (c *collector) tellUnreturned() {
	c.state.InProgress(c.givenUp)
	slices.SortFunc(c.unreturned, func(a, b unreturned) int { return cmp.Compare(a.at, b.at) })
	v := &c.view
	for i := range c.unreturned {
		for _, k := range c.kinds {
			if v.kind = k; k.unreturned != nil {
				k.unreturned(v, &c.unreturned[i])
			}
		}
	}
}
