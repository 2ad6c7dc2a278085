// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Creation Kind = 7

var _ = register(func() kind {
	var before, got *walkStep // the events that showed the dentry without an inode, and then with one
	return kind{
		number: Creation,
		name:   "creation",
		says:   "a dentry without inode got one in the open that returned it",
		open: func(v *view) {
			d, at := v.w.end().obj, v.w.instantiated()
			if v.exit.Errno() != 0 || d == nil || at < 0 {
				return
			}
			v.one, v.at = d, whole(v.enter.Time, v.exit.Time)
			got, before = &v.w.steps[at], v.w.bare(at)
			v.judge()
		},
		shows: []operand{
			{show: func(v *view) {
				if before != nil {
					v.shown(&before.ev)
				}
			}},
			{replay.RolesOf(schema.RoleInstantiate), func(v *view) { v.shown(&got.ev) }},
			openReturned,
		},
		fails: []test{
			unfollowedLive(one), afterItsEnd(one),
			when(NotNegative, func(v *view) bool { return before == nil }, schema.RoleAlloc),
		},
		fill: func(v *view, cl *Claim) {
			if before != nil {
				cl.Note.Text = fmt.Sprintf("no inode at #%d, inode %#x at #%d", before.ev.ID, got.ev.Inode, got.ev.ID)
			}
		},
		tell: func(cl *Claim, _ func(string) string) string {
			return fmt.Sprintf("%s is one dentry, without inode and then with one: %s", cl.Object, equals(cl.Terms, false))
		},
	}
})

var NotNegative = &Reason{Unproven, "no event shows that it had no inode before", false}

// instantiated returns the index of the step that gave an inode to the dentry the open returned; -1 if
// there is none.
func (w *walk) instantiated() int {
	if !w.roles.Has(schema.RoleInstantiate) {
		return -1
	}
	d := w.end().obj
	for i := len(w.steps) - 1; i > 0; i-- {
		if s := &w.steps[i]; s.ev.Role == schema.RoleInstantiate && s.obj == d && s.ev.Inode != 0 {
			return i
		}
	}
	return -1
}

// bare returns the last event before step n that showed the dentry of that step without an inode; nil if
// there is none.
func (w *walk) bare(n int) *walkStep {
	for i := n - 1; i > 0; i-- {
		s := &w.steps[i]
		if s.obj == w.steps[n].obj && s.obj != nil && s.ev.Columns.Has(schema.ColumnDentry) {
			if s.ev.Inode != 0 || s.ev.Facts&schema.FactInodeUnknown != 0 {
				return nil
			}
			return s
		}
	}
	return nil
}
