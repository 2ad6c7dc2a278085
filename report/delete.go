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

var _ = register(func() kind {
	x := deletions{pending: make(map[uint64]*deletion)}
	return kind{
		number:   Delete,
		name:     "delete",
		says:     "what became of a dentry after d_delete: killed, left without inode, or out of the hash table because somebody held it",
		enters:   allRoles,
		exits:    allRoles,
		dentries: true,
		event:    x.event,
		forget:   func(v *view, d *replay.Object) { x.became(v, d, nil, "") },
		end:      x.end,
		across:   true,
		later:    true,
		needs:    replay.RolesOf(schema.RoleInstantiate), // which would undo the deletion
		shows: []operand{
			{show: func(v *view) {
				if x := x.deletion; x.hit != 0 {
					v.term(v.label(x.role, schema.Exit), v.one.Addr, x.hit, "")
				} else {
					v.birth(v.one)
				}
			}},
			{replay.RolesOf(schema.RoleDelete), func(v *view) {
				v.term(v.label(schema.RoleDelete, schema.Enter), v.one.Addr, x.at, x.comm)
			}},
			{show: func(v *view) {
				if x := x.deletion; x.exit != 0 {
					v.term(v.label(schema.RoleDelete, schema.Exit), v.one.Addr, x.exit, x.comm)
				}
			}},
			{replay.RolesOf(schema.RoleKill), func(v *view) {
				if x.then == "" {
					v.kill(v.one, x.killer)
				}
			}},
		},
		fails: []test{
			unfollowed(one), maybeKilled(one),
			when(LeftUnseen, func(v *view) bool { return x.then == "" && v.one.Killed == 0 && x.left == 0 }),
		},
		fill: func(v *view, cl *Claim) {
			switch cl.Note.Text = x.says(); {
			case x.then != "":
				cl.note(x.then)
			case v.one.Killed != 0:
				cl.note(fmt.Sprintf("killed at #%d", v.one.Killed))
			case x.left != 0:
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
			return []string{replay.Printable(cl.Subject) + ": " + strings.Join(at, " → ") + "; " + cl.Note.Text}
		},
		lesson: func(cl *Claim, _ *Item) string {
			return fmt.Sprintf("%s was %s when it was deleted: %s", code(cl.Subject), cl.Object, cl.Note.Text)
		},
	}
})

var LeftUnseen = &Reason{Unproven, "the state in which d_delete left the dentry was not recorded", false}

// deletions holds the deletions being followed and the one that the claim at hand is about.
type deletions struct {
	*deletion
	pending map[uint64]*deletion // deletions that are not judged yet, by the address of the dentry
	then    string               // what happened later; empty: nothing, or the kill
}

// deletion is a d_delete whose consequence is not known yet.
type deletion struct {
	of   *replay.Object // not used after that dentry is freed
	by   *Program
	name string
	comm string
	tid  uint32
	at   uint64 // event of its entry
	exit uint64 // event of its exit; 0: not recorded
	hit  uint64 // the last lookup before it that returned the dentry; 0: none
	role schema.Role

	killer   string // name of the task of the last kill
	left     uint64 // the event that shows what d_delete left; 0: none
	unhashed bool   // it left a dentry with its inode, out of the hash table
}

// pendingOf returns the deletion of the dentry that is not judged yet; nil: none. A deletion of a former
// dentry at the same address, whose end was not seen, is dropped.
func (x *deletions) pendingOf(d *replay.Object) *deletion {
	p := x.pending[d.Addr]
	if p != nil && p.of != d {
		delete(x.pending, d.Addr)
		return nil
	}
	return p
}

// event follows a dentry to its deletion and to what becomes of it. If the kill is not certain, it waits
// until the memory is freed.
func (x *deletions) event(v *view) {
	e, d := v.step.Event, v.step.Object
	if d.Deleted == 0 && !e.Role.Is(schema.TraitBegins) {
		return
	}
	before := x.pendingOf(d)
	if before != nil {
		before.see(v.step)
	}
	switch {
	case d.Deleted == e.ID:
		x.became(v, d, e, "deleted again at #%d")
		d.Note() // so that its kill is shown
		x.pending[d.Addr] = &deletion{of: d, by: v.program(e), name: e.Name, comm: e.Comm, tid: e.TID, at: e.ID, hit: d.Hit, role: d.HitRole}
	case before == nil:
	case d.Killed == e.ID && d.Ended(), e.Role.Is(schema.TraitFrees):
		x.became(v, d, e, "")
	}
	if before != nil && e.Role == schema.RoleInstantiate {
		x.became(v, d, e, "given an inode again at #%d")
	}
}

// see takes an event of the dentry after the entry of d_delete. What d_delete leaves is shown by its exit,
// which older recordings lack, and by later events: a dentry without inode, unless somebody held the
// dentry. Then it keeps its inode and leaves the hash table.
func (x *deletion) see(s *replay.Step) {
	e := s.Event
	if e.Role == schema.RoleKill && s.Object.Killed == e.ID {
		x.killer = e.Comm
	}
	if x.exit != 0 {
		return // d_delete has returned: later events do not show what it left
	}
	if e.Role == schema.RoleDelete && s.Call != nil && s.Call.Enter.ID == x.at && e.ID != x.at {
		x.exit = e.ID
	}
	if x.left != 0 || e.Role == schema.RoleFree || e.Facts&schema.FactInodeUnknown != 0 {
		return
	}
	over := e.TID == x.tid || e.Role == schema.RoleKill // d_delete has returned by now
	if e.Inode == 0 || over && e.Facts&schema.FactUnhashed != 0 {
		x.left, x.unhashed = e.ID, e.Inode != 0
	}
}

// says returns what d_delete left, in words; empty if that was not recorded.
func (x *deletion) says() string {
	switch {
	case x.left == 0:
		return ""
	case x.unhashed:
		return fmt.Sprintf("out of the hash table with its inode at #%d, since somebody held it", x.left)
	}
	return fmt.Sprintf("without inode at #%d", x.left)
}

// became judges the deletion of a dentry, once. If then is empty, the dentry was killed, or nothing else is
// known; otherwise then is a format that says what happened at event e. At the end of the recording, or
// when the dentry is forgotten, e is nil.
func (x *deletions) became(v *view, d *replay.Object, e *schema.Event, then string) {
	if x.deletion = x.pendingOf(d); x.deletion == nil {
		return
	}
	delete(x.pending, d.Addr)
	now := v.state.Now()
	if e != nil {
		now = e.Time
	}
	if x.then = then; then != "" {
		x.then = fmt.Sprintf(then, e.ID)
	}
	v.p, v.subject, v.at, v.one = x.by, x.name, whole(d.FirstAt, now), d
	v.judge()
}

// note appends to the claim's note.
func (cl *Claim) note(more string) {
	if cl.Note.Text != "" {
		cl.Note.Text += ", "
	}
	cl.Note.Text += more
}

// end judges the deleted dentries for which no kill was seen, or none that is certain.
func (x *deletions) end(v *view) {
	var left []*replay.Object
	v.state.Objects.EachLive(func(d *replay.Object) {
		if x.pendingOf(d) != nil {
			left = append(left, d)
		}
	})
	slices.SortFunc(left, func(a, b *replay.Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range left {
		x.became(v, d, nil, "")
	}
}
