// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Contradiction describes an event of a dentry that does not fit the events before it.
type Contradiction struct {
	Event uint64  // the event that does not fit
	What  string  // what it shows, one of the texts below
	Over  *Window // events lost in between, which may explain it; nil: none

	read      identity   // what the event showed
	key       identity   // what the lookup asked for, if the contradiction is with that
	tid       uint32     // the thread that read it
	racing    bool       // the reader held no lock: a later event may explain what it read
	readEnded bool       // the reader has had another event since, so its read is over
	places    []identity // where moves have taken the dentry from and to since
}

// maxMoves bounds the moves that an unlocked read is compared with, maxReading how many such reads wait at
// once.
const (
	maxMoves   = 64
	maxReading = 64
)

// What an event can show that the events before it do not explain.
const (
	otherName     = "it has another name, and no event before gave it that"
	otherParent   = "it has another parent, and no event before moved it there"
	otherInode    = "it has another inode, and no event before gave it that"
	noInode       = "it has no inode, and no event before took it"
	otherDevice   = "it is on another filesystem"
	otherKey      = "a lookup of another name or parent returned it"
	insertedTwice = "it was inserted a second time, and no event before took it out"
	olderThanDir  = "its directory was allocated after it"
	otherPlace    = "it was moved, and not to where the dentry was whose place it took"
)

// identity holds the name, parent and inode of a dentry as an event showed them.
type identity struct {
	name                  string
	parent, inode         uint64
	nameKnown, inodeKnown bool // whether name and inode are known
}

func identityOf(e *schema.Event) identity {
	return identity{e.Name, e.Parent, e.Inode, e.NameLen > 0 && !e.NameCut() && e.Facts&schema.FactNameUnreadable == 0, e.Facts&schema.FactInodeUnknown == 0}
}

// samePlace reports whether both have the same name and parent, as far as both know them.
func (i *identity) samePlace(o *identity) bool {
	return (i.name == o.name || !i.nameKnown || !o.nameKnown) && (i.parent == o.parent || i.parent == 0 || o.parent == 0)
}

// learn copies what o knows.
func (i *identity) learn(o *identity) {
	if o.nameKnown {
		i.name, i.nameKnown = o.name, true
	}
	if o.parent != 0 {
		i.parent = o.parent
	}
	if o.inodeKnown {
		i.inode, i.inodeKnown = o.inode, true
	}
}

// lastShown holds what the state remembers of a dentry's identity.
type lastShown struct {
	identity    identity // as shown last
	event       uint64   // id of the event that showed it last; 0: none
	time        uint64   // time of that event
	dev         uint32   // device of its filesystem; 0: not known
	moveBegun   bool     // a move has begun since: name and parent may differ
	deleteBegun bool     // a delete has begun since it had its inode: it may have lost it
}

// move is the __d_move in progress. There is at most one, as it runs under rename_lock.
type move struct {
	tid           uint32 // 0: none
	dentry, other *Object
	from, to      identity // of dentry and other, before the move
	began         uint64   // time of its entry
}

// givesInode are the roles that give a dentry its inode, takesInode those that take it away.
var (
	givesInode = RolesOf(schema.RoleInsert, schema.RoleInstantiate)
	takesInode = RolesOf(schema.RoleDelete, schema.RoleKill)
)

// moveRoles are the roles of events that a thread can have inside __d_move.
var moveRoles = RolesOf(schema.RoleMove, schema.RoleInsert, schema.RoleDrop)

// racy reports whether events of the role are read without a lock on the dentry: they may show a state
// later than their time.
func racy(r schema.Role) bool { return (lookupRoles | pathKeyRoles).Has(r) }

// checks says which contradictions can be detected, as every event that could explain them is recorded.
type checks struct{ place, inode, table bool }

func checksOf(recorded Roles) checks {
	life := RolesOf(schema.RoleAlloc, schema.RoleKill, schema.RoleFree, schema.RoleMove)
	inode := life | RolesOf(schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete)
	all := func(want Roles) bool { return recorded&want == want }
	return checks{all(life), all(inode), all(inode | RolesOf(schema.RoleDrop))}
}

