// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// flushEvery is how long an event waits for its frame to be written. What a kill -9 costs
// is at most that, bpf.Lag before it, and a turn of the drain before that: 245 ms, and
// what a busy machine adds.
const flushEvery = 100 * time.Millisecond

// clockSlack is more than the kernel's clock, read without a lock, differs from that of user
// space, nanoseconds.
const clockSlack = 1e6

// smallFrame is how many events a frame has at most when the file has not nearBytes left to
// the size that limits it: more than a full frame takes of the longest names, uncompressed.
const (
	smallFrame = 2048
	nearBytes  = 8 << 20
)

// maxWrite is how many records are written before the ring buffer is looked at again.
const maxWrite = 8192

// limits end a recording early, or a file of it; 0 is none.
type limits struct {
	events uint64
	bytes  int64  // the file ends within a small frame of it
	span   uint64 // nanoseconds, of a file that another follows
}

// counters are what the status line shows while the writer works.
type counters struct {
	events     atomic.Uint64
	lost       atomic.Uint64
	unreadable atomic.Uint64
	bytes      atomic.Int64
}

// note is a packet that has its place in time among the events.
type note struct {
	at    uint64
	write func(*schema.Writer) error
}

// writer reads, orders and encodes. One goroutine runs it.
type writer struct {
	source   source
	trace    *schema.Writer
	limits   limits
	counters *counters
	full     chan struct{} // closed when a limit was reached or writing failed
	rotation rotation

	sorter   sorter
	room     uint64    // bytes of the ring buffer that records may take which wait for others to come
	newest   uint64    // the place of the record scanned last
	horizon  uint64    // what happened before it has been read
	settled  uint64    // losses of times before it, less bpf.Lag, are known
	looked   time.Time // when it was last asked for losses
	sender   *schema.Sender
	notes    []note
	programs chan *schema.Program // programs that ended, from the goroutine that ran them
	flushed  time.Time
	dropped  schema.Loss // events after a limit; Count 0: none
	stopped  bool        // full is closed
	err      error
}

// newWriter writes what comes from a ring buffer of so many bytes.
func newWriter(from source, ring uint64, trace *schema.Writer, l limits, c *counters, typeOf func(uint64) string) *writer {
	trace.Hold(inFront)
	return &writer{
		source: from, room: ring / 2, trace: trace, limits: l, counters: c, full: make(chan struct{}),
		sender: schema.NewSender(typeOf, bpf.CgroupPaths()), programs: make(chan *schema.Program, 16), flushed: time.Now(),
	}
}

// write writes what is in order, and of the frames those that nothing lost can touch any more; more: not all that is in order. A
// file that another follows ends at a moment, after which no loss can be added to it: there the events themselves wait until
// the losses are known.
func (w *writer) write() (more bool) {
	limit, settled := w.horizon, w.settled-min(w.settled, uint64(bpf.Lag))
	if w.rotation.known = settled; w.rotation.next != nil {
		limit = min(limit, settled)
	}
	if oldest := w.sorter.oldest(); w.newest > oldest && w.newest-oldest > w.room {
		limit = max(limit, w.sorter.half()) // what is still to come must find room: it may be out of order
	}
	if more = w.writeAll(limit); !more {
		w.rotateIdle(limit)
		w.writeNotes(limit)
	}
	// Now, unless there is a turn to come before it is time.
	if now := time.Now(); now.Sub(w.flushed) > flushEvery-drainEvery {
		w.flushed = now
		w.fail(w.trace.Flush())
	}
	w.fail(w.trace.Settle(settled))
	w.counters.bytes.Store(w.rotation.bytes + w.trace.Bytes())
	return more
}

// end writes all that is left.
func (w *writer) end() {
	w.rotation.known = math.MaxUint64
	w.takePrograms()
	for w.writeAll(math.MaxUint64) {
	}
	w.writeNotes(math.MaxUint64)
}

