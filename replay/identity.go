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

	read   identity   // what the event showed
	key    identity   // what the lookup asked for, if the contradiction is with that
	tid    uint32     // the thread that read it
	racing bool       // the reader held no lock: a later event may explain what it read
	over   bool       // the reader has had another event since, so its read is over
	places []identity // where moves have taken the dentry from and to since
}

// maxMoves bounds the moves that an unlocked read is compared with, maxReading how many such reads wait at
// once.
const (
	maxMoves   = 64
	maxReading = 64
)

// What an event can show that the events before it do not explain.
const (
	otherName   = "it has another name, and no event before gave it that"
	otherParent = "it has another parent, and no event before moved it there"
	otherInode  = "it has another inode, and no event before gave it that"
	noInode     = "it has no inode, and no event before took it"
	otherDevice = "it is on another filesystem"
	otherKey    = "a lookup of another name or parent returned it"
	twice       = "it was inserted a second time, and no event before took it out"
	outlived    = "its directory was allocated after it"
	otherPlace  = "it was moved, and not to where the dentry was whose place it took"
)

// identity holds the name, parent and inode of a dentry as an event showed them.
type identity struct {
	name          string
	parent, inode uint64
	named, filled bool // whether name and inode are known
}

func identityOf(e *schema.Event) identity {
	return identity{e.Name, e.Parent, e.Inode, e.NameLen > 0 && !e.NameCut() && e.Facts&schema.FactNameUnreadable == 0, e.Facts&schema.FactInodeUnknown == 0}
}

// at reports whether both have the same name and parent, as far as both know them.
func (i *identity) at(o *identity) bool {
	return (i.name == o.name || !i.named || !o.named) && (i.parent == o.parent || i.parent == 0 || o.parent == 0)
}

// learn copies what o knows.
func (i *identity) learn(o *identity) {
	if o.named {
		i.name, i.named = o.name, true
	}
	if o.parent != 0 {
		i.parent = o.parent
	}
	if o.filled {
		i.inode, i.filled = o.inode, true
	}
}

// self holds what the state remembers of a dentry's identity.
type self struct {
	is    identity // as shown last
	shown uint64   // id of the event that showed it last; 0: none
	at    uint64   // time of that event
	dev   uint32   // device of its filesystem; 0: not known
	loose bool     // a move has begun since: name and parent may differ
	taken bool     // a delete has begun since it had its inode: it may have lost it
}

// move is the __d_move in progress. There is at most one, as it runs under rename_lock.
type move struct {
	tid           uint32 // 0: none
	dentry, other *Object
	from, to      identity // of dentry and other, before the move
	began         uint64   // time of its entry
}

// gives are the roles that give a dentry its inode, takes those that take it away.
var (
	gives = RolesOf(schema.RoleInsert, schema.RoleInstantiate)
	takes = RolesOf(schema.RoleDelete, schema.RoleKill)
)

// inMove are the roles of events that a thread can have inside __d_move.
var inMove = RolesOf(schema.RoleMove, schema.RoleInsert, schema.RoleDrop)

// racy reports whether events of the role are read without a lock on the dentry: they may show a state
// later than their time.
func racy(r schema.Role) bool { return (asks | walks).Has(r) }

// checks says which contradictions can be detected, as every event that could explain them is recorded.
type checks struct{ place, inode, table bool }

func checksOf(recorded Roles) checks {
	life := RolesOf(schema.RoleAlloc, schema.RoleKill, schema.RoleFree, schema.RoleMove)
	inode := life | RolesOf(schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete)
	all := func(want Roles) bool { return recorded&want == want }
	return checks{all(life), all(inode), all(inode | RolesOf(schema.RoleDrop))}
}

// doubtful are facts which say that name or inode is not known, or something that same does not handle.
const doubtful = schema.FactNameUnreadable | schema.FactInodeUnknown | schema.FactUnwatched | schema.FactUnhashed

// same is a short cut for a lookup that returned a dentry exactly as it was last seen, under the name and
// parent that it has. It has the same effect as agree and see. It returns false where they are needed;
// nothing is changed then.
func (o *Objects) same(d *Object, e *schema.Event, call *Call) bool {
	s := &d.self
	if !asks.Has(e.Role) || call == nil || d.Killed != 0 || d.Contradicted != nil || s.loose || e.Facts&doubtful != 0 || o.move.tid == e.TID {
		return false
	}
	if e.Parent == 0 || e.Parent != d.Parent || e.Parent != s.is.parent || e.Parent != call.Enter.Parent || e.Dev != 0 && e.Dev != s.dev {
		return false
	}
	if e.Inode != d.Inode || e.Inode != s.is.inode || !s.is.filled || e.Inode != 0 && d.Positive == 0 {
		return false
	}
	if e.NameLen == 0 || e.NameCut() || !s.is.named || e.Name != d.Name || e.Name != call.Enter.Name || s.is.name != d.Name {
		return false
	}
	if dir := o.find(e.Parent); dir != nil && dir.Born > s.shown {
		return false
	}
	d.NameAddr, d.Hash = e.NameAddr, e.Hash
	d.hit(e)
	s.shown, s.at = e.ID, e.Time
	return true
}

