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
			d := v.w.end().obj
			if v.exit.Errno() != 0 || d == nil {
				return
			}
			if got, before = v.w.instantiated(d); got != nil {
				v.one, v.at = d, whole(v.enter.Time, v.exit.Time)
				v.judge()
			}
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

// instantiated returns the step that gave an inode to the dentry, and the last one before it that showed the
// dentry, if that was without an inode. Either is nil if there is none.
func (w *walk) instantiated(d *replay.Object) (got, before *walkStep) {
	if !w.roles.Has(schema.RoleInstantiate) {
		return nil, nil
	}
	got = w.last(func(s *walkStep) bool { return s.ev.Role == schema.RoleInstantiate && s.obj == d && s.ev.Inode != 0 })
	if got == nil {
		return nil, nil
	}
	before = w.last(func(s *walkStep) bool {
		return s.obj == d && s.ev.ID < got.ev.ID && s.ev.Columns.Has(schema.ColumnDentry)
	})
	if before != nil && (before.ev.Inode != 0 || before.ev.Facts&schema.FactInodeUnknown != 0) {
		before = nil
	}
	return got, before
}
