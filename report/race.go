// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Race Kind = 13

var _ = register(func() kind {
	return kind{
		number: Race,
		name:   "race",
		says:   "two dentries were allocated for one name: one was inserted, the other was killed without being inserted",
		open:   (*view).races,
		shows: []operand{
			{replay.RolesOf(schema.RoleAlloc, schema.RoleInsert), func(v *view) {
				if d := v.one; d.Born != 0 && d.Inserted != 0 {
					v.birth(d)
					inserted(one).show(v)
				}
			}},
			allocated(two, schema.RoleAlloc), killed(two),
		},
		fails: []test{
			unfollowed(one),
			unfollowed(two),
			maybeKilled(two),
			when(Renamed, func(v *view) bool { return v.one.Moved != 0 || v.two.Moved != 0 }, schema.RoleMove),
			when(WinnerUnknown, func(v *view) bool { return v.one.Born == 0 || v.one.Inserted == 0 }),
		},
		fill: func(v *view, cl *Claim) { cl.Means = v.two.Name },
		tell: func(cl *Claim, q func(string) string) string {
			return fmt.Sprintf("of two dentries for %s, %s was inserted and %s was killed: %s", q(cl.Means), cl.Object, cl.Other, oneByOne(cl.Terms))
		},
	}
})

// Why a race claim is not proven, in addition to the reasons shared with other kinds.
var (
	Renamed       = &Reason{Unproven, "a rename gave one of them its name", false}
	WinnerUnknown = &Reason{Unproven, "the alloc or the insert of the one that came first was not recorded", false}
)

// races makes a claim if a dentry that this open allocated was killed without having been inserted, because
// another one for the same name was faster.
func (v *view) races() {
	c, w := v.collector, v.w
	if !w.allocates() {
		return
	}
	for i := range w.steps {
		s := &w.steps[i]
		lost := s.obj
		if s.ev.Role != schema.RoleAlloc || s.ev.Phase != schema.Exit || lost == nil || lost.Killed == 0 || lost.Inserted != 0 {
			continue
		}
		if r := c.rowOf(s.enter); r != nil {
			if won := c.winner(w, r, lost); won != nil {
				v.one, v.two = won, lost
				v.at = whole(min(v.enter.Time, won.FirstAt), v.exit.Time)
				v.judge()
			}
		}
	}
}

// rowOf returns the row of the component whose alloc was entered at the event; nil: none.
func (c *collector) rowOf(enter uint64) *row {
	for i := range c.rows {
		if a := c.rows[i].alloc; a != nil && a.ev.ID == enter && c.rows[i].lookup != nil {
			return &c.rows[i]
		}
	}
	return nil
}

// winner returns the dentry that the component came to in the end. It is nil unless it has the loser's name
// and parent and was not in the cache when the open first looked.
func (c *collector) winner(w *walk, r *row, lost *replay.Object) *replay.Object {
	won := r.result
	if won == lost {
		won = c.instead(w, r)
	}
	if won == nil || won == lost || won.Name != lost.Name || won.Parent != lost.Parent {
		return nil
	}
	if won.FirstInserted != 0 && won.FirstInserted < r.lookup.after || won.Inserted > lost.Killed {
		return nil
	}
	return won
}

// instead returns the dentry that the walk continued with after a component whose lookup did not return it:
// the parent of the next component, or what the open returned. It is nil if that is not known.
func (c *collector) instead(w *walk, r *row) *replay.Object {
	if r == &c.rows[len(c.rows)-1] {
		return w.end().obj
	}
	for i := range c.rows[1:] {
		next := c.rows[i+1].lookup
		if &c.rows[i] != r || next == nil {
			continue
		}
		if d := c.state.Objects.At(next.ev.Parent); d != nil && d.First < next.ev.ID {
			return d
		}
	}
	return nil
}

// birth is the alloc of a dentry.
type birth struct {
	at  uint64 // event of its exit
	tid uint32
	obj *replay.Object
	seq uint64 // of obj; if obj has another number, its dentry was freed
}

// births holds the last 64 allocs of all threads.
type births struct {
	ring [64]birth
	next int
}

func (b *births) add(s *replay.Step) {
	b.ring[b.next%len(b.ring)] = birth{s.Event.ID, s.Event.TID, s.Object, s.Object.Seq}
	b.next++
}

// rival returns the alloc by another thread of a dentry that may have come first for the name; 0: none.
// That dentry was allocated before ours was discarded, had not ended and was not in the hash table when
// this open looked, and is not known to be in another directory.
func (b *births) rival(d *replay.Object, r *row, tid uint32) uint64 {
	for i := range b.ring {
		other := &b.ring[i]
		switch o := other.obj; {
		case o == nil, o.Seq != other.seq, other.tid == tid, o.Name != d.Name, d.Killed != 0 && other.at > d.Killed:
		case o.Killed != 0 && o.Killed < r.askedAfter(), o.FirstInserted != 0 && o.FirstInserted < r.askedAfter():
		case o.FirstInserted != 0 && r.lookup != nil && o.Parent != r.lookup.ev.Parent:
		default:
			return other.at
		}
	}
	return 0
}