// doubtfulFacts are facts which say that name or inode is not known, or something that applyUnchanged does not handle.
const doubtfulFacts = schema.FactNameUnreadable | schema.FactInodeUnknown | schema.FactUnwatched | schema.FactUnhashed

// applyUnchanged is a short cut for a lookup that returned a dentry exactly as it was last seen, under the name and
// parent that it has. It has the same effect as check and update. It returns false where they are needed;
// nothing is changed then.
func (o *Objects) applyUnchanged(d *Object, e *schema.Event, call *Call) bool {
	s := &d.last
	if !lookupRoles.Has(e.Role) || call == nil || d.Killed != 0 || d.Contradicted != nil || s.moveBegun || e.Facts&doubtfulFacts != 0 || o.move.tid == e.TID {
		return false
	}
	if e.Parent == 0 || e.Parent != d.Parent || e.Parent != s.identity.parent || e.Parent != call.Enter.Parent || e.Dev != 0 && e.Dev != s.dev {
		return false
	}
	if e.Inode != d.Inode || e.Inode != s.identity.inode || !s.identity.inodeKnown || e.Inode != 0 && d.Positive == 0 {
		return false
	}
	if e.NameLen == 0 || e.NameCut() || !s.identity.nameKnown || e.Name != d.Name || e.Name != call.Enter.Name || s.identity.name != d.Name {
		return false
	}
	if dir := o.find(e.Parent); dir != nil && dir.Born > s.event {
		return false
	}
	d.NameAddr, d.Hash = e.NameAddr, e.Hash
	d.noteHit(e)
	s.event, s.time = e.ID, e.Time
	return true
}

// check compares an event of a dentry with the events before it, and a lookup's result also with what the
// lookup asked for. Then it remembers what the event says.
func (o *Objects) check(d *Object, e *schema.Event, call *Call) {
	now := identityOf(e)
	if o.move.tid == e.TID && !moveRoles.Has(e.Role) {
		o.move = move{} // the exit of that move was lost
	}
	if d.last.event != 0 && d.Unwatched == 0 && o.checks.place {
		o.compare(d, e, &now)
	}
	if call != nil && lookupRoles.Has(e.Role) && d.Killed == 0 && d.Unwatched == 0 && o.checks.place {
		o.checkKey(d, e, call, &now)
	}
	o.remember(d, e, &now)
}

// compare notes what the event shows that the events before it rule out.
func (o *Objects) compare(d *Object, e *schema.Event, now *identity) {
	was := &d.last.identity
	if e.Dev != 0 && d.last.dev != 0 && e.Dev != d.last.dev {
		o.contradict(d, e, now, otherDevice, d.last.time)
	}
	if d.Killed != 0 && racy(e.Role) {
		return
	}
	if !d.last.moveBegun {
		switch {
		case was.nameKnown && now.nameKnown && was.name != now.name && !d.isTmpfileName(now.name):
			o.contradict(d, e, now, otherName, d.last.time)
		case was.parent != 0 && now.parent != 0 && was.parent != now.parent && !d.isOwnParent():
			o.contradict(d, e, now, otherParent, d.last.time)
		}
	}
	if o.checks.inode && was.inodeKnown && now.inodeKnown && was.inode != now.inode && !freeRoles.Has(e.Role) {
		given := givesInode.Has(e.Role)
		switch {
		case now.inode == 0 && (d.last.deleteBegun || d.Killed != 0):
		case now.inode == 0:
			o.contradict(d, e, now, noInode, d.last.time)
		case was.inode == 0 && (given || d.Born != 0 && d.Inserted == 0):
		case given && d.last.deleteBegun:
		default:
			o.contradict(d, e, now, otherInode, d.last.time)
		}
	}
	if o.checks.table && e.Role == schema.RoleInsert && d.Inserted > max(d.Dropped, d.Unhashed, d.Deleted) && !o.inMove(d, e.TID) {
		o.contradict(d, e, now, insertedTwice, d.last.time)
	}
}

