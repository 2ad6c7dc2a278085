// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// tale is what the report remembers of a dentry.
type tale struct {
	missing  uint64 // exit of an open that returned ENOENT and found or made it negative
	comm     string // the program that opened it last
	equal    *Item  // the open whose equality claim a later lookup would lengthen
	claim    int    // index of the claim in equal.Claims
	deletion *Program
	deleted  string // its name then
	deleter  string
	killer   string
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
	case !shown && c.throughMount():
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

// throughMount reports whether the last component looked up is a mount point.
func (c *collector) throughMount() bool {
	r := &c.rows[len(c.rows)-1]
	return r.at != nil && r.at.ev.Facts&schema.FactMountpoint != 0
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
	c.emit(p, it, cl)
	if exit.Errno() == enoent && len(c.rows) > 0 {
		c.negative(p, it, w)
	}
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

// negative: the missing name has a dentry without inode in the hash table, made by
// this open or found there by it.
func (c *collector) negative(p *Program, it *Item, w *walk) {
	enter, exit := w.enter(), w.exit()
	last := c.ending()
	first := enter.Time
	if last.result != nil {
		first = min(first, last.result.FirstAt)
	}
	cl := c.beginWith(Negative, kindTable[Negative].Needs, enter.Name, span{first, enter.Time, exit.Time})
	cl.Object, cl.Means = ref(last.result), last.name(enter.Name)
	if w.overflow {
		cl.doubt(TooManyEvents, "")
	}
	if enter.NameCut() || last.lookup != nil && last.lookup.ev.NameCut() {
		cl.doubt(CutName, "")
	}
	if last.torn {
		cl.doubt(TwoParents, "")
	}
	if d := last.result; d == nil {
		cl.doubt(NoDentry, "")
	} else {
		c.cached(cl, d, last, enter)
		if t := taleOf(d); t.missing != 0 {
			c.term("earlier "+c.label(schema.RoleOpen, schema.Exit), exit.Ret, t.missing, t.comm)
		}
	}
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Ret, exit.ID, exit.Comm)
	c.emit(p, it, cl)
	if cl.Verdict == Proven {
		t := taleOf(last.result)
		t.missing, t.comm = exit.ID, exit.Comm
	}
}

func (c *collector) cached(cl *Claim, d *replay.Object, last *row, enter *schema.Event) {
	shown := d.Inserted // the last event that shows it in the hash table
	if d.Born != 0 {
		c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
	if d.Inserted != 0 {
		c.term(c.label(schema.RoleInsert, schema.Exit), d.Addr, d.Inserted, "")
	}
	if cl.Emptied = d.Inserted != 0 && !d.Bare && d.Deleted != 0; cl.Emptied {
		c.term(c.label(schema.RoleDelete, schema.Enter), d.Addr, d.Deleted, "")
	}
	if isLookup(last.at.ev.Role) {
		c.term(c.label(last.at.ev.Role, schema.Exit), d.Addr, last.at.ev.ID, last.at.ev.Comm)
		shown = max(shown, last.at.ev.ID)
	}
	cl.alive(d)
	cl.ended(d)
	c.stays(cl, d, last, shown, enter)
}

// stays doubts that the dentry is in the cache without inode.
func (c *collector) stays(cl *Claim, d *replay.Object, last *row, shown uint64, enter *schema.Event) {
	found := isLookup(last.at.ev.Role)
	gone := max(d.Killed, d.Dropped)
	switch {
	case overtaken(d):
		cl.doubt(Overtaken, "")
	case d.Killed != 0 && d.Killed < enter.ID:
		cl.doubtID(AfterItsEnd, d.Killed)
	case found && gone > shown:
		cl.doubtID(LostMeanwhile, gone)
	case d.Killed != 0:
		cl.doubtID(KilledInside, d.Killed)
	case found && last.at.ev.Inode != 0:
		cl.doubt(HasInode, "")
	case found && last.at.ev.Facts&schema.FactUnhashed != 0:
		cl.doubt(Unhashed, "")
	case d.Born == 0:
		cl.doubt(OlderDentry, "")
	case d.Inserted == 0 && found:
		cl.doubt(InsertUnseen, "")
	case d.Inserted == 0:
		cl.doubt(NeverInserted, "")
	case d.Dropped > d.Inserted:
		cl.doubtID(Dropped, d.Dropped)
	case d.Moved > shown:
		cl.doubtID(MovedAway, d.Moved)
	case !d.Bare && d.Deleted < d.Inserted:
		cl.doubt(InsertedPositive, "")
	case d.Positive > d.Inserted && d.Deleted < d.Positive, d.Inode != 0:
		cl.doubtID(GotInode, d.Positive)
	case d.Name != cl.Means:
		cl.doubt(OtherName, "")
	}
}

// overtaken reports whether a dentry was allocated in vain: most of the time another one
// of the name had come first, and that is the one which the open went on with.
func overtaken(d *replay.Object) bool { return d.Born != 0 && d.Killed != 0 && d.Inserted == 0 }

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

// life follows a dentry from hit to delete to kill; a kill that is not certain waits for
// the memory to be given back.
func (c *collector) life(s *replay.Step) {
	e, d := s.Event, s.Object
	if e.Role == schema.RoleKill || e.Role == schema.RoleFree {
		c.forget(d)
	}
	t, told := d.Tag.(*tale)
	switch {
	case e.Role == schema.RoleMove:
		c.move(s)
	case e.Role == schema.RoleDelete:
		t = taleOf(d)
		t.deletion, t.deleted, t.deleter = c.program(e), e.Name, e.Comm
	case !told:
	case isLookup(e.Role):
		if t.equal != nil && e.Role != schema.RoleLookupChain {
			c.later(s, t)
		}
	case e.Role == schema.RoleKill && d.Killed == e.ID:
		if t.killer = e.Comm; d.Ended() {
			c.deleteChain(d, t, e.Time)
		}
	case e.Role == schema.RoleFree:
		c.deleteChain(d, t, e.Time)
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

// deleteChain: what a lookup returned, d_delete deleted and the kill ended is one
// dentry. It is judged once, at its end or that of the trace.
func (c *collector) deleteChain(d *replay.Object, t *tale, last uint64) {
	p := t.deletion
	if p == nil {
		return
	}
	t.deletion = nil
	cl := c.begin(DeleteChain, t.deleted, d.FirstAt, last)
	cl.Object = ref(d)
	cl.alive(d)
	if d.HitBeforeDelete != 0 {
		c.term(c.label(d.HitRoleBeforeDelete, schema.Exit), d.Addr, d.HitBeforeDelete, t.deleter)
	} else {
		cl.doubt(NoHit, "")
	}
	c.term(c.label(schema.RoleDelete, schema.Enter), d.Addr, d.Deleted, t.deleter)
	if d.Killed != 0 {
		c.term(c.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, t.killer)
		cl.ended(d)
	} else {
		cl.doubt(StillAlive, "")
	}
	c.count(p, cl)
	if p.kept && len(p.Claims) < maxClaims {
		p.Claims = append(p.Claims, c.own(cl))
	}
}

// undead judges the deleted dentries that no kill was seen of, or none that is certain.
func (c *collector) undead() {
	var deleted []*replay.Object
	c.state.Objects.Live(func(d *replay.Object) {
		if t, ok := d.Tag.(*tale); ok && t.deletion != nil {
			deleted = append(deleted, d)
		}
	})
	slices.SortFunc(deleted, func(a, b *replay.Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range deleted {
		c.deleteChain(d, d.Tag.(*tale), c.state.Now())
	}
}
