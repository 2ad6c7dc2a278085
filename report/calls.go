// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Walks that open nothing: filename_lookup, and filename_parentat together with the operation's own lookup
// of the last component. Kinds of claim that set kind.walks judge them as they judge opens.
var (
	opens    = replay.RolesOf(schema.RoleOpen)
	toParent = replay.RolesOf(schema.RoleWalkParent)
	walks    = replay.RolesOf(schema.RoleWalk) | toParent
	// operations are the calls that a walk is made for. A walk to a parent ends with its operation.
	operations = replay.RolesWhere(func(r schema.RoleInfo) bool { return r.Op != "" && r.Exit != nil && r.Traits&schema.TraitWalks == 0 })
	naming     = replay.RolesThat(schema.TraitNames)
)

// passes adds an event outside any open to the walk that it is in, or to the walks of the operation that it
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
	if call = c.state.EnclosingCall(s, walks|operations); call == nil {
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

// goesOn hands a walk that has reached the parent directory to the operation around it, which looks up the
// last component itself. The walk becomes the operation's second one if the first is of another path;
// otherwise it replaces the walks of earlier attempts. A walk that is in no operation is not judged.
func (c *collector) goesOn(walked *replay.Call) {
	w, op := c.within[walked.Tag], c.state.InnermostCall(walked.Enter.TID, walks|operations)
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

// names reports whether the event belongs to a lookup or an alloc of a name in the path of the walk.
func (w *walk) names(s *replay.Step) bool {
	if w == nil || s.Call == nil {
		return false
	}
	e := s.Call.Enter
	return (e.Role.Is(schema.TraitLooksUp) || e.Role.Is(schema.TraitBegins)) && e.NameAddr-w.enter().NameAddr < uint64(len(w.enter().Name))
}

// passed makes the claims that a finished walk supports; for a nil walk it makes none.
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

// purpose returns what the walk was made for and the event at which that began: the operation that ended
// with the walk, the operation around it, or the walk itself.
func (c *collector) purpose(w *walk) purpose {
	end := w.end()
	if info, _ := end.ev.Role.Info(); !end.ev.Role.Is(schema.TraitWalks) {
		return purpose{info.Op, end.enter}
	}
	around := c.state.InnermostCall(w.enter().TID, operations)
	if around == nil {
		return purpose{"walk", w.enter().ID}
	}
	info, _ := around.Enter.Role.Info()
	return purpose{"walk of " + info.Op, around.Enter.ID}
}

// purpose says what a walk was made for. It is the zero value for an open.
type purpose struct {
	op string
	id uint64
}

// needed returns the roles that the claim at hand needs. A claim on a walk also needs the role of the walk
// and that of its operation.
func (v *view) needed() replay.Roles { return v.kind.needs | v.also | v.walked }

// opens reports whether the claim at hand is on an open, not on another walk.
func (v *view) opens() bool { return opens.Has(v.enter.Role) }

// unreturned is an open or another walk whose exit is not known.
type unreturned struct {
	program    *Program
	roles      replay.Roles // its own, and that of its operation
	path       string
	at         uint64 // id of its entry
	first, end uint64 // when it began and when it was given up, in ns since boot
}

// maxUnreturned bounds the number of these that are kept.
const maxUnreturned = 4096

// givenUp takes a call that ends without a recorded exit.
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

// judgeUnreturned makes a key claim on each open and walk without an exit in the trace if that may be among
// the events lost. If the task was killed or the recording ended inside the call, nothing is said.
func (c *collector) judgeUnreturned() {
	c.state.EachInProgress(c.givenUp)
	slices.SortFunc(c.unreturned, func(a, b unreturned) int { return cmp.Compare(a.at, b.at) })
	for _, u := range c.unreturned {
		if cl := c.begin(table[Key], table[Key].needs|u.roles, u.path, whole(u.first, u.end)); cl.Why == EventsLost {
			c.count(u.program, cl)
		}
	}
}
