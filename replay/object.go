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

	Born             uint64 // exit of the alloc; 0: older than the recording
	BornTime         uint64
	First            uint64 // first event that showed it
	FirstAt          uint64 // time of that event, nanoseconds since boot
	LastAt           uint64 // time of the last event that showed it
	FirstInserted    uint64 // first insert into the hash table
	Inserted         uint64 // last insert
	InsertedNegative bool   // it had no inode at the last insert
	Positive         uint64 // event that first showed it with an inode, after it was last seen without
	Hit              uint64 // last lookup that returned it
	HitRole          schema.Role
	Moved            uint64 // last __d_move of it, or of another into its place: its name or parent may differ since
	Dropped          uint64 // last __d_drop
	Deleted          uint64 // entry of the last d_delete
	InodeUnread      uint64 // last event that could not read its inode
	Unhashed         uint64 // first event, since it was last seen in the hash table, that showed it out of it, other than its alloc; not of its end
	Killed           uint64 // see Ended
	KillTime         uint64
	Evict            uint64 // the drop_caches call that killed it
	Freed            uint64

	// KillAttempt is the last kill, even if the dentry was in use again after it. Where the kernel's function
	// is dentry_kill, the kill may still be waiting.
	KillAttempt uint64
	killMayFail bool   // Killed may be only an attempt
	killer      uint32 // the thread of the last attempt
	contested   bool   // several threads made attempts
	freer       uint32 // the thread that freed it

	// As last seen before it was freed.
	Parent   uint64
	Inode    uint64 // 0: negative
	Name     string
	NameAddr uint64
	Hash     uint32
	FSType   string // type of its filesystem; empty: no event of its own says

	// The dentry that had this address before.
	Former FormerObject
	// KillMissed is the event that freed it, returned its address from an alloc, or showed another dentry
	// there, although no kill of it was seen: the kill was missed.
	KillMissed uint64
	// Unwatched is its first event with FACT_UNWATCHED, from which on the kernel side could not follow it:
	// its end may have been missed, and a later event may be of another dentry.
	Unwatched uint64
	// Unsure, set when the trace has ended: kills were not recorded, or may be among events lost after LastAt.
	Unsure bool
	// Forgotten: this dentry was forgotten, or it may be one forgotten earlier at this address.
	Forgotten bool
	// Contradicted is the first of its events that does not fit the others; nil: all fit.
	Contradicted *Contradiction
	Notes        *Notes // nil: none
	notes        *Notes // of the dentry whose memory this was, to be used again

	last   lastShown
	inPath bool // a path was made with its name
	kept   bool // see Keep
	bytes  int  // its size as remembered counts it

	older, younger *Object // see objectRing
	seen           bool    // since nextToForget last looked at it
}

// Ended reports whether Killed has ended it. dentry_kill, from Linux 7.2 on, may let go of d_lock and find
// the dentry in use again, or killed by another task. Such a kill is certain if the same thread freed the
// dentry after it and no other thread tried to kill it.
func (d *Object) Ended() bool {
	return d.Killed != 0 && (!d.killMayFail || d.Freed != 0 && !d.contested && d.freer == d.killer)
}

// Negative reports whether it had no inode when it was last seen. known reports whether an event of its own
// shows that.
func (d *Object) Negative() (is, known bool) {
	return d.Inode == 0, d.last.event != 0 && (d.Inode != 0 || d.InodeUnread == 0)
}

// UnhashedSince returns the event that dropped it from the hash table, or the first one that showed it
// unhashed, if none has shown it in the table since; 0: none did. The root of a filesystem is never there.
func (d *Object) UnhashedSince() uint64 {
	if at := max(d.Dropped, d.Unhashed); at > d.Inserted && at >= d.Hit {
		return at
	}
	return 0
}

// End says what is known of its end: "killed"; "attempted" if the kill may have failed; "missed" if its
// memory was freed or used again without a recorded kill; "forgotten" if it, or a dentry at its address, was
// forgotten as more were known than are remembered; "unknown" if it is Unwatched or Unsure; or else "alive".
func (d *Object) End() string {
	switch {
	case d.Ended():
		return "killed"
	case d.Killed != 0:
		return "attempted"
	case d.KillMissed != 0:
		return "missed"
	case d.Forgotten:
		return "forgotten"
	case d.Unwatched != 0 || d.Unsure:
		return "unknown"
	}
	return "alive"
}

// FormerObject is what remains of a dentry whose memory was given back.
type FormerObject struct {
	Seq    uint64 // 0: none known
	Killed uint64
}

// maxFormer bounds the former dentries that are remembered, one for each address.
const maxFormer = 1 << 16

