// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// form is what a negative claim says of the missing name.
type form uint8

const (
	negEntered form = iota // a dentry without inode was allocated for it and inserted
	negFound               // a lookup returned a dentry without inode
	negEmptied             // the same, and d_delete had taken the inode away
	negOutside             // a dentry was allocated for it and stayed out of the hash table
	negNowhere             // the last lookup found nothing, and nothing was allocated
)

// says is the sentence, for the name and the dentry.
func (f form) says(name string, d Ref) string {
	switch f {
	case negEntered:
		return fmt.Sprintf("%s entered the cache as %s, without inode", name, d)
	case negFound:
		return fmt.Sprintf("%s is in the cache as %s, without inode", name, d)
	case negEmptied:
		return fmt.Sprintf("%s is in the cache as %s, without inode since d_delete", name, d)
	case negOutside:
		return fmt.Sprintf("%s, allocated for %s, did not enter the cache", d, name)
	}
	return fmt.Sprintf("the last lookup of %s returned NULL, and nothing was allocated for it", name)
}

// negative: what became in the cache of a name that an open found missing. Where it has
// a dentry without inode the claim says whether that stayed when the open returned.
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
		c.nowhere(cl, w, last)
	} else {
		c.missing(cl, d, last, w)
		if t := taleOf(d); t.missing != 0 {
			c.term("earlier "+c.label(schema.RoleOpen, schema.Exit), exit.Ret, t.missing, t.comm)
		}
	}
	c.term(c.label(schema.RoleOpen, schema.Exit), exit.Ret, exit.ID, exit.Comm)
	if cl.Verdict != Proven {
		cl.Kept, cl.Note = false, ""
	}
	c.emit(p, it, cl)
	if cl.Kept {
		c.f.Kept++
		t := taleOf(last.result)
		t.missing, t.comm = exit.ID, exit.Comm
	}
}

// missing judges the dentry that the missing name came to.
func (c *collector) missing(cl *Claim, d *replay.Object, last *row, w *walk) {
	if d.Born != 0 {
		c.term(c.label(schema.RoleAlloc, schema.Exit), d.Addr, d.Born, "")
	}
	if d.Inserted != 0 {
		c.term(c.label(schema.RoleInsert, schema.Exit), d.Addr, d.Inserted, "")
	}
	cl.alive(d)
	cl.ended(d)
	switch at := &last.at.ev; {
	case isLookup(at.Role):
		c.found(cl, d, at, w.enter())
	case d.Inserted == 0:
		c.notInserted(cl, d, last, w)
	default:
		c.inserted(cl, d)
	}
	if d.Name != cl.Means {
		cl.doubt(OtherName, "")
	}
}

// found judges a dentry that a lookup of this open returned.
func (c *collector) found(cl *Claim, d *replay.Object, at, enter *schema.Event) {
	cl.Form, cl.Kept, cl.Note = negFound, true, "kept"
	if d.Inserted != 0 && d.Inserted != d.Unread && !d.Bare && d.Deleted != 0 {
		cl.Form = negEmptied
		c.term(c.label(schema.RoleDelete, schema.Enter), d.Addr, d.Deleted, "")
	}
	c.term(c.label(at.Role, schema.Exit), d.Addr, at.ID, at.Comm)
	switch gone := max(d.Killed, d.Dropped); {
	case d.Killed != 0 && d.Killed < at.ID:
		cl.doubtID(AfterItsEnd, d.Killed)
	case gone > max(d.Inserted, at.ID):
		cl.doubtID(LostMeanwhile, gone)
	case at.Facts&schema.FactInodeUnknown != 0:
		cl.doubt(InodeUnread, "")
	case at.Inode != 0:
		cl.doubt(HasInode, "")
	case at.Facts&schema.FactUnhashed != 0:
		cl.doubt(Unhashed, "")
	case d.Moved > max(d.Inserted, at.ID):
		cl.doubtID(MovedAway, d.Moved)
	}
	cl.filled(d)
}

