// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// pathState is the dentry a path of one program came to when it was last opened.
type pathState struct {
	obj       *replay.Object
	parent    uint64         // its parent's address then
	directory *replay.Object // its dentry; nil: not known
	since     uint64         // when that open began, nanoseconds since boot
}

// again compares the dentry of this open with that of the program's last open of
// the same path, if both are of the whole path and under one parent.
func (c *collector) again(p *Program, it *Item, w *walk) {
	d, path := c.cameTo(w), w.enter().Name
	if d == nil {
		return
	}
	before := p.paths[path]
	if before != nil && before.obj == d {
		return
	}
	now := pathState{obj: d, parent: d.Parent, directory: c.state.Objects.At(d.Parent), since: w.enter().Time}
	if now.directory != nil && now.directory.First > c.rows[len(c.rows)-1].asked() {
		now.directory = nil // another one by now
	}
	if before == nil {
		if bytes := pathBytes + len(path) + len(d.Name); len(p.paths) < maxPaths && c.paths >= bytes {
			c.paths -= bytes
			p.paths[path] = &now
		}
		return
	}
	if old := before.obj; old.Killed != 0 && d.Born > old.Killed && !before.elsewhere(&now) {
		c.eviction(p, it, w, before, &now)
	}
	*before = now
}

// cameTo returns the dentry of the whole path, with inode or without; nil where a
// symbolic link or a mount leads on from it, or the walk ended before.
func (c *collector) cameTo(w *walk) *replay.Object {
	n := len(c.rows)
	if n == 0 || c.links > 0 || w.overflow || rest(w.enter().Name, c.rows[n-1].end) != "" {
		return nil
	}
	d := w.steps[len(w.steps)-1].obj
	last := c.rows[n-1].result
	if d != nil && d != last || last != nil && overtaken(last) {
		return nil
	}
	return last
}

// elsewhere reports whether two dentries are known to be of two directories.
func (s *pathState) elsewhere(t *pathState) bool {
	return s.parent != t.parent || s.directory != nil && t.directory != nil && s.directory != t.directory
}

// together reports whether they are known to be of one.
func (s *pathState) together(t *pathState) bool {
	return s.directory != nil && s.directory == t.directory
}

// eviction: between two opens of one path the dentry was killed and another one
// allocated, at whatever address.
func (c *collector) eviction(p *Program, it *Item, w *walk, before, now *pathState) {
	old, d, path := before.obj, now.obj, w.enter().Name
	cl := c.begin(Eviction, path, min(before.since, now.since, old.FirstAt), w.exit().Time)
	cl.Object, cl.Other = ref(d), ref(old)
	kill := c.label(schema.RoleKill, schema.Enter)
	c.term(kill, old.Addr, old.Killed, "")
	c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	if old.Evict != 0 {
		c.term(c.label(schema.RoleEvict, schema.Enter), 0, old.Evict, "")
	}
	cl.Left = Term{kill, old.Addr, old.Killed, ""}
	cl.Right = Term{c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, ""}
	if d.Addr > old.Addr {
		cl.Left, cl.Right = cl.Right, cl.Left
	}
	cl.Result = cl.Left.Value - cl.Right.Value
	cl.Note = c.slots(old.Addr, d.Addr)
	cl.alive(old)
	cl.alive(d)
	cl.ended(old)
	switch {
	case old.Moved != 0 || d.Moved != 0:
		cl.doubt(Renamed, "")
	case old.Name != d.Name:
		cl.doubt(OtherName, "")
	case !before.together(now):
		cl.doubt(OtherDirectory, "")
	default:
		cl.alive(now.directory)
	}
	c.emit(p, it, cl)
}

// slots says how far two dentries lie apart in slab slots, when both lie in one page.
func (c *collector) slots(a, b uint64) string {
	size, page := uint64(c.layout.DentrySize), uint64(c.layout.PageSize)
	switch {
	case a == b:
		return "the same address again, a new dentry"
	case size == 0 || page == 0 || a/page != b/page || (max(a, b)-min(a, b))%size != 0:
		return ""
	}
	n := (max(a, b) - min(a, b)) / size
	return strconv.FormatUint(n, 10) + " slots of " + strconv.FormatUint(size, 10) + " bytes, in one page"
}
