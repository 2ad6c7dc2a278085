// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// tale is what the report remembers of a dentry.
type tale struct {
	missing  uint64    // exit of an open that returned ENOENT and left it in the cache without inode
	comm     string    // the program that opened it last
	equal    *Item     // the open whose equality claim a later lookup would lengthen
	claim    int       // index of the claim in equal.Claims
	deletion *deletion // the last d_delete of it, if what became of it is not told yet
	killer   killer
	dir      *replay.Object // the directory it was looked up in
}

func taleOf(d *replay.Object) *tale {
	if t, ok := d.Tag.(*tale); ok {
		return t
	}
	t := &tale{}
	d.Tag = t
	return t
}

// equality: the dentry the open returned is the one that this open allocated and
// inserted, or that its last lookup found in the cache.
func (c *collector) equality(p *Program, it *Item, w *walk) {
	exit := w.exit()
	d := w.steps[len(w.steps)-1].obj
	if d == nil || len(c.rows) == 0 {
		return
	}
	taleOf(d).comm = exit.Comm
	from := w.enter().Time
	cl := c.beginWith(Equality, kindTable[Equality].Needs, w.enter().Name, span{min(from, d.FirstAt), from, exit.Time})
	cl.Object = ref(d)
	shown := c.origin(cl, w, d)
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Dentry, exit.ID, exit.Comm)
	cl.alive(d)
	switch {
	case d.Killed != 0 && d.Killed < exit.ID:
		cl.doubtID(KilledBefore, d.Killed)
	case !shown && c.throughMount(w.enter().Name):
		cl.doubt(MountPoint, "")
	case !shown:
		cl.doubt(NotShown, "")
	case d.Born != 0 && d.Born > w.enter().ID && d.Inserted == 0:
		cl.doubt(NotInserted, "")
	}
	if c.emit(p, it, cl) && cl.Verdict == Proven {
		t := taleOf(d)
		t.equal, t.claim = it, len(it.Claims)-1
	}
}

// origin adds the operands that show where the dentry came from: its alloc and
// insert, and the last lookup of this open that returned it.
func (c *collector) origin(cl *Claim, w *walk, d *replay.Object) (shown bool) {
	if d.Born != 0 {
		c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
		shown = d.Born > w.enter().ID
	} else if !d.Forgotten {
		cl.Note = "its allocation was not recorded"
	}
	if d.Inserted != 0 {
		c.term(c.label(schema.RoleInsert, schema.Exit), d.Addr, d.Inserted, "")
	}
	for i := len(w.steps) - 2; i > 0; i-- {
		s := &w.steps[i]
		if s.obj == d && s.ev.Phase == schema.Exit && isLookup(s.ev.Role) {
			c.term(c.label(s.ev.Role, schema.Exit), d.Addr, s.ev.ID, s.ev.Comm)
			return true
		}
	}
	return shown
}

func isLookup(r schema.Role) bool {
	return r == schema.RoleLookup || r == schema.RoleLookupRCU || r == schema.RoleLookupChain
}

// throughMount reports whether the path ends in a component that is a mount point.
func (c *collector) throughMount(path string) bool {
	r := &c.rows[len(c.rows)-1]
	return r.at != nil && r.at.ev.Facts&schema.FactMountpoint != 0 && r.after.Count == 0 && rest(path, r.end) == ""
}

// noFile: the open returned an error, and for ENOENT the missing name is cached.
func (c *collector) noFile(p *Program, it *Item, w *walk) {
	enter, exit := w.enter(), w.exit()
	cl := c.begin(Absence, enter.Name, enter.Time, exit.Time)
	cl.Means = noFile
	if exit.Errno() == eloop && c.links > 0 && c.counted(w) {
		cl.Note = fmt.Sprintf("after %d lookups of names that stand in symbolic links", c.links)
	}
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Ret, exit.ID, exit.Comm)
	cl.On = c.failedOn()
	c.emit(p, it, cl)
	if exit.Errno() == enoent && len(c.rows) > 0 {
		c.negative(p, it, w)
	}
}

// failedOn is the filesystem of the directory that the walk looked in last; none where no
// event of it has that, or they contradict each other.
func (c *collector) failedOn() Filesystem {
	if len(c.rows) == 0 {
		return Filesystem{}
	}
	r, fs := c.ending(), Filesystem{}
	for _, s := range []*walkStep{r.lookup, r.at} {
		switch {
		case s == nil || s.ev.Dev == 0 || s.ev.Role == schema.RoleOpen:
		case fs.Dev != 0 && fs.Dev != s.ev.Dev:
			return Filesystem{}
		default:
			fs = Filesystem{s.ev.FSType, s.ev.Dev, s.ev.ID}
		}
	}
	if r.lookup != nil {
		if dir := c.state.Objects.At(r.lookup.ev.Parent); dir != nil && dir.Contradicted != nil {
			return Filesystem{}
		}
	}
	return fs
}

// counted reports whether every lookup of the walk is known.
func (c *collector) counted(w *walk) bool {
	lookups := replay.RolesOf(schema.RoleLookup, schema.RoleLookupChain, schema.RoleLookupRCU)
	_, lost := c.state.Losses.Touched(w.enter().Time, w.exit().Time, lookups)
	return !lost && !w.overflow && lookups&^(c.attached&^c.uncounted) == 0
}

const (
	enoent = 2
	eloop  = 40
)

// What an absence claim can be about.
const (
	noAlloc = "no alloc"
	noFile  = "no file"
)

// noAlloc: nothing was allocated inside the open.
func (c *collector) noAlloc(p *Program, it *Item, w *walk) {
	if len(c.rows) == 0 || w.overflow || w.nests {
		return
	}
	for i := range w.steps {
		if w.steps[i].ev.Role == schema.RoleAlloc {
			return
		}
	}
	enter, exit := w.enter(), w.exit()
	info := &kindTable[Absence]
	cl := c.beginWith(Absence, info.Needs|info.Some, enter.Name, span{enter.Time, enter.Time, exit.Time})
	cl.Means = noAlloc
	c.term(c.label(schema.RoleOpen, schema.Enter), enter.NameAddr, enter.ID, enter.Comm)
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Dentry, exit.ID, exit.Comm)
	c.emit(p, it, cl)
}
