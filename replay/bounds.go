// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is remembered, so that no file takes more memory than there is. No
// recording of a sound kernel comes near those on calls; one of very many dentries comes
// to the one on them, and then those not seen for longest are forgotten.
const (
	maxThreads    = 1 << 16  // whose state a printer keeps
	maxDepth      = 128      // calls of one thread within one another
	callsBudget   = 8 << 20  // bytes of calls in progress
	callBytes     = 512      // about what one takes, its thread included
	sweepEvery    = 4096     // entries from one look at them to the next
	objectsBudget = 32 << 20 // bytes of dentries
	objectBytes   = 512      // about what one takes with what a report knows of it, but for its name
)

// crowded makes room for one more call of the thread, which may be nil, and reports
// whether calls were dropped for it. These have a window of loss, as if the file lacked
// their exits.
func (s *State) crowded(t *thread) (dropped bool) {
	if t != nil && len(t.calls) >= maxDepth {
		s.Losses.crowded(t.calls[0].Enter.Time, s.now)
		s.abandon(t)
		dropped = true
	}
	if s.entries < sweepEvery {
		return dropped
	}
	s.entries = 0
	bytes, first := 0, uint64(math.MaxUint64)
	for _, t := range s.threads {
		t.each(func(c *Call) {
			bytes += callBytes + len(c.Enter.Name)
			first = min(first, c.Enter.Time)
		})
	}
	if bytes > callsBudget {
		s.Losses.crowded(first, s.now)
		s.InProgress(func(c *Call) { s.giveUp(c) })
		clear(s.threads)
		s.last, dropped = nil, true
	}
	s.idle = nil
	return dropped
}

// threadsInOrder are the threads known, by their number: what is told of all is told alike each time.
func (s *State) threadsInOrder() []*thread {
	return slices.SortedFunc(maps.Values(s.threads), func(a, b *thread) int { return cmp.Compare(a.tid, b.tid) })
}

// InProgress calls f for every call whose exit has not been seen, by thread.
func (s *State) InProgress(f func(*Call)) {
	for _, t := range s.threadsInOrder() {
		t.each(f)
	}
}

// each calls f for every call in progress.
func (t *thread) each(f func(*Call)) {
	for _, c := range t.calls {
		f(c)
	}
	for _, c := range t.pending {
		f(c)
	}
}

// crowded notes that calls entered between two times were dropped for want of room.
func (l *Losses) crowded(first, now uint64) {
	const why = "more calls in progress than are followed"
	if n := len(l.windows); n > 0 && l.windows[n-1].Why == why {
		w := &l.windows[n-1]
		l.stale = true
		w.First, w.Last = min(w.First, first), max(w.Last, now)
		return
	}
	l.add(Window{First: first, Last: now, Why: why, begun: true}, now) // they are out already
}

// remembered is the dentries known, as a ring in the order of their first sight.
type remembered struct {
	oldest *Object
	bytes  int
	gone   []uint64 // a bit for each address, by its hash, whose dentry was forgotten; nil: none was
	count  uint64   // dentries forgotten

	forget []func(*Object) // told of each dentry that is forgotten
}

