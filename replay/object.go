// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Object is a dentry: an address with a lifetime. Another allocation at the same address is another Object.
// Ids are event ids; 0 means that no such event was seen.
type Object struct {
	Seq  uint64 // D1, D2 … in order of birth or first sight; 0 after events were skipped
	Addr uint64

	Born     uint64 // exit of the alloc; 0: older than the recording
	BornTime uint64
	First    uint64 // first event that showed it
	FirstAt  uint64 // time of that event, nanoseconds since boot
	Added    uint64 // first insert into the hash table
	Inserted uint64 // last insert
	Bare     bool   // it had no inode at the last insert
	Positive uint64 // event that first showed it with an inode, after it was last seen without
	Hit      uint64 // last lookup that returned it
	HitRole  schema.Role
	Moved    uint64 // last __d_move of it, or of another into its place: its name or parent may differ since
	Dropped  uint64 // last __d_drop
	Deleted  uint64 // entry of the last d_delete
	Unread   uint64 // last event that could not read its inode
	Unhashed uint64 // first event, since it was last seen in the hash table, that showed it out of it, other than its alloc; not of its end
	Killed   uint64 // see Ended
	KillTime uint64
	Evict    uint64 // the drop_caches call that killed it
	Freed    uint64

	// Attempt is the last kill, even if the dentry was in use again after it. Where the kernel's function
	// is dentry_kill, the kill may still be waiting.
	Attempt   uint64
	tries     bool   // Killed may be only an attempt
	killer    uint32 // the thread of the last attempt
	contested bool   // several threads made attempts
	freer     uint32 // the thread that freed it

	// As last seen before it was freed.
	Parent   uint64
	Inode    uint64 // 0: negative
	Name     string
	NameAddr uint64
	Hash     uint32

	// The dentry that had this address before.
	Before Former
	// Broken is the event that freed it, returned its address from an alloc, or showed another dentry
	// there, although no kill of it was seen: the kill was missed.
	Broken uint64
	// Unwatched is its first event with FACT_UNWATCHED, from which on the kernel side could not follow it:
	// its end may have been missed, and a later event may be of another dentry.
	Unwatched uint64
	// Forgotten: this dentry was forgotten, or it may be one forgotten earlier at this address.
	Forgotten bool
	// Contradicted is the first of its events that does not fit the others; nil: all fit.
	Contradicted *Contradiction
	Notes        *Notes // nil: none
	notes        *Notes // of the dentry whose memory this was, to be used again

	self   self
	placed bool // a path was made with its name
	kept   bool // see Keep
	bytes  int  // its size as remembered counts it

	older, younger *Object // see remembered
	seen           bool    // since surplus last looked at it
}

// Ended reports whether Killed has ended it. dentry_kill, from Linux 7.2 on, may let go of d_lock and find
// the dentry in use again, or killed by another task. Such a kill is certain if the same thread freed the
// dentry after it and no other thread tried to kill it.
func (d *Object) Ended() bool {
	return d.Killed != 0 && (!d.tries || d.Freed != 0 && !d.contested && d.freer == d.killer)
}

// Negative reports whether it had no inode when it was last seen. known reports whether an event of its own
// shows that.
func (d *Object) Negative() (is, known bool) {
	return d.Inode == 0, d.self.shown != 0 && (d.Inode != 0 || d.Unread == 0)
}

// Out returns the event that dropped it from the hash table, or the first one that showed it out of it, if none
// has shown it there since; 0: none did. The root of a filesystem is never there.
func (d *Object) Out() uint64 {
	if at := max(d.Dropped, d.Unhashed); at > d.Inserted && at >= d.Hit {
		return at
	}
	return 0
}

// End says what is known of its end: "killed"; "attempted" if the kill may have failed; "missed" if its
// memory was freed or used again without a recorded kill; "forgotten" if it, or a dentry at its address,
// was forgotten as more were known than are remembered; or else "alive".
func (d *Object) End() string {
	switch {
	case d.Ended():
		return "killed"
	case d.Killed != 0:
		return "attempted"
	case d.Broken != 0:
		return "missed"
	case d.Forgotten:
		return "forgotten"
	}
	return "alive"
}

// Former is what remains of a dentry whose memory was given back.
type Former struct {
	Seq    uint64 // 0: none known
	Killed uint64
}

// maxFormer bounds the former dentries that are remembered, one for each address.
const maxFormer = 1 << 16