// checkDir compares what the entry of a lookup shows of its directory (device, whether it is a root) with what
// is known of it.
func (o *Objects) checkDir(d *Object, e *schema.Event) {
	s := &d.last
	if d.Unwatched != 0 || d.Killed != 0 || !o.checks.place {
		return
	}
	now, root := s.identity, e.Facts&schema.FactParentIsRoot != 0
	switch {
	case e.Dev == 0:
	case s.dev == 0:
		s.dev = e.Dev
	case s.dev != e.Dev:
		o.contradict(d, e, &now, otherDevice, s.time)
	}
	if s.identity.parent == 0 || s.moveBegun || d.isOwnParent() || root == (s.identity.parent == d.Addr) {
		return
	}
	if now.parent = d.Addr; !root {
		now.parent = 0
	}
	o.contradict(d, e, &now, otherParent, s.time)
}

// isOwnParent reports whether the dentry is still its own parent, as __d_alloc leaves it.
func (d *Object) isOwnParent() bool { return d.Born != 0 && d.last.identity.parent == d.Addr }

// isTmpfileName reports whether the name is the "#inode" that O_TMPFILE gives to a dentry that is never inserted.
func (d *Object) isTmpfileName(name string) bool {
	return d.last.identity.name == "/" && d.Inserted == 0 && len(name) > 1 && name[0] == '#'
}

// checkKey compares the dentry that a lookup returned with what the lookup asked for. The dentry had that name
// and parent when it was found, but may have been moved before the probe read it.
func (o *Objects) checkKey(d *Object, e *schema.Event, lookup *Call, now *identity) {
	key := lookup.Enter
	want := identityOf(key)
	if dir := o.find(key.Parent); dir != nil && dir.Born > d.last.event && d.last.event != 0 && d.last.identity.parent == key.Parent && now.parent == key.Parent {
		o.contradict(d, e, now, olderThanDir, d.last.time)
	}
	if (key.Facts|e.Facts)&schema.FactParentOpHash != 0 || want.samePlace(now) {
		return
	}
	if d.last.moveBegun || d.Moved > lookup.NotBefore || d.last.event != 0 && want.samePlace(&d.last.identity) {
		return // it was moved meanwhile, or compare has noted the change already
	}
	if o.contradict(d, e, now, otherKey, lookup.NotBeforeTime) {
		d.Contradicted.key = want
	}
}

// contradict records the first contradiction of a dentry, and reports whether this is the first.
func (o *Objects) contradict(d *Object, e *schema.Event, now *identity, what string, since uint64) bool {
	if c := d.Contradicted; c != nil {
		if !racy(e.Role) || c.Event != e.ID && !now.samePlace(&c.read) {
			c.racing = false // a locked read, or one of yet another place: no single move explains both
		}
		return false
	}
	c := &Contradiction{Event: e.ID, What: what, read: *now, tid: e.TID}
	c.racing = racy(e.Role) && what != otherDevice && what != olderThanDir
	if w, lost := o.losses.FindWindow(min(since, e.Time), e.Time, changeRoles); lost {
		c.Over, c.racing = &w, false
	}
	if d.Contradicted = c; c.racing {
		if len(o.unlockedReads) == maxReading {
			o.unlockedReads[0].readEnded = true
			o.unlockedReads = slices.Delete(o.unlockedReads, 0, 1)
		}
		o.unlockedReads = append(o.unlockedReads, c)
	}
	return true
}

// endReads notes that a thread has gone on: whatever it was reading before, it has read by now.
func (o *Objects) endReads(e *schema.Event) {
	o.unlockedReads = slices.DeleteFunc(o.unlockedReads, func(c *Contradiction) bool {
		c.readEnded = c.tid == e.TID && c.Event != e.ID
		return c.readEnded || !c.racing
	})
}

