// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is remembered, so that no file makes a reader use more memory than the machine has. A
// recording of a sound kernel does not come near those on calls. One with very many dentries reaches
// objectsBudget; the dentries not seen for longest are then forgotten.
const (
	maxThreads    = 1 << 16  // threads whose path calls, or lines of a kernel log, are remembered
	maxDepth      = 128      // nested calls of one thread
	callsBudget   = 8 << 20  // bytes of all calls in progress
	callBytes     = 512      // bytes of one, about, its share of the thread included
	sweepEvery    = 4096     // entries between two counts of those bytes
	objectsBudget = 32 << 20 // bytes of all dentries
	objectBytes   = 512      // bytes of one, about, with a report's notes on it and without its name
)

// limitCalls makes room for one more call of the thread, which may be nil, and reports whether calls were
// dropped for that. The dropped calls get a window of loss, as if the file lacked their exits.
func (s *State) limitCalls(t *thread) (dropped bool) {
	if t != nil && len(t.calls) >= maxDepth {
		s.Losses.addDropped(t.calls[0].Enter.Time, s.now)
		s.abandon(t)
		dropped = true
	}
	if s.entries < sweepEvery {
		return dropped
	}
	s.entries = 0
	bytes, first := 0, uint64(math.MaxUint64)
	clear(s.execing)
	for _, t := range s.threads {
		t.each(func(c *Call) {
			bytes += callBytes + len(c.Enter.Name)
			first = min(first, c.Enter.Time)
		})
		for _, c := range t.calls {
			if execRoles.Has(c.Enter.Role) {
				s.execing[c.Enter.PID] = append(s.execing[c.Enter.PID], t)
			}
		}
	}
	if bytes > callsBudget {
		s.Losses.addDropped(first, s.now)
		s.EachInProgress(func(c *Call) { s.giveUp(c) })
		clear(s.threads)
		clear(s.execing)
		s.last, dropped = nil, true
	}
	s.idle = nil
	return dropped
}

// threadsInOrder returns the known threads by thread id, so that callbacks run in the same order each time.
func (s *State) threadsInOrder() []*thread {
	return slices.SortedFunc(maps.Values(s.threads), func(a, b *thread) int { return cmp.Compare(a.tid, b.tid) })
}

// EachInProgress calls f for every call whose exit has not been seen, in the order of thread ids.
func (s *State) EachInProgress(f func(*Call)) {
	for _, t := range s.threadsInOrder() {
		t.each(f)
	}
}

// each calls f for every call of the thread in progress, the pending ones last.
func (t *thread) each(f func(*Call)) {
	for _, c := range t.calls {
		f(c)
	}
	for _, c := range t.pending {
		f(c)
	}
}

// addDropped adds a window of loss for calls that were entered between two times and dropped for lack of room.
func (l *Losses) addDropped(first, now uint64) {
	const why = "more calls in progress than are followed"
	if n := len(l.windows); n > 0 && l.windows[n-1].Why == why {
		w := &l.windows[n-1]
		l.stale = true
		w.First, w.Last = min(w.First, first), max(w.Last, now)
		return
	}
	l.add(Window{First: first, Last: now, Why: why, begun: true}, now) // begun, as the calls have been removed already
}

// objectRing holds the known dentries as a ring in the order in which they were first seen.
type objectRing struct {
	oldest    *Object
	bytes     int
	forgotten []uint64 // Bloom filter, one bit by hash, of the addresses of forgotten dentries; nil: none
	count     uint64   // dentries forgotten

	onForget []func(*Object) // called for each dentry that is forgotten
}

// add adds a dentry as the youngest.
func (r *objectRing) add(d *Object) {
	d.bytes = objectBytes
	r.bytes += objectBytes
	if r.oldest == nil {
		d.older, d.younger = d, d
		r.oldest = d
		return
	}
	d.older, d.younger = r.oldest.older, r.oldest
	d.older.younger, r.oldest.older = d, d
}

// resize updates the bytes counted for a dentry, whose name now has the given length.
func (r *objectRing) resize(d *Object, bytes int) {
	r.bytes += objectBytes + bytes - d.bytes
	d.bytes = objectBytes + bytes
}

