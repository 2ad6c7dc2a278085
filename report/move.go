// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Move Kind = 11

var _ = register(func() kind {
	var m moves
	taken := func(*view) *replay.Object { return m.taken }
	return kind{
		number: Move,
		name:   "move",
		says:   "one dentry got another name or parent, and may have displaced another dentry or changed places with it",
		enters: replay.RolesOf(schema.RoleMove),
		exits:  replay.RolesOf(schema.RoleMove),
		event:  m.event,
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
		needs: replay.RolesOf(schema.RoleInsert), // because an exchange inserts the other dentry
		fill: func(v *view, cl *Claim) {
			m.From, m.To = placeOf(v.enter), placeOf(v.exit)
			cl.Detail = &m.Moved
		},
		tell: func(cl *Claim, q func(string) string) string {
			m := cl.Detail.(*Moved)
			return fmt.Sprintf("%s is one dentry: %s; from %s to %s%s", cl.Object, equals(cl.Terms, false), m.From.says(q), m.To.says(q),
				m.target(cl.Verdict == Proven, q))
		},
	}
})

var Unmoved = &Reason{Unproven, "the dentry has the same name and parent after the move", false}

// Moved is where a dentry was before and after a move.
type Moved struct {
	From, To Place
	Target   Target
}

func (m *Moved) clone() Detail {
	out := *m
	out.From.Name, out.To.Name = strings.Clone(m.From.Name), strings.Clone(m.To.Name)
	return &out
}

func (m *Moved) bytes() int { return len(m.From.Name) + len(m.To.Name) }

// moves holds the claim at hand, and what the last __d_move found in the place where it puts the dentry.
type moves struct {
	Moved
	taken *replay.Object // the dentry that an exchange put in the place of the one moved; nil: none

	entry uint64         // event of the call's entry; 0: none
	found *replay.Object // nil: no event was about it
	was   Place          // its place as last seen before the move
}

// event notes at the entry of a __d_move what was known about the target, and judges the move at its exit.
// The kernel makes one move at a time.
func (m *moves) event(v *view) {
	s := v.step
	if s.Event.Phase == schema.Exit {
		m.moved(v)
	} else if t := v.state.Objects.At(s.Event.Target); t != nil && s.Object != nil && s.Call != nil {
		t.Keep()
		m.entry, m.found, m.was = s.Call.Enter.ID, t, Place{t.Parent, t.Name, t.Hash}
	}
}

// moved judges the end of a __d_move: the dentry is the same, under another name or parent. In an exchange
// the target enters the hash table inside the call, under the name and parent that the dentry had before.
func (m *moves) moved(v *view) {
	s := v.step
	if s.Call == nil || s.Object == nil || s.Call.Enter.Dentry != s.Event.Dentry {
		return // its entry, which has the old name, was not recorded
	}
	from, to, d := s.Call.Enter, s.Event, s.Object
	v.p, v.enter, v.exit, v.subject, v.one = v.program(to), from, to, from.Name, d
	v.at = whole(min(from.Time, d.FirstAt), to.Time)
	m.taken, m.Target = nil, Target{Ref: Ref{Addr: from.Target}, Exchange: from.Facts&schema.FactExchange != 0}
	if t := v.state.Objects.At(from.Target); t != nil {
		m.takes(v, t)
	}
	v.judge()
}

// takes adds what the events show about the target, and what they had shown before the move.
func (m *moves) takes(v *view, t *replay.Object) {
	known := m.entry == v.enter.ID && m.found == t
	m.Target.Ref, m.Target.Seen = ref(t), known && followed(t)
	if t.Inserted < v.enter.ID || t.Inserted > v.exit.ID || t.Name != v.enter.Name || t.Parent != v.enter.Parent {
		return
	}
	m.taken, m.Target.Exchange, m.Target.Back = t, true, t.Inserted
	m.Target.Known = known && m.was.Name == v.exit.Name && m.was.Parent == v.exit.Parent
}

// Target is the dentry whose place a move takes.
type Target struct {
	Ref
	Seen     bool   // the target is followed: whatever happens to it is recorded
	Exchange bool   // it took the place of the dentry moved
	Back     uint64 // the event that shows it in that place; 0: none does
	Known    bool   // it was seen before in the place where the dentry moved is now
}

// target says what became of the target, given whether the claim is proven.
func (m *Moved) target(proven bool, q func(string) string) string {
	t := &m.Target
	name := t.Ref.String()
	if t.Seq == 0 {
		name = fmt.Sprintf("%#x", t.Addr)
	}
	switch {
	case t.Addr == 0:
		return ""
	case t.Back != 0 && t.Known:
		return fmt.Sprintf("; exchanged with %s, from %s to %s (#%d)", name, m.To.says(q), m.From.says(q), t.Back)
	case t.Back != 0:
		return fmt.Sprintf("; exchanged with %s, now %s (#%d)", name, m.From.says(q), t.Back)
	case t.Exchange:
		return fmt.Sprintf("; exchanged with %s, and no event of the call shows where that one went", name)
	case t.Seen && proven: // an exchange would have inserted it
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
