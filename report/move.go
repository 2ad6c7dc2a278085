// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Move Kind = 11

var _ = register(kind{
	number: Move,
	name:   "move",
	says:   "one dentry got another name or parent, and displaced another or changed places with it",
	enters: replay.RolesOf(schema.RoleMove),
	exits:  replay.RolesOf(schema.RoleMove),
	event:  (*view).move,
	across: true,
	shows: []operand{
		allocated(one, schema.RoleAlloc),
		{replay.RolesOf(schema.RoleMove), func(v *view) { v.shown(v.enter) }},
		{replay.RolesOf(schema.RoleMove), func(v *view) { v.shown(v.exit) }},
	},
	fails: []test{
		unfollowedLive(one), afterItsEnd(one),
		when(CutName, func(v *view) bool { return v.enter.NameCut() || v.exit.NameCut() }),
		when(Unmoved, func(v *view) bool { return v.enter.Name == v.exit.Name && v.enter.Parent == v.exit.Parent }),
		unfollowedLive(taken),
	},
	needs: replay.RolesOf(schema.RoleInsert), // which an exchange makes of the other one
	fill: func(v *view, cl *Claim) {
		cl.From, cl.To, cl.Target = placeOf(v.enter), placeOf(v.exit), v.target
	},
	tell: func(cl *Claim, q func(string) string) string {
		return fmt.Sprintf("%s is one dentry: %s; from %s to %s%s", cl.Object, equals(cl.Terms, false), cl.From.says(q), cl.To.says(q),
			cl.Target.says(cl, q))
	},
})

var Unmoved = &Reason{Unproven, "name and parent are the same after it", false}

// taken is the dentry that an exchange put in the place of the one moved.
func taken(v *view) *replay.Object { return v.taken }

// moving is what a __d_move finds where it puts the dentry.
type moving struct {
	entry  uint64         // of the call; 0: none
	target *replay.Object // that events were about
	was    Place          // as last seen
}

// move remembers at the entry of a __d_move what was known of the target, and judges
// the move at its exit. The kernel makes one at a time.
func (v *view) move() {
	s := v.step
	if s.Event.Phase == schema.Exit {
		v.moved()
	} else if t := v.state.Objects.At(s.Event.Target); t != nil && s.Object != nil && s.Call != nil {
		v.moving = moving{s.Call.Enter.ID, t, Place{t.Parent, t.Name, t.Hash}}
	}
}

// moved judges the end of a __d_move: the dentry is what it was, under another name
// or parent. In an exchange the target enters the hash table inside the call, under the
// name and parent that the dentry had.
func (v *view) moved() {
	s := v.step
	if s.Call == nil || s.Object == nil || s.Call.Enter.Dentry != s.Event.Dentry {
		return // its entry, where the old name stands, was not recorded
	}
	from, to, d := &s.Call.Enter, s.Event, s.Object
	v.p, v.enter, v.exit, v.subject, v.one = v.program(to), from, to, from.Name, d
	v.at = whole(min(from.Time, d.FirstAt), to.Time)
	v.target = Target{Ref: Ref{Addr: from.Target}, Exchange: from.Facts&schema.FactExchange != 0}
	if t := v.state.Objects.At(from.Target); t != nil {
		v.takes(t)
	}
	v.judge()
}

// takes adds what the events show of the target, and what they had shown before.
func (v *view) takes(t *replay.Object) {
	before := &v.moving
	known := before.entry == v.enter.ID && before.target == t
	v.target.Ref, v.target.Seen = ref(t), known && followed(t)
	if t.Inserted < v.enter.ID || t.Inserted > v.exit.ID || t.Name != v.enter.Name || t.Parent != v.enter.Parent {
		return
	}
	v.taken, v.target.Exchange, v.target.Back = t, true, t.Inserted
	v.target.Known = known && before.was.Name == v.exit.Name && before.was.Parent == v.exit.Parent
}

// Target is the dentry whose place a move takes.
type Target struct {
	Ref
	Seen     bool   // what happens to it is recorded whoever does it
	Exchange bool   // it took the place of the one moved
	Back     uint64 // the event that shows it there; 0: none does
	Known    bool   // it was seen before where the one moved is now
}

// says spells what became of it, given that the claim is proven or not.
func (t *Target) says(cl *Claim, q func(string) string) string {
	name := t.Ref.String()
	if t.Seq == 0 {
		name = fmt.Sprintf("%#x", t.Addr)
	}
	switch {
	case t.Addr == 0:
		return ""
	case t.Back != 0 && t.Known:
		return fmt.Sprintf("; exchanged with %s, from %s to %s (#%d)", name, cl.To.says(q), cl.From.says(q), t.Back)
	case t.Back != 0:
		return fmt.Sprintf("; exchanged with %s, now %s (#%d)", name, cl.From.says(q), t.Back)
	case t.Exchange:
		return fmt.Sprintf("; exchanged with %s, and no event of the call shows where that one went", name)
	case t.Seen && cl.Verdict == Proven: // an exchange would have inserted it
		return "; it displaced " + name
	}
	return "; in place of " + name
}

// Place is a name under a parent, and the hash the kernel has for the two.
type Place struct {
	Parent uint64 // address of the parent dentry
	Name   string
	Hash   uint32
}

func placeOf(e *schema.Event) Place { return Place{e.Parent, e.Name, e.Hash} }

// says spells the place, with the name quoted by q.
func (p Place) says(q func(string) string) string {
	return fmt.Sprintf("%s under %#x, hash %d", q(p.Name), p.Parent, p.Hash)
}