// remove removes a dentry.
func (r *objectRing) remove(d *Object) {
	r.bytes -= d.bytes
	if d.younger == d {
		r.oldest = nil
	} else if d.older.younger, d.younger.older = d.younger, d.older; r.oldest == d {
		r.oldest = d.younger
	}
	d.older, d.younger = nil, nil
}

// nextToForget returns the dentry to forget next, or nil while there is room. A dentry that was seen since the
// last time round stays another round, as in the CLOCK algorithm.
func (r *objectRing) nextToForget() *Object {
	if r.bytes+objectBytes <= objectsBudget || r.oldest == nil {
		return nil
	}
	for r.oldest.seen {
		r.oldest.seen = false
		r.oldest = r.oldest.younger
	}
	return r.oldest
}

const (
	filterBits  = 1 << 20
	filterShift = 64 - 20
)

// bitOf returns the place of an address in the filter. It hashes, as the lowest bits of all dentries'
// addresses are alike.
func bitOf(addr uint64) (word int, bit uint64) {
	h := addr * 0x9e3779b97f4a7c15 >> filterShift
	return int(h / 64), 1 << (h % 64)
}

// forget records that a dentry was forgotten.
func (r *objectRing) forget(d *Object) {
	if r.forgotten == nil {
		r.forgotten = make([]uint64, filterBits/64)
	}
	word, bit := bitOf(d.Addr)
	r.forgotten[word] |= bit
	r.count++
	d.Forgotten = true
	for _, f := range r.onForget {
		f(d)
	}
}

// mayHaveForgotten reports whether a dentry at the address may have been forgotten; a hash collision can
// make it true.
func (r *objectRing) mayHaveForgotten(addr uint64) bool {
	word, bit := bitOf(addr)
	return r.forgotten != nil && r.forgotten[word]&bit != 0
}

// Forgotten returns how many dentries were forgotten because more were known at once than are remembered.
func (o *Objects) Forgotten() uint64 { return o.ring.count }

// OnForget adds f to the functions that are called for each dentry that is forgotten.
func (o *Objects) OnForget(f func(*Object)) { o.ring.onForget = append(o.ring.onForget, f) }

// makeRoom forgets dentries until there is room for one more.
func (o *Objects) makeRoom() {
	for d := o.ring.nextToForget(); d != nil; d = o.ring.nextToForget() {
		o.ring.forget(d)
		o.remove(d)
	}
}

// remove takes a dentry off its address.
func (o *Objects) remove(d *Object) {
	if d.inPath {
		o.pathChanges++
	}
	p := o.slot(d.Addr)
	if p.object = nil; p.former == (FormerObject{}) {
		o.release(p)
	}
	if o.ring.remove(d); d != o.move.dentry && d != o.move.other {
		o.freeList.put(d)
	}
}

// freeList is a list, linked by younger, of dentries that have left their address. Their memory is used for
// dentries seen later, if the owner of the State keeps no dentry beyond the event at hand (oldest is nil)
// or beyond the calls in progress when it was freed. It saves allocations, as most dentries of a busy cache
// live for a few events.
type freeList struct {
	enabled     bool          // false: no list is kept
	oldestEntry func() uint64 // see State.oldestEntry; nil: nobody keeps a dentry beyond the event
	entryBound  uint64        // event id: every call in progress was entered at it or later
	recountIn   int           // how many more calls of canReuse until entryBound is computed again
	first, last *Object       // last may still be the dentry of the event at hand
	count       int
}

const maxFreeObjects = 1 << 10

func (l *freeList) put(d *Object) {
	switch {
	case !l.enabled || l.count == maxFreeObjects, l.oldestEntry != nil && (d.kept || d.Killed == 0 || d.Freed == 0):
		return
	case l.last == nil:
		l.first = d
	default:
		l.last.younger = d
	}
	l.last = d
	l.count++
}

// take returns an Object to overwrite: a spent one, or a new one.
func (l *freeList) take() *Object {
	d := l.first
	if d == l.last || l.oldestEntry != nil && !l.canReuse(d) {
		return new(Object)
	}
	l.first = d.younger
	l.count--
	return d
}

