// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// deletion is a d_delete whose consequence is not told yet.
type deletion struct {
	by   *Program
	name string
	comm string
	tid  uint32
	at   uint64 // its entry
	exit uint64 // 0: not recorded
	hit  uint64 // the lookup that had returned the dentry last; 0: none
	role schema.Role

	left     uint64 // the event that shows what it left; 0: none
	unhashed bool   // that is a dentry with its inode, out of the hash table
}

// killer is who killed a dentry.
type killer struct {
	comm   string
	pid    uint32
	inside bool // an open
}

// life follows a dentry to its deletion and what becomes of it, and to its kill; one that
// is not certain waits for the memory to be given back.
func (c *collector) life(s *replay.Step) {
	e, d := s.Event, s.Object
	if e.Role == schema.RoleKill || e.Role == schema.RoleFree {
		c.forget(d)
	}
	t, told := d.Tag.(*tale)
	if told && t.deletion != nil {
		t.deletion.see(s)
	}
	switch {
	case e.Role == schema.RoleMove:
		c.move(s)
	case e.Role == schema.RoleAlloc && e.Phase == schema.Exit:
		c.births.add(s)
	case e.Role == schema.RoleDelete && e.Phase == schema.Enter:
		t = taleOf(d)
		c.deleted(d, t, e, "deleted again at #%d")
		t.deletion = &deletion{by: c.program(e), name: e.Name, comm: e.Comm, tid: e.TID, at: e.ID, hit: d.Hit, role: d.HitRole}
	case !told:
	case isLookup(e.Role):
		if t.equal != nil && e.Role != schema.RoleLookupChain {
			c.later(s, t)
		}
	case e.Role == schema.RoleInstantiate:
		c.deleted(d, t, e, "given an inode again at #%d")
	case e.Role == schema.RoleKill && d.Killed == e.ID:
		if t.killer = (killer{e.Comm, e.PID, s.Open != nil}); d.Ended() {
			c.deleted(d, t, e, "")
		}
	case e.Role == schema.RoleFree:
		c.deleted(d, t, e, "")
	}
}

// later lengthens the equality claim of an open by the next lookup of the same
// program, outside that open, that returns the dentry.
func (c *collector) later(s *replay.Step, t *tale) {
	e, d, cl := s.Event, s.Object, &t.equal.Claims[t.claim]
	last := cl.Terms[len(cl.Terms)-1]
	t.equal = nil
	if e.Comm != last.Comm || d.Killed != 0 || !followed(d) {
		return
	}
	if _, hit := c.state.Losses.Touched(d.FirstAt, e.Time, kindTable[Equality].Needs|lives); !hit {
		cl.Terms = append(cl.Terms, Term{"later " + c.label(e.Role, schema.Exit), e.Dentry, e.ID, e.Comm})
	}
}

// see takes an event of the dentry after the deletion was entered. What d_delete leaves
// is shown by its exit, which older recordings lack, and by what comes later: no inode
// unless somebody held the dentry, which then keeps it and leaves the hash table.
func (x *deletion) see(s *replay.Step) {
	e := s.Event
	if x.exit != 0 {
		return // that is what it left
	}
	if e.Role == schema.RoleDelete && s.Call != nil && s.Call.Enter.ID == x.at && e.ID != x.at {
		x.exit = e.ID
	}
	if x.left != 0 || e.Role == schema.RoleFree || e.Facts&schema.FactInodeUnknown != 0 {
		return
	}
	over := e.TID == x.tid || e.Role == schema.RoleKill // d_delete has returned
	if e.Inode == 0 || over && e.Facts&schema.FactUnhashed != 0 {
		x.left, x.unhashed = e.ID, e.Inode != 0
	}
}

// says is what d_delete left.
func (x *deletion) says() string {
	switch {
	case x.left == 0:
		return ""
	case x.unhashed:
		return fmt.Sprintf("out of the hash table with its inode at #%d, since somebody held it", x.left)
	}
	return fmt.Sprintf("without inode at #%d", x.left)
}

// deleted tells what became of a dentry after d_delete, once: that it was killed, or what
// then says of the event e, or nil at the end of the recording.
func (c *collector) deleted(d *replay.Object, t *tale, e *schema.Event, then string) {
	x := t.deletion
	if x == nil {
		return
	}
	t.deletion = nil
	now := c.state.Now()
	if e != nil {
		now = e.Time
	}
	cl := c.begin(Delete, x.name, d.FirstAt, now)
	cl.Object = ref(d)
	cl.alive(d)
	if x.hit != 0 {
		c.term(c.label(x.role, schema.Exit), d.Addr, x.hit, "")
	} else if d.Born != 0 {
		c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
	c.term(c.label(schema.RoleDelete, schema.Enter), d.Addr, x.at, x.comm)
	if x.exit != 0 {
		c.term(c.label(schema.RoleDelete, schema.Exit), d.Addr, x.exit, x.comm)
	}
	cl.ended(d)
	cl.Note = x.says()
	switch {
	case then != "":
		cl.note(fmt.Sprintf(then, e.ID))
	case d.Killed != 0:
		c.term(c.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, t.killer.comm)
		cl.note(fmt.Sprintf("killed at #%d", d.Killed))
	case x.left == 0:
		cl.doubt(LeftUnseen, "")
	default:
		cl.note(fmt.Sprintf("alive at #%d, the last event", c.latest))
	}
	c.across(x.by, cl)
}

// note adds to what else the events show.
func (cl *Claim) note(more string) {
	if cl.Note != "" {
		cl.Note += ", "
	}
	cl.Note += more
}

// undead tells of the deleted dentries that no kill was seen of, or none that is certain.
func (c *collector) undead() {
	var left []*replay.Object
	c.state.Objects.Live(func(d *replay.Object) {
		if t, ok := d.Tag.(*tale); ok && t.deletion != nil {
			left = append(left, d)
		}
	})
	slices.SortFunc(left, func(a, b *replay.Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range left {
		c.deleted(d, d.Tag.(*tale), nil, "")
	}
}
