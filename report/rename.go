// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// moving is what a __d_move finds where it puts the dentry.
type moving struct {
	target *replay.Object // nil: no event was about it
	was    Place          // as last seen
}

// move remembers at the entry of a __d_move what was known of the target, and judges
// the move at its exit.
func (c *collector) move(s *replay.Step) {
	if s.Event.Phase == schema.Exit {
		c.moved(s)
	} else if t := c.state.Objects.At(s.Event.Target); t != nil && s.Call != nil {
		s.Call.Tag = &moving{t, Place{t.Parent, t.Name, t.Hash}}
	}
}

// moved judges the end of a __d_move: the dentry is what it was, under another name
// or parent. In an exchange the target enters the hash table inside the call, under the
// name and parent that the dentry had.
func (c *collector) moved(s *replay.Step) {
	if s.Call == nil || s.Object == nil || s.Call.Enter.Dentry != s.Event.Dentry {
		return // its entry, where the old name stands, was not recorded
	}
	from, to, d := &s.Call.Enter, s.Event, s.Object
	cl := c.begin(Move, from.Name, min(from.Time, d.FirstAt), to.Time)
	cl.Object = ref(d)
	cl.alive(d)
	cl.before(d, to.ID)
	if d.Born != 0 {
		c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
	c.term(c.label(schema.RoleMove, schema.Enter), from.Dentry, from.ID, from.Comm)
	c.term(c.label(schema.RoleMove, schema.Exit), to.Dentry, to.ID, to.Comm)
	switch {
	case from.NameCut() || to.NameCut():
		cl.doubt(CutName, "")
	case from.Name == to.Name && from.Parent == to.Parent:
		cl.doubt(Unmoved, "")
	}
	cl.From, cl.To = placeOf(from), placeOf(to)
	cl.Target = Target{Ref: Ref{Addr: from.Target}, Exchange: from.Facts&schema.FactExchange != 0}
	if t := c.state.Objects.At(from.Target); t != nil {
		before, _ := s.Call.Tag.(*moving)
		cl.takes(t, before, from, to)
	}
	c.across(c.program(to), cl)
}

// takes adds what the events show of the target, and what they had shown before; nil: nothing.
func (cl *Claim) takes(t *replay.Object, before *moving, from, to *schema.Event) {
	known := before != nil && before.target == t
	cl.Target.Ref, cl.Target.Seen = ref(t), known && followed(t)
	if t.Inserted < from.ID || t.Inserted > to.ID || t.Name != from.Name || t.Parent != from.Parent {
		return
	}
	cl.alive(t)
	cl.Target.Exchange, cl.Target.Back = true, t.Inserted
	cl.Target.Known = known && before.was.Name == to.Name && before.was.Parent == to.Parent
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