// close writes the footer, whose EndNs is when the probes went blind, nanoseconds since
// boot, or when the command ended, if later.
func (w *writer) close(f *schema.Footer) error {
	if w.dropped.Count > 0 {
		w.dropped.LastNs = max(w.dropped.FirstNs, f.EndNs)
		w.counters.lost.Add(w.dropped.Count)
		w.fail(w.trace.Loss(&w.dropped))
	}
	if w.err == nil {
		w.fail(w.trace.Close(f))
	}
	w.fail(w.rotation.err)
	w.counters.bytes.Store(w.rotation.bytes + w.trace.Bytes())
	return w.err
}

// lost takes in what was lost.
func (w *writer) lost(losses []*schema.Loss) {
	for _, l := range losses {
		if l.Cause == schema.LossUnreadableName {
			w.counters.unreadable.Add(l.Count)
		} else {
			w.counters.lost.Add(l.Count)
		}
		if w.rotation.next == nil {
			if w.err == nil {
				w.fail(w.trace.Loss(l))
			}
			continue
		}
		w.note(l.FirstNs, func(t *schema.Writer) error { return t.Loss(l) })
		w.rotation.lost(l)
	}
}

func (w *writer) takePrograms() {
	for {
		select {
		case p := <-w.programs:
			w.note(p.EndNs, func(t *schema.Writer) error { return t.Program(p) })
		default:
			return
		}
	}
}

func (w *writer) note(at uint64, write func(*schema.Writer) error) {
	w.notes = append(w.notes, note{at, write})
	slices.SortStableFunc(w.notes, func(a, b note) int { return cmp.Compare(a.at, b.at) })
}

// writeAll writes the events of times before limit, and the notes that come before them; more: not all, since what comes
// meanwhile is to be looked after.
func (w *writer) writeAll(limit uint64) (more bool) {
	entries := w.sorter.before(limit)
	if more = len(entries) > maxWrite; more {
		entries = entries[:maxWrite]
	}
	limited := w.limits != (limits{})
	for i := range entries {
		e := &entries[i]
		if w.rotation.next != nil {
			w.rotate(e.Time)
			w.rotation.last = e.Time
		}
		if len(w.notes) > 0 {
			w.writeNotes(e.Time)
		}
		if w.stopped || limited && w.rotation.next == nil && w.reached() {
			w.drop(e.Time)
			continue
		}
		if err := w.sender.Append(w.trace, bpf.SentOf(w.source.Record(e.At))); err != nil {
			w.fail(err)
		}
		if limited && w.limits.bytes > 0 && w.trace.Events()%smallFrame == 0 && w.limits.bytes-w.trace.Size() < nearBytes {
			w.fail(w.trace.Flush()) // or the size would be known too late
		}
	}
	w.sorter.drop(len(entries))
	w.source.Release(w.sorter.oldest())
	w.counters.events.Store(w.rotation.events + w.trace.Events())
	return more
}

// writeNotes writes the notes of times before t.
func (w *writer) writeNotes(t uint64) {
	for len(w.notes) > 0 && w.notes[0].at < t {
		if w.err == nil {
			w.fail(w.notes[0].write(w.trace))
		}
		w.notes = w.notes[1:]
	}
}

func (w *writer) reached() bool {
	return w.limits.events > 0 && w.trace.Events() >= w.limits.events ||
		w.limits.bytes > 0 && w.trace.Size() >= w.limits.bytes
}

// drop counts an event that the limit, or the failed file, has no room for.
func (w *writer) drop(t uint64) {
	if w.dropped.Count == 0 {
		w.dropped = schema.Loss{Cause: schema.LossLimit, FirstNs: t}
	}
	w.dropped.Count++
	w.stop()
}

func (w *writer) fail(err error) {
	if err == nil || w.err != nil {
		return
	}
	w.err = err
	w.stop()
}

func (w *writer) stop() {
	if !w.stopped {
		w.stopped = true
		close(w.full)
	}
}