// keep takes a dentry in. It is the youngest.
func (r *remembered) keep(d *Object) {
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

// name counts the bytes of the name that one has now.
func (r *remembered) name(d *Object, bytes int) {
	r.bytes += objectBytes + bytes - d.bytes
	d.bytes = objectBytes + bytes
}

// leave takes one out.
func (r *remembered) leave(d *Object) {
	r.bytes -= d.bytes
	if d.younger == d {
		r.oldest = nil
	} else if d.older.younger, d.younger.older = d.younger, d.older; r.oldest == d {
		r.oldest = d.younger
	}
	d.older, d.younger = nil, nil
}

// surplus returns the dentry to be forgotten next, nil while there is room. One that was
// seen since it was last looked at stays another round.
func (r *remembered) surplus() *Object {
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
	goneBits  = 1 << 20
	goneShift = 64 - 20
)

// bitOf spreads the addresses of dentries, whose lowest bits are all alike.
func bitOf(addr uint64) (word int, bit uint64) {
	h := addr * 0x9e3779b97f4a7c15 >> goneShift
	return int(h / 64), 1 << (h % 64)
}

// note remembers of a dentry that it was forgotten.
func (r *remembered) note(d *Object) {
	if r.gone == nil {
		r.gone = make([]uint64, goneBits/64)
	}
	word, bit := bitOf(d.Addr)
	r.gone[word] |= bit
	r.count++
	d.Forgotten = true
	for _, f := range r.forget {
		f(d)
	}
}

// knew reports whether a dentry at the address may have been forgotten.
func (r *remembered) knew(addr uint64) bool {
	word, bit := bitOf(addr)
	return r.gone != nil && r.gone[word]&bit != 0
}

// Forgotten returns how many dentries were forgotten: more were known at once than are
// remembered.
func (o *Objects) Forgotten() uint64 { return o.known.count }

// OnForget has f told, too, of each dentry that is forgotten.
func (o *Objects) OnForget(f func(*Object)) { o.known.forget = append(o.known.forget, f) }

// makeRoom forgets dentries until one more fits.
func (o *Objects) makeRoom() {
	for d := o.known.surplus(); d != nil; d = o.known.surplus() {
		o.known.note(d)
		o.remove(d)
	}
}

// remove takes a dentry off its address.
func (o *Objects) remove(d *Object) {
	if d.placed {
		o.places++
	}
	p := o.slot(d.Addr)
	if p.here = nil; p.former == (Former{}) {
		o.release(p)
	}
	if o.known.leave(d); d != o.move.dentry && d != o.move.other {
		o.spent.put(d)
	}
}

// spent are dentries that are at no address any more, as a list by younger: they become those that are met next, where whoever
// has the State keeps none beyond the event, or none beyond the calls that it was freed in. Most dentries of a busy cache live
// for a few events.
type spent struct {
	on          bool          // else there is no list
	oldest      func() uint64 // see State.oldest; nil: nobody keeps one beyond the event
	before      uint64        // no call in progress was entered before this event
	wait        int           // how many more are to be met until that is looked at again
	first, last *Object       // the one spent first, and the one spent last, which the event at hand may still be of
	count       int
}

const maxSpent = 1 << 10

func (l *spent) put(d *Object) {
	switch {
	case !l.on || l.count == maxSpent, l.oldest != nil && (d.kept || d.Killed == 0 || d.Freed == 0):
		return
	case l.last == nil:
		l.first = d
	default:
		l.last.younger = d
	}
	l.last = d
	l.count++
}

// take returns one to be overwritten.
func (l *spent) take() *Object {
	d := l.first
	if d == l.last || l.oldest != nil && !l.over(d) {
		return new(Object)
	}
	l.first = d.younger
	l.count--
	return d
}

// over reports whether all calls have ended that a dentry was freed in. That of many threads is not looked at each time.
func (l *spent) over(d *Object) bool {
	if d.Freed < l.before {
		return true
	}
	if l.wait--; l.wait < 0 {
		l.before = l.oldest()
	}
	return d.Freed < l.before
}

// Reuse has the memory of a dentry that was killed and freed become that of one met later, once every call has returned that was
// in progress when it was freed, and while nothing is known to be lost. Who keeps an Object for longer than the path call at hand
// is to call its Keep. A Negative that a Model's hook is told of is good until that returns.
func (s *State) Reuse() {
	if l := &s.Objects.spent; s.closed {
		l.on, l.oldest = true, s.oldest
	}
}

// Keep has the dentry stay what it is, also under Reuse.
func (d *Object) Keep() { d.kept = true }

// oldest is an event after which all calls in progress were entered, that of the event at hand included.
func (s *State) oldest() uint64 {
	l := &s.Objects.spent
	if l.wait = len(s.threads) / 8; len(s.Losses.windows) > 0 {
		return l.before // of calls that have lost their exit it is not known
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

// recall doubts a dentry met at an address where one may have been forgotten: it may be
// that one. An alloc begins a new one for certain.
func (o *Objects) recall(d *Object, e *schema.Event) {
	d.Forgotten = o.known.knew(d.Addr) && !(begins.Has(e.Role) && e.Phase == schema.Exit && e.Dentry == d.Addr)
}

// slot is an address that a dentry has, or had.
type slot struct {
	addr   uint64
	here   *Object // nil: none that is known
	former Former  // before that
}

// nearSlots are few, so that they stay in the processor's cache.
const nearSlots = 1 << 10

func (o *Objects) nearest(addr uint64) **slot {
	return &o.near[addr*0x9e3779b97f4a7c15>>(64-10)]
}

// slot returns that of an address, nil where no dentry is known to have been there.
func (o *Objects) slot(addr uint64) *slot {
	near := o.nearest(addr)
	if p := *near; p != nil && p.addr == addr {
		return p
	}
	p := o.at[addr]
	if p != nil {
		*near = p
	}
	return p
}

// find returns the dentry at an address, nil where none is known.
func (o *Objects) find(addr uint64) *Object {
	if p := o.slot(addr); p != nil {
		return p.here
	}
	return nil
}

// Live calls f for every dentry seen that has not ended.
func (o *Objects) Live(f func(*Object)) {
	for _, p := range o.at {
		if p.here != nil && !p.here.Ended() {
			f(p.here)
		}
	}
}

// each calls f for every dentry known, in their order.
func (o *Objects) each(f func(*Object)) {
	var known []*Object
	for _, p := range o.at {
		if p.here != nil {
			known = append(known, p.here)
		}
	}
	slices.SortFunc(known, func(a, b *Object) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, d := range known {
		f(d)
	}
}

// forgetFormer forgets what was at each address before.
func (o *Objects) forgetFormer() {
	o.formers = 0
	for _, p := range o.at {
		if p.former = (Former{}); p.here == nil {
			o.release(p)
		}
	}
}

// release forgets an address of which nothing is known any more.
func (o *Objects) release(p *slot) {
	delete(o.at, p.addr)
	if near := o.nearest(p.addr); *near == p {
		*near = nil
	}
}
