// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// pathState is the dentry a path of one program came to when it was last opened, and was
// in the cache under when that open returned.
type pathState struct {
	obj   *replay.Object
	dir   *replay.Object // the directory it was looked up in; nil: not known
	pid   uint32         // who opened it
	since uint64         // when that open began, nanoseconds since boot
	exit  uint64         // its end, an event
	bare  bool           // it has no inode, so no open file holds it
	hit   bool           // another open came to it later
}

// again compares the dentry of this open with that of the program's last open of the
// same path, if both are of the whole path.
func (c *collector) again(p *Program, it *Item, w *walk) {
	d, path := c.cameTo(w), w.enter().Name
	if d == nil {
		return
	}
	before := p.paths[path]
	if before != nil && before.obj == d && d.Killed == 0 {
		before.hit, before.pid, before.exit, before.bare = true, w.exit().PID, w.exit().ID, bare(d)
		return
	}
	now := pathState{obj: d, dir: c.directories(), pid: w.exit().PID, since: w.enter().Time, exit: w.exit().ID, bare: bare(d)}
	if before != nil {
		if old := before.obj; old.Killed != 0 && d.Born > old.Killed && before.cached() {
			c.eviction(p, it, w, before, &now)
		}
	}
	if d.Killed != 0 || out(d) != 0 || d.Born != 0 && d.Inserted == 0 { // it is not in the cache
		if before != nil {
			c.paths += before.bytes(path)
			delete(p.paths, path)
		}
		return
	}
	if before != nil {
		c.paths += before.bytes(path)
	} else if len(p.paths) >= maxPaths {
		return
	}
	if c.paths >= now.bytes(path) {
		c.paths -= now.bytes(path)
		taleOf(d)
		p.paths[strings.Clone(path)] = &now
	} else {
		delete(p.paths, path)
	}
}

// bytes is about what the state of a path takes.
func (s *pathState) bytes(path string) int { return pathBytes + len(path) }

func bare(d *replay.Object) bool { return d.Inode == 0 && d.Unread == 0 }

// directories remembers of each component's dentry where it was looked up, and returns the
// directory of the last.
func (c *collector) directories() (dir *replay.Object) {
	for i := range c.rows {
		r := &c.rows[i]
		if dir = nil; r.lookup == nil {
			continue
		}
		if dir = c.state.Objects.At(r.lookup.ev.Parent); dir != nil && dir.First > r.asked() {
			dir = nil // another one by now
		}
		if r.result != nil && dir != nil {
			taleOf(r.result).dir = dir
		}
	}
	return dir
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

// overtaken reports whether a dentry was allocated in vain: the filesystem did not insert
// it, or another one of the name had come first.
func overtaken(d *replay.Object) bool { return d.Born != 0 && d.Killed != 0 && d.Inserted == 0 }

// cached reports whether the dentry was in the cache until somebody else's work or
// drop_caches killed it: not where it was unhashed or renamed before, where it ended with
// its file, or where the process that had it open may have let go of it.
func (s *pathState) cached() bool {
	d, by := s.obj, taleOf(s.obj).killer
	switch {
	case d.Moved != 0 || out(d) != 0 && out(d) <= d.Killed:
		return false
	case d.Evict != 0:
		return true
	case d.Deleted > s.exit && d.Deleted > d.Hit:
		return false
	}
	return s.bare || s.hit || by.inside || by.pid != s.pid
}

// place is what is known of two directories.
type place uint8

const (
	unknown   place = iota
	elsewhere       // they are two
	together        // they are one, or the second came in the first one's place
)

// maxDepth bounds how far up two paths are compared.
const maxDepth = 64

// compare says whether two directories are in one place: the same, or one allocated for
// the name of the other after that was evicted, in one place. What was evicted on the way
// up is added to gone.
func compare(old, d *replay.Object, gone []*replay.Object) (place, []*replay.Object) {
	for range maxDepth {
		switch {
		case old == nil || d == nil:
			return unknown, gone
		case old == d:
			return together, append(gone, d)
		case old.Killed == 0 || old.Deleted != 0, d.First < old.Killed, old.Name != "" && d.Name != "" && old.Name != d.Name:
			return elsewhere, gone
		case d.Born == 0 || old.Moved != 0 || d.Moved != 0 || old.Name == "":
			return unknown, gone
		}
		gone = append(gone, old, d)
		old, d = taleOf(old).dir, taleOf(d).dir
	}
	return unknown, gone
}

// eviction: between two opens of one path the dentry was killed and another one
// allocated, at whatever address.
func (c *collector) eviction(p *Program, it *Item, w *walk, before, now *pathState) {
	where, gone := compare(before.dir, now.dir, []*replay.Object{before.obj, now.obj})
	if where == elsewhere || now.obj.Moved != 0 {
		return
	}
	old, d := before.obj, now.obj
	first := min(before.since, now.since)
	for _, o := range gone {
		first = min(first, o.FirstAt)
	}
	cl := c.begin(Eviction, w.enter().Name, first, w.exit().Time)
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
	for _, o := range gone {
		if cl.alive(o); o.Killed != 0 {
			cl.ended(o)
		}
	}
	switch {
	case old.Name != d.Name:
		cl.doubt(OtherName, "")
	case where == unknown:
		cl.doubt(OtherDirectory, "")
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
