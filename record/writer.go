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

// note is a packet that has its place in time among the events: a loss stands before
// every event later than its first moment, so that a reader knows of it in time.
type note struct {
	at    uint64
	write func(*schema.Writer) error
}

// writer orders, translates and encodes. One goroutine runs it.
type writer struct {
	trace    *schema.Writer
	recycle  func(*chunk)
	limits   limits
	counters *counters
	full     chan struct{} // closed when a limit was reached or writing failed
	rotation rotation

	sorter   sorter
	horizon  uint64 // what happened before it has been read
	settled  uint64 // losses of times before it, less bpf.Lag, are among the notes
	decoder  *bpf.Decoder
	notes    []note
	programs chan *schema.Program // programs that ended, from the goroutine that ran them
	flushed  time.Time
	dropped  schema.Loss // events after a limit; Count 0: none
	stopped  bool        // full is closed
	err      error
}

func newWriter(trace *schema.Writer, l limits, c *counters, recycle func(*chunk), typeOf func(uint64) string) *writer {
	return &writer{
		trace: trace, recycle: recycle, limits: l, counters: c, full: make(chan struct{}),
		decoder: bpf.NewDecoder(typeOf, bpf.CgroupPaths()), programs: make(chan *schema.Program, 16), flushed: time.Now(),
	}
}

// run writes batches until in is closed, then everything that is left. After a
// write error it goes on taking batches and throws them away.
func (w *writer) run(in <-chan batch) {
	for b := range in {
		w.take(b)
		w.settled = max(w.settled, b.settled)
		w.horizon = max(w.horizon, b.horizon-min(b.horizon, clockSlack))
		if b.starved { // what is still to be read must not wait for room: it may be out of order
			w.horizon = max(w.horizon, w.sorter.half())
		}
		limit := min(w.horizon, w.settled-min(w.settled, uint64(bpf.Lag)))
		w.writeAll(limit)
		w.rotateIdle(limit)
		w.writeNotes(limit)
		// Now, unless there is a turn to come before it is time.
		if now := time.Now(); now.Sub(w.flushed) > flushEvery-drainEvery {
			w.flushed = now
			w.fail(w.trace.Flush())
		}
		w.counters.bytes.Store(w.rotation.bytes + w.trace.Bytes())
	}
	w.takePrograms()
	w.writeAll(math.MaxUint64)
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

func (w *writer) take(b batch) {
	w.takePrograms()
	for _, l := range b.losses {
		if l.Cause == schema.LossUnreadableName {
			w.counters.unreadable.Add(l.Count)
		} else {
			w.counters.lost.Add(l.Count)
		}
		w.note(l.FirstNs, func(t *schema.Writer) error { return t.Loss(l) })
		w.rotation.lost(l)
	}
	if b.chunk != nil {
		if w.fail(w.sorter.add(b.chunk)); b.chunk.left == 0 {
			w.recycle(b.chunk)
		}
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

// writeAll writes the events of times before limit, and the notes that come before them.
func (w *writer) writeAll(limit uint64) {
	entries := w.sorter.before(limit)
	for i := range entries {
		e := &entries[i]
		if w.rotation.next != nil {
			w.rotate(e.time)
		}
		if len(w.notes) > 0 {
			w.writeNotes(e.time)
		}
		w.write(e)
		if c := w.sorter.written(e); c != nil {
			w.recycle(c)
		}
	}
	w.sorter.drop(len(entries))
	w.counters.events.Store(w.rotation.events + w.trace.Events())
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

func (w *writer) write(e *entry) {
	if w.stopped || w.rotation.next == nil && w.reached() {
		w.drop(e.time)
		return
	}
	var entry, event *schema.Event
	record, _, err := bpf.Split(w.sorter.chunks[e.in].raw, int(e.at))
	if err == nil {
		entry, event, err = w.decoder.Decode(record)
	}
	if err == nil && entry != nil {
		err = w.trace.Append(entry)
	}
	if err == nil {
		err = w.trace.Append(event)
	}
	w.fail(err)
	if w.limits.bytes > 0 && w.trace.Events()%smallFrame == 0 && w.limits.bytes-w.trace.Size() < nearBytes {
		w.fail(w.trace.Flush()) // or the size would be known too late
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
