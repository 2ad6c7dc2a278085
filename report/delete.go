// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Delete Kind = 10

var _ = register(kind{
	number: Delete,
	name:   "delete",
	says:   "what became of a dentry after d_delete: killed, left without inode, or out of the hash table because somebody held it",
	enters: allRoles,
	exits:  allRoles,
	event:  (*view).deletes,
	across: true,
	needs:  replay.RolesOf(schema.RoleInstantiate), // which would undo it
	shows: []operand{
		{show: func(v *view) {
			if x := v.deletion; x.hit != 0 {
				v.term(v.label(x.role, schema.Exit), v.one.Addr, x.hit, "")
			} else {
				v.birth(v.one)
			}
		}},
		{replay.RolesOf(schema.RoleDelete), func(v *view) {
			v.term(v.label(schema.RoleDelete, schema.Enter), v.one.Addr, v.deletion.at, v.deletion.comm)
		}},
		{show: func(v *view) {
			if x := v.deletion; x.exit != 0 {
				v.term(v.label(schema.RoleDelete, schema.Exit), v.one.Addr, x.exit, x.comm)
			}
		}},
		{replay.RolesOf(schema.RoleKill), func(v *view) {
			if v.what == "" {
				v.kill(v.one, taleOf(v.one).killer.comm)
			}
		}},
	},
	fails: []test{
		unfollowed(one), maybeKilled(one),
		when(LeftUnseen, func(v *view) bool { return v.what == "" && v.one.Killed == 0 && v.deletion.left == 0 }),
	},
	fill: func(v *view, cl *Claim) {
		switch cl.Note = v.deletion.says(); {
		case v.what != "":
			cl.note(v.what)
		case v.one.Killed != 0:
			cl.note(fmt.Sprintf("killed at #%d", v.one.Killed))
		case v.deletion.left != 0:
			cl.note(fmt.Sprintf("alive at #%d, the last event", v.latest))
		}
	},
	tell: func(cl *Claim, _ func(string) string) string {
		return fmt.Sprintf("%s is one dentry: %s", cl.Object, equals(cl.Terms, true))
	},
	draw: func(cl *Claim, _ *Item) []string {
		var at []string
		for _, t := range cl.Terms {
			at = append(at, fmt.Sprintf("%#x #%d", t.Value, t.Event))
		}
		return []string{replay.Printable(cl.Subject) + ": " + strings.Join(at, " → ") + "; " + cl.Note}
	},
	lesson: func(cl *Claim, _ *Item) string {
		return fmt.Sprintf("%s was %s when it was deleted: %s", code(cl.Subject), cl.Object, cl.Note)
	},
})

var LeftUnseen = &Reason{Unproven, "what d_delete left was not recorded", false}

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

// followed follows a dentry to its deletion and what becomes of it, and to its kill; one that
// is not certain waits for the memory to be given back.
func (v *view) deletes() {
	e, d := v.step.Event, v.step.Object
	if d == nil {
		return
	}
	t, told := d.Tag.(*tale)
	pending := told && t.deletion != nil
	if pending {
		t.deletion.see(v.step)
	}
	switch {
	case e.Role == schema.RoleDelete && e.Phase == schema.Enter:
		v.deleted(d, e, "deleted again at #%d")
		taleOf(d).deletion = &deletion{by: v.program(e), name: e.Name, comm: e.Comm, tid: e.TID, at: e.ID, hit: d.Hit, role: d.HitRole}
	case !pending:
	case e.Role == schema.RoleInstantiate:
		v.deleted(d, e, "given an inode again at #%d")
	case e.Role == schema.RoleKill && d.Killed == e.ID && d.Ended(), e.Role == schema.RoleFree:
		v.deleted(d, e, "")
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
func (c *collector) deleted(d *replay.Object, e *schema.Event, then string) {
	t, told := d.Tag.(*tale)
	if !told || t.deletion == nil {
		return
	}
	x := t.deletion
	t.deletion = nil
	now := c.state.Now()
	if e != nil {
		now = e.Time
	}
	if then != "" {
		then = fmt.Sprintf(then, e.ID)
	}
	v := &c.view
	v.kind, v.p, v.subject, v.at, v.one, v.deletion, v.what = table[Delete], x.by, x.name, whole(d.FirstAt, now), d, x, then
	v.judge()
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
		c.deleted(d, nil, "")
	}
}