// agree compares an event of a dentry with the events before it, and a lookup's result also with what the
// lookup asked for. Then it remembers what the event says.
func (o *Objects) agree(d *Object, e *schema.Event, call *Call) {
	now := identityOf(e)
	if o.move.tid == e.TID && !inMove.Has(e.Role) {
		o.move = move{} // the exit of that move was lost
	}
	if d.self.shown != 0 && d.Unwatched == 0 && o.checks.place {
		o.compare(d, e, &now)
	}
	if call != nil && asks.Has(e.Role) && d.Killed == 0 && d.Unwatched == 0 && o.checks.place {
		o.asked(d, e, call, &now)
	}
	o.remember(d, e, &now)
}

// compare notes what the event shows that the events before it rule out.
func (o *Objects) compare(d *Object, e *schema.Event, now *identity) {
	was := &d.self.is
	if e.Dev != 0 && d.self.dev != 0 && e.Dev != d.self.dev {
		o.contradict(d, e, now, otherDevice, d.self.at)
	}
	if d.Killed != 0 && racy(e.Role) {
		return
	}
	if !d.self.loose {
		switch {
		case was.named && now.named && was.name != now.name && !d.tmpfile(now.name):
			o.contradict(d, e, now, otherName, d.self.at)
		case was.parent != 0 && now.parent != 0 && was.parent != now.parent && !d.fresh():
			o.contradict(d, e, now, otherParent, d.self.at)
		}
	}
	if o.checks.inode && was.filled && now.filled && was.inode != now.inode && !frees.Has(e.Role) {
		switch given := gives.Has(e.Role); {
		case now.inode == 0 && (d.self.taken || d.Killed != 0):
		case now.inode == 0:
			o.contradict(d, e, now, noInode, d.self.at)
		case was.inode == 0 && (given || d.Born != 0 && d.Inserted == 0):
		case given && d.self.taken:
		default:
			o.contradict(d, e, now, otherInode, d.self.at)
		}
	}
	if o.checks.table && e.Role == schema.RoleInsert && d.Inserted > max(d.Dropped, d.Unhashed, d.Deleted) && !o.moves(d, e.TID) {
		o.contradict(d, e, now, twice, d.self.at)
	}
}

// home compares what the entry of a lookup shows of its directory (device, whether it is a root) with what
// is known of it.
func (o *Objects) home(d *Object, e *schema.Event) {
	s := &d.self
	if d.Unwatched != 0 || d.Killed != 0 || !o.checks.place {
		return
	}
	now, root := s.is, e.Facts&schema.FactParentIsRoot != 0
	switch {
	case e.Dev == 0:
	case s.dev == 0:
		s.dev = e.Dev
	case s.dev != e.Dev:
		o.contradict(d, e, &now, otherDevice, s.at)
	}
	if s.is.parent == 0 || s.loose || d.fresh() || root == (s.is.parent == d.Addr) {
		return
	}
	if now.parent = d.Addr; !root {
		now.parent = 0
	}
	o.contradict(d, e, &now, otherParent, s.at)
}

// fresh reports whether the dentry is still its own parent, as __d_alloc leaves it.
func (d *Object) fresh() bool { return d.Born != 0 && d.self.is.parent == d.Addr }

// tmpfile reports whether the name is the "#inode" that O_TMPFILE gives to a dentry that is never inserted.
func (d *Object) tmpfile(name string) bool {
	return d.self.is.name == "/" && d.Inserted == 0 && len(name) > 1 && name[0] == '#'
}

// asked compares the dentry that a lookup returned with what the lookup asked for. The dentry had that name
// and parent when it was found, but may have been moved before the probe read it.
func (o *Objects) asked(d *Object, e *schema.Event, lookup *Call, now *identity) {
	key := lookup.Enter
	want := identityOf(key)
	if dir := o.find(key.Parent); dir != nil && dir.Born > d.self.shown && d.self.shown != 0 && d.self.is.parent == key.Parent && now.parent == key.Parent {
		o.contradict(d, e, now, outlived, d.self.at)
	}
	if (key.Facts|e.Facts)&schema.FactParentOpHash != 0 || want.at(now) {
		return
	}
	if d.self.loose || d.Moved > lookup.After || d.self.shown != 0 && want.at(&d.self.is) {
		return // it was moved meanwhile, or compare has noted the change already
	}
	if o.contradict(d, e, now, otherKey, lookup.AfterTime) {
		d.Contradicted.key = want
	}
}

// contradict records the first contradiction of a dentry, and reports whether this is the first.
func (o *Objects) contradict(d *Object, e *schema.Event, now *identity, what string, since uint64) bool {
	if c := d.Contradicted; c != nil {
		if !racy(e.Role) || c.Event != e.ID && !now.at(&c.read) {
			c.racing = false // a locked read, or one of yet another place: no single move explains both
		}
		return false
	}
	c := &Contradiction{Event: e.ID, What: what, read: *now, tid: e.TID}
	c.racing = racy(e.Role) && what != otherDevice && what != outlived
	if w, lost := o.losses.Touched(min(since, e.Time), e.Time, changes); lost {
		c.Over, c.racing = &w, false
	}
	if d.Contradicted = c; c.racing {
		if len(o.reading) == maxReading {
			o.reading[0].over = true
			o.reading = slices.Delete(o.reading, 0, 1)
		}
		o.reading = append(o.reading, c)
	}
	return true
}

