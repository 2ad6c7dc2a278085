// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/schema"
)

// creation: the dentry that the open returned had no inode before this open gave it
// one.
func (c *collector) creation(p *Program, it *Item, w *walk) {
	exit := w.exit()
	d := w.steps[len(w.steps)-1].obj
	at := w.instantiated()
	if d == nil || at < 0 {
		return
	}
	got := &w.steps[at].ev
	cl := c.begin(Creation, w.enter().Name, w.enter().Time, exit.Time)
	cl.Object = ref(d)
	cl.alive(d)
	cl.before(d, exit.ID)
	if bare := w.bare(at); bare == nil {
		cl.doubt(NotNegative, "")
	} else {
		c.term(c.label(bare.Role, bare.Phase), d.Addr, bare.ID, bare.Comm)
		cl.Note = fmt.Sprintf("no inode at #%d, inode %#x at #%d", bare.ID, got.Inode, got.ID)
	}
	c.term(c.label(got.Role, got.Phase), d.Addr, got.ID, got.Comm)
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Dentry, exit.ID, exit.Comm)
	c.emit(p, it, cl)
}

// instantiated returns the step that gave the dentry an inode which the open
// returned; -1 where there is none.
func (w *walk) instantiated() int {
	d := w.steps[len(w.steps)-1].obj
	for i := len(w.steps) - 1; i > 0; i-- {
		if s := &w.steps[i]; s.ev.Role == schema.RoleInstantiate && s.obj == d && s.ev.Inode != 0 {
			return i
		}
	}
	return -1
}

// bare returns the last event of the open before step n that showed that step's
// dentry without inode; nil where none did.
func (w *walk) bare(n int) *schema.Event {
	for i := n - 1; i > 0; i-- {
		s := &w.steps[i]
		if s.obj == w.steps[n].obj && s.obj != nil && s.ev.Columns.Has(schema.ColumnDentry) {
			if s.ev.Inode != 0 || s.ev.Facts&schema.FactInodeUnknown != 0 {
				return nil
			}
			return &s.ev
		}
	}
	return nil
}
