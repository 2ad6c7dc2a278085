// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// moved judges the end of a __d_move: the dentry is what it was, under another name
// or parent.
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
	p := c.program(to)
	c.count(p, cl)
	if p.kept && len(p.Claims) < maxClaims {
		p.Claims = append(p.Claims, c.own(cl))
	}
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