// Objects knows the dentry behind every address seen.
type Objects struct {
	at      map[uint64]*slot
	near    [nearSlots]*slot // cache of at, by a hash of the address
	known   remembered
	numbers bool // only the number of each event's dentry is needed: see goesOn
	spent   spent
	formers int // slots with a former dentry
	seq     uint64
	free    bool   // dentry_free is recorded: an address is reused only after it
	lookups bool   // the parents of lookups are watched
	tries   bool   // a kill may be only an attempt
	passed  bool   // events were skipped: new dentries get no number
	places  uint64 // counts changes after which a path made before may differ
	checks  checks
	move    move
	reading []*Contradiction // unlocked reads by threads that have had no event since
	losses  *Losses
	ended   func(*Object) // called for each dentry whose address is free for another; may be nil
}

func newObjects(h *schema.Header, losses *Losses) Objects {
	o := Objects{at: make(map[uint64]*slot), lookups: h.GetParentsWatched(), losses: losses}
	whole, vague := Recorded(h)
	o.checks = checksOf(whole &^ vague)
	o.free = (whole &^ vague).Has(schema.RoleFree)
	for _, p := range h.GetProbe() {
		o.tries = o.tries || p.Attached && p.Role == schema.RoleKill && p.Symbol == "dentry_kill"
	}
	return o
}

// restart forgets all dentries, as if the trace began here.
func (o *Objects) restart() {
	clear(o.at)
	o.known = remembered{forget: o.known.forget}
	if o.spent.oldest != nil {
		o.spent = spent{}
	}
	o.near, o.move, o.reading = [nearSlots]*slot{}, move{}, nil
	o.seq, o.formers, o.passed = 0, 0, true
	o.places++
}

// Tries reports whether a kill may be only an attempt, as with dentry_kill: see Object.Ended.
func (o *Objects) Tries() bool { return o.tries }

// At returns the live dentry at an address, or nil where none was seen.
func (o *Objects) At(addr uint64) *Object {
	if d := o.find(addr); d != nil && d.Killed == 0 {
		return d
	}
	return nil
}

// apply continues the life of the event's dentry and returns it. The call is the one that the event ends,
// or is; nil: none.
//
//  1. The exit of an alloc begins a new object, whatever was at the address. If no kill of the old
//     one was seen, that one is Broken.
//  2. After its kill a dentry may still be dropped, freed, or found by an rcu-walk that races with the
//     kill: it stays the same object until it is freed. Where the kill may be only an attempt, an event
//     that takes a reference shows that the dentry is alive. Most often the event is a lookup that
//     returned the dentry unchanged; see same.
//  3. Once it is freed, an event at the address shows an object whose birth was missed.
func (o *Objects) apply(e *schema.Event, call *Call) *Object {
	d := o.find(e.Dentry)
	switch {
	case begins.Has(e.Role) && e.Phase == schema.Exit:
		if d != nil {
			o.endAt(d, e.ID)
		}
		d = o.meet(e.Dentry, e)
		d.Born, d.BornTime = e.ID, e.Time
	case d == nil:
		d = o.meet(e.Dentry, e)
	case d.Killed != 0 && !o.free && !(ends | frees | leaves).Has(e.Role):
		o.endAt(d, e.ID)
		d = o.meet(e.Dentry, e)
	default:
		if d.seen = true; !o.numbers && o.same(d, e, call) {
			return d
		}
	}
	if o.numbers {
		o.goesOn(d, e)
		return d
	}
	o.agree(d, e, call)
	out := d.placed && d.Out() != 0
	if d.placed && (e.Parent != d.Parent || e.Name != d.Name) {
		o.places++
	}
	d.see(e)
	if d.placed && out != (d.Out() != 0) {
		o.places++
	}
	o.known.name(d, len(d.Name))
	if e.Role == schema.RoleMove {
		o.displaced(e.Target, e.ID)
		o.moving(d, e)
	}
	if frees.Has(e.Role) {
		o.endAt(d, e.ID)
	}
	return d
}

// goesOn takes the place of the rest of apply where only the numbers of dentries are needed: it decides
// whether the next event at the address is of the same dentry. It neither remembers what events say of a
// dentry nor compares it.
func (o *Objects) goesOn(d *Object, e *schema.Event) {
	switch {
	case frees.Has(e.Role):
		o.endAt(d, e.ID)
		return
	case ends.Has(e.Role):
		d.kill(e)
	case d.tries && held.Has(e.Role):
		d.Killed = 0
	}
	o.known.name(d, len(e.Name))
}

// displaced notes that __d_move has put another dentry in the place of the target, or has exchanged the
// two.
func (o *Objects) displaced(target, by uint64) {
	if t := o.find(target); target != 0 && t != nil {
		t.Moved = by
	}
}