// inserted judges a dentry that this open allocated and inserted.
func (c *collector) inserted(cl *Claim, d *replay.Object) {
	cl.Form, cl.Kept, cl.Note = negEntered, true, "kept"
	switch {
	case d.Inserted == d.Unread:
		cl.doubt(InodeUnread, "")
	case !d.Bare:
		cl.doubt(InsertedPositive, "")
	case d.Moved > d.Inserted:
		cl.doubtID(MovedAway, d.Moved)
	}
	cl.filled(d)
	switch {
	case d.Dropped > d.Inserted && (d.Killed == 0 || d.Dropped < d.Killed):
		cl.Kept, cl.Note = false, fmt.Sprintf("not kept: dropped at #%d", d.Dropped)
		c.term(c.label(schema.RoleDrop, schema.Enter), d.Addr, d.Dropped, "")
	case d.Killed != 0:
		cl.Kept, cl.Note = false, fmt.Sprintf("not kept: killed at #%d", d.Killed)
		c.term(c.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, "")
	}
}

// filled doubts that a dentry is still without inode.
func (cl *Claim) filled(d *replay.Object) {
	if d.Positive > d.Inserted && d.Deleted < d.Positive || d.Inode != 0 {
		cl.doubtID(GotInode, d.Positive)
	}
}

// notInserted judges a dentry that this open allocated and nobody inserted: a filesystem
// need not, or another task's for the same name has come first.
func (c *collector) notInserted(cl *Claim, d *replay.Object, last *row, w *walk) {
	cl.Form = negOutside
	if by := c.births.rival(d, last, w.exit().TID); by != 0 {
		cl.doubtID(Overtaken, by)
	}
	if d.Killed == 0 {
		cl.Note = fmt.Sprintf("not inserted, alive at #%d", w.exit().ID)
		return
	}
	cl.Note = fmt.Sprintf("not inserted, killed at #%d", d.Killed)
	c.term(c.label(schema.RoleKill, schema.Enter), d.Addr, d.Killed, "")
}

// nowhere judges an open whose last lookup found nothing, and that allocated nothing for
// the name, as in a directory that was removed.
func (c *collector) nowhere(cl *Claim, w *walk, last *row) {
	cl.Form = negNowhere
	var null *walkStep
	for i := range w.steps {
		switch s := &w.steps[i]; {
		case s.ev.Phase != schema.Exit:
		case s.ev.Role == schema.RoleAlloc && s.ev.Name == cl.Means:
			cl.doubt(WhichDentry, "")
		case isLookup(s.ev.Role) && s.obj == nil && last.lookup != nil && s.ev.ID > last.lookup.ev.ID:
			null = s
		}
	}
	if null == nil {
		cl.doubt(WhichDentry, "")
		return
	}
	c.term(c.label(null.ev.Role, schema.Exit), 0, null.ev.ID, null.ev.Comm)
	dir := c.state.Objects.At(last.lookup.ev.Parent)
	if dir == nil || dir.First > last.lookup.ev.ID || !followed(dir) {
		return
	}
	if out := out(dir); out != 0 && out < null.ev.ID {
		cl.Note = fmt.Sprintf("the directory %s was out of the hash table at #%d", ref(dir), out)
	}
}

// out is the event that showed a dentry out of the hash table, or dropped it from there,
// and nothing put it back; 0: none.
func out(d *replay.Object) uint64 {
	if at := max(d.Dropped, d.Unhashed); at > d.Inserted {
		return at
	}
	return 0
}

// birth is an alloc of a dentry.
type birth struct {
	at  uint64 // its exit
	tid uint32
	obj *replay.Object
}

// births are the last allocs of all threads.
type births struct {
	ring [64]birth
	next int
}

func (b *births) add(s *replay.Step) {
	b.ring[b.next%len(b.ring)] = birth{s.Event.ID, s.Event.TID, s.Object}
	b.next++
}

// rival returns the alloc by another thread of a dentry that may have come first for the
// name: it was made before ours was thrown away, had not ended and was not in the hash
// table when this open looked, and is not known to be of another directory.
func (b *births) rival(d *replay.Object, r *row, tid uint32) uint64 {
	for i := range b.ring {
		other := &b.ring[i]
		switch o := other.obj; {
		case o == nil, other.tid == tid, o.Name != d.Name, d.Killed != 0 && other.at > d.Killed:
		case o.Killed != 0 && o.Killed < r.asked(), o.Added != 0 && o.Added < r.asked():
		case o.Added != 0 && r.lookup != nil && o.Parent != r.lookup.ev.Parent:
		default:
			return other.at
		}
	}
	return 0
}
