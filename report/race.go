// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// races: a dentry that this open allocated was killed without having been inserted,
// because another one for the same name had been faster.
func (c *collector) races(p *Program, it *Item, w *walk) {
	for i := range w.steps {
		s := &w.steps[i]
		lost := s.obj
		if s.ev.Role != schema.RoleAlloc || s.ev.Phase != schema.Exit || lost == nil || lost.Killed == 0 || lost.Inserted != 0 {
			continue
		}
		if r := c.rowOf(s.enter); r != nil {
			if won := c.winner(w, r, lost); won != nil {
				c.race(p, it, w, lost, won)
			}
		}
	}
}

// rowOf returns the row of the component whose alloc was entered at the event.
func (c *collector) rowOf(enter uint64) *row {
	for i := range c.rows {
		if a := c.rows[i].alloc; a != nil && a.ev.ID == enter && c.rows[i].lookup != nil {
			return &c.rows[i]
		}
	}
	return nil
}

// winner returns the dentry that the component came to in the end, where it has the
// loser's name and parent and was not in the cache when the open first looked.
func (c *collector) winner(w *walk, r *row, lost *replay.Object) *replay.Object {
	won := r.result
	if won == lost {
		won = c.instead(w, r)
	}
	if won == nil || won == lost || won.Name != lost.Name || won.Parent != lost.Parent {
		return nil
	}
	if won.Added != 0 && won.Added < r.lookup.ev.ID || won.Inserted > lost.Killed {
		return nil
	}
	return won
}

// instead returns the dentry that the walk had after a component whose lookup did not
// return it: the parent of the next component, or what the open returned.
func (c *collector) instead(w *walk, r *row) *replay.Object {
	if r == &c.rows[len(c.rows)-1] {
		return w.steps[len(w.steps)-1].obj
	}
	for i := range c.rows[1:] {
		next := c.rows[i+1].lookup
		if &c.rows[i] != r || next == nil {
			continue
		}
		if d := c.state.Objects.At(next.ev.Parent); d != nil && d.First < next.ev.ID {
			return d
		}
	}
	return nil
}

func (c *collector) race(p *Program, it *Item, w *walk, lost, won *replay.Object) {
	exit := w.exit()
	cl := c.begin(Race, w.enter().Name, min(w.enter().Time, won.FirstAt), exit.Time)
	cl.Object, cl.Other, cl.Means = ref(won), ref(lost), lost.Name
	cl.alive(won)
	cl.alive(lost)
	cl.ended(lost)
	if won.Moved != 0 || lost.Moved != 0 {
		cl.doubt(Renamed, "")
	}
	if won.Born == 0 || won.Inserted == 0 {
		cl.doubt(WinnerUnknown, "")
	} else {
		c.term(c.label(schema.RoleAlloc, schema.Exit), won.Addr, won.Born, "")
		c.term(c.label(schema.RoleInsert, schema.Exit), won.Addr, won.Inserted, "")
	}
	c.term(c.label(schema.RoleAlloc, schema.Exit), lost.Addr, lost.Born, "")
	c.term(c.label(schema.RoleKill, schema.Enter), lost.Addr, lost.Killed, "")
	c.emit(p, it, cl)
}