// canReuse reports whether every call has ended that was in progress when the dentry was freed. With many
// threads, the calls are not looked at each time.
func (l *freeList) canReuse(d *Object) bool {
	if d.Freed < l.entryBound {
		return true
	}
	if l.recountIn--; l.recountIn < 0 {
		l.entryBound = l.oldestEntry()
	}
	return d.Freed < l.entryBound
}

// Reuse makes the state use the memory of a dentry that was killed and freed for one seen later, once every
// call that was in progress when it was freed has returned, and as long as no event is known to be lost.
// Whoever keeps an Object for longer than the path call at hand must call its Keep. A Negative passed to a
// Model's hook is then valid only until the hook returns. Reuse does nothing where the trace lacks the
// exits of path calls.
func (s *State) Reuse() {
	if l := &s.Objects.freeList; s.exitsRecorded {
		l.enabled, l.oldestEntry = true, s.oldestEntry
	}
}

// Keep excludes the dentry from Reuse: its memory is not used for another one.
func (d *Object) Keep() { d.kept = true }

// oldestEntry returns the smallest entry id of the calls in progress, that of the event at hand included.
func (s *State) oldestEntry() uint64 {
	l := &s.Objects.freeList
	if l.recountIn = len(s.threads) / 8; len(s.Losses.windows) > 0 {
		return l.entryBound // with events lost, it is not known which calls have ended
	}
	first := s.step.Event.ID
	if s.step.Call != nil {
		first = s.step.Call.Enter.ID
	}
	for _, t := range s.threads {
		t.each(func(c *Call) { first = min(first, c.Enter.ID) })
	}
	return first
}

// markForgotten marks a dentry first seen at an address where one may have been forgotten as Forgotten: it may be
// the same one. The exit of an alloc is certain to begin a new one.
func (o *Objects) markForgotten(d *Object, e *schema.Event) {
	d.Forgotten = o.ring.mayHaveForgotten(d.Addr) && !(beginRoles.Has(e.Role) && e.Phase == schema.Exit && e.Dentry == d.Addr)
}

// slot is an address that a dentry has or had.
type slot struct {
	addr   uint64
	object *Object      // nil: no dentry is known there now
	former FormerObject // the dentry there before
}

// cacheSlots is small, so that the table stays in the CPU's cache.
const cacheSlots = 1 << 10

func (o *Objects) cacheSlot(addr uint64) **slot {
	return &o.cache[addr*0x9e3779b97f4a7c15>>(64-10)]
}

// slot returns the slot of an address, or nil where no dentry is known to have been there.
func (o *Objects) slot(addr uint64) *slot {
	near := o.cacheSlot(addr)
	if p := *near; p != nil && p.addr == addr {
		return p
	}
	p := o.slots[addr]
	if p != nil {
		*near = p
	}
	return p
}

// find returns the dentry at an address, or nil where none is known.
func (o *Objects) find(addr uint64) *Object {
	if p := o.slot(addr); p != nil {
		return p.object
	}
	return nil
}

// EachLive calls f for every dentry seen whose end is not known, in no order.
func (o *Objects) EachLive(f func(*Object)) {
	for _, p := range o.slots {
		if p.object != nil && !p.object.Ended() {
			f(p.object)
		}
	}
}

// each calls f for every known dentry, in the order of Seq.
func (o *Objects) each(f func(*Object)) {
	var known []*Object
	for _, p := range o.slots {
		if p.object != nil {
			known = append(known, p.object)
		}
	}
	slices.SortFunc(known, func(a, b *Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range known {
		f(d)
	}
}

// forgetFormer clears the former dentry of every address.
func (o *Objects) forgetFormer() {
	o.formers = 0
	for _, p := range o.slots {
		if p.former = (FormerObject{}); p.object == nil {
			o.release(p)
		}
	}
}

// release deletes the slot of an address of which nothing is known any more.
func (o *Objects) release(p *slot) {
	delete(o.slots, p.addr)
	if near := o.cacheSlot(p.addr); *near == p {
		*near = nil
	}
}