// Objects knows the dentry behind every address seen.
type Objects struct {
	slots          map[uint64]*slot
	cache          [cacheSlots]*slot // cache of slots, by a hash of the address
	ring           objectRing
	numbersOnly    bool // only the number of each event's dentry is needed: see applyNumberOnly
	freeList       freeList
	formers        int // slots with a former dentry
	seq            uint64
	freesRecorded  bool   // dentry_free is recorded: an address is reused only after it
	parentsWatched bool   // the parents of lookups are watched
	killsMayFail   bool   // a kill may be only an attempt
	skipped        bool   // events were skipped: new dentries get no number
	pathChanges    uint64 // counts changes after which a path made before may differ
	checks         checks
	move           move
	unlockedReads  []*Contradiction // unlocked reads by threads that have had no event since
	fsType         string           // FSType of the dentry that got it last
	losses         *Losses
	onEnded        func(*Object) // called for each dentry whose address is free for another; may be nil
}

func newObjects(h *schema.Header, losses *Losses) Objects {
	o := Objects{slots: make(map[uint64]*slot), parentsWatched: h.GetParentsWatched(), losses: losses}
	whole, vague := RecordedRoles(h)
	o.checks = checksOf(whole &^ vague)
	o.freesRecorded = (whole &^ vague).Has(schema.RoleFree)
	for _, p := range h.GetProbe() {
		o.killsMayFail = o.killsMayFail || p.Attached && p.Role == schema.RoleKill && p.Symbol == "dentry_kill"
	}
	return o
}

// restart forgets all dentries, as if the trace began here.
func (o *Objects) restart() {
	clear(o.slots)
	o.ring = objectRing{onForget: o.ring.onForget}
	if o.freeList.oldestEntry != nil {
		o.freeList = freeList{}
	}
	o.cache, o.move, o.unlockedReads = [cacheSlots]*slot{}, move{}, nil
	o.seq, o.formers, o.skipped = 0, 0, true
	o.pathChanges++
}

// KillsMayFail reports whether a kill may be only an attempt, as with dentry_kill: see Object.Ended.
func (o *Objects) KillsMayFail() bool { return o.killsMayFail }

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
//     one was seen, that one gets KillMissed.
//  2. After its kill a dentry may still be dropped, freed, or found by an rcu-walk that races with the
//     kill: it stays the same object until it is freed. Where the kill may be only an attempt, an event
//     that takes a reference shows that the dentry is alive. Most often the event is a lookup that
//     returned the dentry unchanged; see applyUnchanged.
//  3. Once it is freed, an event at the address shows an object whose birth was missed.
func (o *Objects) apply(e *schema.Event, call *Call) *Object {
	d := o.find(e.Dentry)
	switch {
	case beginRoles.Has(e.Role) && e.Phase == schema.Exit:
		if d != nil {
			o.endObject(d, e.ID)
		}
		d = o.newObject(e.Dentry, e)
		d.Born, d.BornTime = e.ID, e.Time
	case d == nil:
		d = o.newObject(e.Dentry, e)
	case d.Killed != 0 && !o.freesRecorded && !(endRoles | freeRoles | unhashRoles).Has(e.Role):
		o.endObject(d, e.ID)
		d = o.newObject(e.Dentry, e)
	default:
		if d.seen, d.LastAt = true, e.Time; !o.numbersOnly && o.applyUnchanged(d, e, call) {
			return d
		}
	}
	if o.numbersOnly {
		o.applyNumberOnly(d, e)
		return d
	}
	o.check(d, e, call)
	o.noteFSType(d, e)
	out := d.inPath && d.UnhashedSince() != 0
	if d.inPath && (e.Parent != d.Parent || e.Name != d.Name) {
		o.pathChanges++
	}
	d.update(e)
	if d.inPath && out != (d.UnhashedSince() != 0) {
		o.pathChanges++
	}
	o.ring.resize(d, len(d.Name))
	if e.Role == schema.RoleMove {
		o.noteDisplaced(e.Target, e.ID)
		o.applyMove(d, e)
	}
	if freeRoles.Has(e.Role) {
		o.endObject(d, e.ID)
	}
	return d
}

// applyNumberOnly takes the place of the rest of apply where only the numbers of dentries are needed: it decides
// whether the next event at the address is of the same dentry. It neither remembers what events say of a
// dentry nor compares it.
func (o *Objects) applyNumberOnly(d *Object, e *schema.Event) {
	switch {
	case freeRoles.Has(e.Role):
		o.endObject(d, e.ID)
		return
	case endRoles.Has(e.Role):
		d.kill(e)
	case d.killMayFail && holdRoles.Has(e.Role):
		d.Killed = 0
	}
	o.ring.resize(d, len(e.Name))
}