// remember takes over what the event says of the dentry. While an unlocked read that contradicts the rest
// waits for an explanation, no other unlocked read is taken over.
func (o *Objects) remember(d *Object, e *schema.Event, now *identity) {
	s := &d.last
	if e.Dev != 0 && s.dev == 0 {
		s.dev = e.Dev
	}
	if c := d.Contradicted; c != nil && c.racing {
		if racy(e.Role) {
			return
		}
		o.explain(d, e, now)
	}
	if freeRoles.Has(e.Role) || d.Killed != 0 && racy(e.Role) {
		return
	}
	if givesInode.Has(e.Role) {
		s.deleteBegun = s.deleteBegun && now.inode == 0
	}
	s.deleteBegun = s.deleteBegun || e.Role == schema.RoleDelete && e.Phase == schema.Enter
	if s.moveBegun && o.move.tid != 0 && (o.move.dentry == d || o.move.other == d) && (e.Role != schema.RoleMove || e.Phase != schema.Exit) {
		now.nameKnown, now.parent = false, 0 // between its old place and the new one
	} else {
		s.moveBegun = false
	}
	s.identity.learn(now)
	s.event, s.time = e.ID, e.Time
}

// explain drops a contradiction about the inode that this event of another task explains: the reader saw
// the change before the event that records it.
func (o *Objects) explain(d *Object, e *schema.Event, now *identity) {
	c := d.Contradicted
	if c.What != otherInode && c.What != noInode || e.TID == c.tid || !now.samePlace(&c.read) {
		return
	}
	if givesInode.Has(e.Role) && c.read.inode != 0 && now.inode == c.read.inode ||
		takesInode.Has(e.Role) && c.read.inode == 0 && now.inode == d.last.identity.inode {
		d.Contradicted = nil
	}
}

// inMove reports whether the thread is in a __d_move of the dentry.
func (o *Objects) inMove(d *Object, tid uint32) bool {
	return o.move.tid != 0 && o.move.tid == tid && (o.move.dentry == d || o.move.other == d)
}

// applyMove follows __d_move: from its entry to its exit, name and parent of both dentries may be the old or
// the new ones. Without RENAME_EXCHANGE the target keeps its name and parent, and leaves the hash table.
func (o *Objects) applyMove(d *Object, e *schema.Event) {
	if e.Phase == schema.Enter {
		o.move = move{tid: e.TID, dentry: d, other: o.find(e.Target), from: d.last.identity, began: e.Time}
		d.last.moveBegun = true
		if t := o.move.other; t != nil {
			o.move.to = t.certainPlace()
			t.last.moveBegun = true
			if e.Facts&schema.FactExchange == 0 {
				t.Unhashed = e.ID
				o.pathChanges++
			}
		}
		return
	}
	m := o.move
	if o.move = (move{}); m.tid != e.TID || m.dentry != d {
		return
	}
	if now := identityOf(e); o.checks.place && d.Unwatched == 0 && !now.samePlace(&m.to) {
		o.contradict(d, e, &now, otherPlace, m.began)
	}
	d.explainByMoves(e.TID, &m.from, &d.last.identity)
	if t := m.other; t != nil {
		t.explainByMoves(e.TID, &t.last.identity, &m.from)
	}
}

// certainPlace returns the dentry's name and parent if they are certain; else the zero identity.
func (d *Object) certainPlace() identity {
	s := &d.last
	if s.moveBegun || d.Unwatched != 0 || d.Killed != 0 || d.Forgotten || d.Contradicted != nil {
		return identity{}
	}
	at := s.identity
	if d.isOwnParent() {
		at.parent = 0
	}
	return at
}

// explainByMoves drops a contradiction of name or parent that moves by other tasks explain: the name and the
// parent that were read, and those that were asked for, are each those before or after one of the moves.
// There may be several moves, as a task can be interrupted between the time of its event and the read.
func (d *Object) explainByMoves(tid uint32, from, to *identity) {
	c := d.Contradicted
	if c == nil || !c.racing || c.tid == tid || c.What == otherInode || c.What == noInode {
		return
	}
	c.places = append(c.places, *from, *to)
	same := !c.read.inodeKnown || !from.inodeKnown || c.read.inode == from.inode
	if same && c.read.among(c.places) && c.key.among(c.places) {
		d.Contradicted, c.racing = nil, false
	} else if !same || c.readEnded || len(c.places) >= 2*maxMoves {
		c.racing = false
	}
}

// among reports whether name and parent, as far as they are known, are each those of one of the places.
func (i *identity) among(places []identity) bool {
	name, parent := !i.nameKnown, i.parent == 0
	for _, p := range places {
		name, parent = name || i.name == p.name, parent || i.parent == p.parent
	}
	return name && parent
}