// under continues the life of the directory that a lookup is entered for. Of a directory without events of
// its own, only the address is known.
func (o *Objects) under(e *schema.Event) {
	if !o.lookups || e.Parent == 0 {
		return
	}
	d := o.find(e.Parent)
	if d != nil && d.Killed != 0 && !o.free {
		o.endAt(d, e.ID)
		d = nil
	}
	if d == nil {
		d = o.meet(e.Parent, e)
	}
	if e.Facts&schema.FactUnwatched != 0 && d.Unwatched == 0 {
		d.Unwatched = e.ID
	}
	if d.seen = true; !o.numbers {
		o.home(d, e)
	}
}

// meet begins the Object of a dentry that is seen for the first time.
func (o *Objects) meet(addr uint64, e *schema.Event) *Object {
	if !o.passed {
		o.seq++
	}
	d := o.spent.take()
	notes := cmp.Or(d.Notes, d.notes)
	*d = Object{Seq: o.seq, Addr: addr, First: e.ID, FirstAt: e.Time, tries: o.tries, notes: notes}
	o.recall(d, e)
	o.makeRoom()
	p := o.slot(addr)
	if p == nil {
		p = &slot{addr: addr}
		o.at[addr], *o.nearest(addr) = p, p
	}
	p.here, d.Before = d, p.former
	o.known.keep(d)
	return d
}

// endAt ends whatever was at the address until the event by.
func (o *Objects) endAt(d *Object, by uint64) {
	if d.Killed == 0 {
		d.Broken = by
	}
	if o.formers >= maxFormer {
		o.forgetFormer()
	}
	p := o.slot(d.Addr)
	if p.former == (Former{}) {
		o.formers++
	}
	p.former = Former{Seq: d.Seq, Killed: d.Killed}
	o.remove(d)
	if o.ended != nil {
		o.ended(d)
	}
}

func (d *Object) see(e *schema.Event) {
	if d.tries && d.Killed != 0 && held.Has(e.Role) {
		d.Killed, d.KillTime, d.Evict = 0, 0, 0
	}
	if e.Inode != 0 && (d.Positive == 0 || d.Inode == 0 || e.Role == schema.RoleInstantiate) && e.Facts&schema.FactInodeUnknown == 0 {
		d.Positive = e.ID
	}
	if !frees.Has(e.Role) {
		d.Parent, d.Inode, d.NameAddr, d.Hash = e.Parent, e.Inode, e.NameAddr, e.Hash
		if d.Name != e.Name {
			d.Name = strings.Clone(e.Name) // an event's string shares memory with others
		}
		if d.self.is.name == d.Name {
			d.self.is.name = d.Name
		}
	}
	if e.Facts&schema.FactUnwatched != 0 && d.Unwatched == 0 {
		d.Unwatched = e.ID
	}
	if e.Facts&schema.FactInodeUnknown != 0 {
		d.Unread = e.ID
	}
	if mark := marks[slotOf(e.Role)]; mark != nil {
		mark(d, e)
	}
	if e.Facts&schema.FactUnhashed != 0 && d.Killed == 0 && !begins.Has(e.Role) && d.Out() == 0 {
		d.Unhashed = e.ID
	}
	if ends.Has(e.Role) {
		d.kill(e)
	}
}

// marks holds what an object keeps of the last event of a role, besides what it keeps of every event.
var marks = [maxRole]func(*Object, *schema.Event){
	schema.RoleLookup:      (*Object).hit,
	schema.RoleLookupChain: (*Object).hit,
	schema.RoleLookupRCU:   (*Object).hit,
	schema.RoleInsert: func(d *Object, e *schema.Event) {
		d.Inserted, d.Bare = e.ID, e.Negative()
		if d.Added == 0 {
			d.Added = e.ID
		}
	},
	schema.RoleDelete: func(d *Object, e *schema.Event) {
		if e.Phase == schema.Enter {
			d.Deleted = e.ID
		}
	},
	schema.RoleMove: func(d *Object, e *schema.Event) { d.Moved = e.ID },
	schema.RoleDrop: func(d *Object, e *schema.Event) { d.Dropped = e.ID },
	schema.RoleFree: func(d *Object, e *schema.Event) { d.Freed, d.freer = e.ID, e.TID },
}

func (d *Object) hit(e *schema.Event) { d.Hit, d.HitRole = e.ID, e.Role }

// kill notes the end of the dentry, or an attempt at it: see Ended.
func (d *Object) kill(e *schema.Event) {
	if d.Killed == 0 {
		d.Killed, d.KillTime = e.ID, e.Time
	}
	d.contested = d.contested || d.Attempt != 0 && d.killer != e.TID
	d.Attempt, d.killer = e.ID, e.TID
}