// noteDisplaced notes that __d_move has put another dentry in the place of the target, or has exchanged the
// two.
func (o *Objects) noteDisplaced(target, by uint64) {
	if t := o.find(target); target != 0 && t != nil {
		t.Moved = by
	}
}

// applyParent continues the life of the directory that a lookup is entered for. Of a directory without events of
// its own, only the address is known.
func (o *Objects) applyParent(e *schema.Event) {
	if !o.parentsWatched || e.Parent == 0 {
		return
	}
	d := o.find(e.Parent)
	if d != nil && d.Killed != 0 && !o.freesRecorded {
		o.endObject(d, e.ID)
		d = nil
	}
	if d == nil {
		d = o.newObject(e.Parent, e)
	}
	if e.Facts&schema.FactUnwatched != 0 && d.Unwatched == 0 {
		d.Unwatched = e.ID
	}
	o.noteFSType(d, e)
	if d.seen, d.LastAt = true, e.Time; !o.numbersOnly {
		o.checkDir(d, e)
	}
}

// newObject begins the Object of a dentry that is seen for the first time.
func (o *Objects) newObject(addr uint64, e *schema.Event) *Object {
	if !o.skipped {
		o.seq++
	}
	d := o.freeList.take()
	notes := cmp.Or(d.Notes, d.notes)
	*d = Object{Seq: o.seq, Addr: addr, First: e.ID, FirstAt: e.Time, LastAt: e.Time, killMayFail: o.killsMayFail, notes: notes}
	o.markForgotten(d, e)
	o.makeRoom()
	p := o.slot(addr)
	if p == nil {
		p = &slot{addr: addr}
		o.slots[addr], *o.cacheSlot(addr) = p, p
	}
	p.object, d.Former = d, p.former
	o.ring.add(d)
	return d
}

// endObject ends whatever was at the address until the event by.
func (o *Objects) endObject(d *Object, by uint64) {
	if d.Killed == 0 {
		d.KillMissed = by
	}
	if o.formers >= maxFormer {
		o.forgetFormer()
	}
	p := o.slot(d.Addr)
	if p.former == (FormerObject{}) {
		o.formers++
	}
	p.former = FormerObject{Seq: d.Seq, Killed: d.Killed}
	o.remove(d)
	if o.onEnded != nil {
		o.onEnded(d)
	}
}

func (d *Object) update(e *schema.Event) {
	if d.killMayFail && d.Killed != 0 && holdRoles.Has(e.Role) {
		d.Killed, d.KillTime, d.Evict = 0, 0, 0
	}
	if e.Inode != 0 && (d.Positive == 0 || d.Inode == 0 || e.Role == schema.RoleInstantiate) && e.Facts&schema.FactInodeUnknown == 0 {
		d.Positive = e.ID
	}
	if !freeRoles.Has(e.Role) {
		d.Parent, d.Inode, d.NameAddr, d.Hash = e.Parent, e.Inode, e.NameAddr, e.Hash
		if d.Name != e.Name {
			d.Name = strings.Clone(e.Name) // an event's string shares memory with others
		}
		if d.last.identity.name == d.Name {
			d.last.identity.name = d.Name
		}
	}
	if e.Facts&schema.FactUnwatched != 0 && d.Unwatched == 0 {
		d.Unwatched = e.ID
	}
	if e.Facts&schema.FactInodeUnknown != 0 {
		d.InodeUnread = e.ID
	}
	if mark := roleUpdates[slotOf(e.Role)]; mark != nil {
		mark(d, e)
	}
	if e.Facts&schema.FactUnhashed != 0 && d.Killed == 0 && !beginRoles.Has(e.Role) && d.UnhashedSince() == 0 {
		d.Unhashed = e.ID
	}
	if endRoles.Has(e.Role) {
		d.kill(e)
	}
}

// roleUpdates holds what an object keeps of the last event of a role, besides what it keeps of every event.
var roleUpdates = [maxRole]func(*Object, *schema.Event){
	schema.RoleLookup:      (*Object).noteHit,
	schema.RoleLookupChain: (*Object).noteHit,
	schema.RoleLookupRCU:   (*Object).noteHit,
	schema.RoleInsert: func(d *Object, e *schema.Event) {
		d.Inserted, d.InsertedNegative = e.ID, e.Negative()
		if d.FirstInserted == 0 {
			d.FirstInserted = e.ID
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

func (d *Object) noteHit(e *schema.Event) { d.Hit, d.HitRole = e.ID, e.Role }

// kill notes the end of the dentry, or an attempt at it: see Ended.
func (d *Object) kill(e *schema.Event) {
	if d.Killed == 0 {
		d.Killed, d.KillTime = e.ID, e.Time
	}
	d.contested = d.contested || d.KillAttempt != 0 && d.killer != e.TID
	d.KillAttempt, d.killer = e.ID, e.TID
}