// readOver notes that a thread has gone on: whatever it was reading before, it has read by now.
func (o *Objects) readOver(e *schema.Event) {
	o.reading = slices.DeleteFunc(o.reading, func(c *Contradiction) bool {
		c.over = c.tid == e.TID && c.Event != e.ID
		return c.over || !c.racing
	})
}

// remember takes over what the event says of the dentry. While an unlocked read that contradicts the rest
// waits for an explanation, no other unlocked read is taken over.
func (o *Objects) remember(d *Object, e *schema.Event, now *identity) {
	s := &d.self
	if e.Dev != 0 && s.dev == 0 {
		s.dev = e.Dev
	}
	if c := d.Contradicted; c != nil && c.racing {
		if racy(e.Role) {
			return
		}
		o.explain(d, e, now)
	}
	if frees.Has(e.Role) || d.Killed != 0 && racy(e.Role) {
		return
	}
	if gives.Has(e.Role) {
		s.taken = s.taken && now.inode == 0
	}
	s.taken = s.taken || e.Role == schema.RoleDelete && e.Phase == schema.Enter
	if s.loose && o.move.tid != 0 && (o.move.dentry == d || o.move.other == d) && (e.Role != schema.RoleMove || e.Phase != schema.Exit) {
		now.named, now.parent = false, 0 // between its old place and the new one
	} else {
		s.loose = false
	}
	s.is.learn(now)
	s.shown, s.at = e.ID, e.Time
}

// explain drops a contradiction about the inode that this event of another task explains: the reader saw
// the change before the event that records it.
func (o *Objects) explain(d *Object, e *schema.Event, now *identity) {
	c := d.Contradicted
	if c.What != otherInode && c.What != noInode || e.TID == c.tid || !now.at(&c.read) {
		return
	}
	if gives.Has(e.Role) && c.read.inode != 0 && now.inode == c.read.inode ||
		takes.Has(e.Role) && c.read.inode == 0 && now.inode == d.self.is.inode {
		d.Contradicted = nil
	}
}

// moves reports whether the thread is in a __d_move of the dentry.
func (o *Objects) moves(d *Object, tid uint32) bool {
	return o.move.tid != 0 && o.move.tid == tid && (o.move.dentry == d || o.move.other == d)
}

// moving follows __d_move: from its entry to its exit, name and parent of both dentries may be the old or
// the new ones. Without RENAME_EXCHANGE the target keeps its name and parent, and leaves the hash table.
func (o *Objects) moving(d *Object, e *schema.Event) {
	if e.Phase == schema.Enter {
		o.move = move{tid: e.TID, dentry: d, other: o.find(e.Target), from: d.self.is, began: e.Time}
		d.self.loose = true
		if t := o.move.other; t != nil {
			o.move.to = t.place()
			t.self.loose = true
			if e.Facts&schema.FactExchange == 0 {
				t.Unhashed = e.ID
				o.places++
			}
		}
		return
	}
	m := o.move
	if o.move = (move{}); m.tid != e.TID || m.dentry != d {
		return
	}
	if now := identityOf(e); o.checks.place && d.Unwatched == 0 && !now.at(&m.to) {
		o.contradict(d, e, &now, otherPlace, m.began)
	}
	d.arrived(e.TID, &m.from, &d.self.is)
	if t := m.other; t != nil {
		t.arrived(e.TID, &t.self.is, &m.from)
	}
}

// place returns the dentry's name and parent as far as they are certain; else the zero identity.
func (d *Object) place() identity {
	s := &d.self
	if s.loose || d.Unwatched != 0 || d.Killed != 0 || d.Forgotten || d.Contradicted != nil {
		return identity{}
	}
	at := s.is
	if d.fresh() {
		at.parent = 0
	}
	return at
}

// arrived drops a contradiction of name or parent that moves by other tasks explain: the name and the
// parent that were read, and those that were asked for, are each those before or after one of the moves.
// There may be several moves, as a task can be interrupted between the time of its event and the read.
func (d *Object) arrived(tid uint32, from, to *identity) {
	c := d.Contradicted
	if c == nil || !c.racing || c.tid == tid || c.What == otherInode || c.What == noInode {
		return
	}
	c.places = append(c.places, *from, *to)
	same := !c.read.filled || !from.filled || c.read.inode == from.inode
	if same && c.read.among(c.places) && c.key.among(c.places) {
		d.Contradicted, c.racing = nil, false
	} else if !same || c.over || len(c.places) >= 2*maxMoves {
		c.racing = false
	}
}

// among reports whether name and parent, as far as they are known, are each those of one of the places.
func (i *identity) among(places []identity) bool {
	name, parent := !i.named, i.parent == 0
	for _, p := range places {
		name, parent = name || i.name == p.name, parent || i.parent == p.parent
	}
	return name && parent
}
