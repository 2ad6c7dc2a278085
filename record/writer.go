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

// flushEvery is the longest time that an event waits for its frame to end. A kill -9 loses at most the events
// of that time, plus bpf.Lag until the losses are known, plus one turn until they are read (drainEvery): 245 ms
// together, and more on a busy machine.
const flushEvery = 100 * time.Millisecond

// clockSlack is an upper bound, in nanoseconds, of the difference between the kernel's clock, which the probes
// read without a lock, and the clock as user space reads it.
const clockSlack = 1e6

// smallFrame is the most events in a frame when fewer than nearBytes are left until the file's size limit.
// nearBytes is more than a full frame of the longest names takes uncompressed.
const (
	smallFrame = 2048
	nearBytes  = 8 << 20
)

// maxWrite is the most records written before the ring buffer is read again.
const maxWrite = 8192

// limits end a recording early, or one file of it; 0 means no limit.
type limits struct {
	events uint64
	bytes  int64  // exceeded by at most a frame of smallFrame events
	span   uint64 // nanoseconds covered by one file of a rotated recording
}

// counters are updated by the writer and read for the status line.
type counters struct {
	events     atomic.Uint64
	lost       atomic.Uint64
	unreadable atomic.Uint64
	bytes      atomic.Int64
}

// note is a packet other than an event that is written in order of time among the events.
type note struct {
	at    uint64 // nanoseconds since boot
	write func(*schema.Writer) error
}

// writer reads records, sorts them and writes them to the trace. One goroutine runs it.
type writer struct {
	source   source
	trace    *schema.Writer
	limits   limits
	counters *counters
	full     chan struct{} // closed when a limit is reached or writing has failed
	rotation rotation

	sorter      sorter
	maxWaiting  uint64    // most bytes of the ring buffer that may be taken by records waiting for earlier ones to arrive
	newest      uint64    // ring buffer position of the last record scanned
	horizon     uint64    // everything before this time, nanoseconds since boot, has been read
	lossesKnown uint64    // losses from before this time less bpf.Lag are known, nanoseconds since boot
	lossesRead  time.Time // when the losses were last read
	sender      *schema.Sender
	notes       []note
	programs    chan *schema.Program // programs that have exited, sent by the goroutine that ran them
	flushed     time.Time            // when a frame was last ended
	dropped     schema.Loss          // events after a limit; Count is 0 if there are none
	stopped     bool                 // full is closed
	err         error                // first error of the file
}

// newWriter returns a writer of the records of a source whose ring buffer has this many bytes. typeOf returns the
// name of the struct file_system_type at an address.
func newWriter(from source, ring uint64, trace *schema.Writer, l limits, c *counters, typeOf func(uint64) string) *writer {
	trace.Hold(runWithPriority)
	return &writer{
		source: from, maxWaiting: ring / 2, trace: trace, limits: l, counters: c, full: make(chan struct{}),
		sender: schema.NewSender(typeOf, bpf.CgroupPaths()), programs: make(chan *schema.Program, 16), flushed: time.Now(),
	}
}

// write appends the records that are in order to the trace, and writes the frames that no loss still unknown
// can affect. more reports whether records in order are left. In a rotated recording even the events wait
// until the losses are known, because no loss can be added to a file once it has ended.
func (w *writer) write() (more bool) {
	limit, settled := w.horizon, w.lossesKnown-min(w.lossesKnown, uint64(bpf.Lag))
	if w.rotation.settled = settled; w.rotation.next != nil {
		limit = min(limit, settled)
	}
	if oldest := w.sorter.lowestPosition(); w.newest > oldest && w.newest-oldest > w.maxWaiting {
		limit = max(limit, w.sorter.median()) // the programs need room for new records, even if some of these then come out of order
	}
	if more = w.writeAll(limit); !more {
		w.rotateIdle(limit)
		w.writeNotes(limit)
	}
	// End the frame now if it would be overdue by the next turn.
	if now := time.Now(); now.Sub(w.flushed) > flushEvery-drainEvery {
		w.flushed = now
		w.fail(w.trace.Flush())
	}
	w.fail(w.trace.Settle(settled))
	w.counters.bytes.Store(w.rotation.bytes + w.trace.Bytes())
	return more
}

// writeRest writes everything that is left.
func (w *writer) writeRest() {
	w.rotation.settled = math.MaxUint64
	w.takePrograms()
	for w.writeAll(math.MaxUint64) {
	}
	w.writeNotes(math.MaxUint64)
}

// close writes the loss of dropped events and the footer. f.EndNs is when the probes were disabled, in
// nanoseconds since boot.
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

// takeLosses counts losses and writes them to the trace. In a rotated recording they become notes, and are kept for the
// next files.
func (w *writer) takeLosses(losses []*schema.Loss) {
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
		w.addNote(l.FirstNs, func(t *schema.Writer) error { return t.Loss(l) })
		w.rotation.keepLoss(l)
	}
}

func (w *writer) takePrograms() {
	for {
		select {
		case p := <-w.programs:
			w.addNote(p.EndNs, func(t *schema.Writer) error { return t.Program(p) })
		default:
			return
		}
	}
}

func (w *writer) addNote(at uint64, write func(*schema.Writer) error) {
	w.notes = append(w.notes, note{at, write})
	slices.SortStableFunc(w.notes, func(a, b note) int { return cmp.Compare(a.at, b.at) })
}

// writeAll writes the events before limit, at most maxWrite of them, and the notes before those events. more
// reports whether events before limit are left.
func (w *writer) writeAll(limit uint64) (more bool) {
	entries := w.sorter.entriesBefore(limit)
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
		if w.stopped || limited && w.rotation.next == nil && w.limitReached() {
			w.drop(e.Time)
			continue
		}
		if err := w.sender.Append(w.trace, bpf.SentOf(w.source.Record(e.At))); err != nil {
			w.fail(err)
		}
		if limited && w.limits.bytes > 0 && w.trace.Events()%smallFrame == 0 && w.limits.bytes-w.trace.Size() < nearBytes {
			w.fail(w.trace.Flush()) // otherwise the size would be known too late
		}
	}
	w.sorter.drop(len(entries))
	w.source.Release(w.sorter.lowestPosition())
	w.counters.events.Store(w.rotation.events + w.trace.Events())
	return more
}

// writeNotes writes the notes before time t.
func (w *writer) writeNotes(t uint64) {
	for len(w.notes) > 0 && w.notes[0].at < t {
		if w.err == nil {
			w.fail(w.notes[0].write(w.trace))
		}
		w.notes = w.notes[1:]
	}
}

func (w *writer) limitReached() bool {
	return w.limits.events > 0 && w.trace.Events() >= w.limits.events ||
		w.limits.bytes > 0 && w.trace.Size() >= w.limits.bytes
}

// drop counts an event that is not written because of a limit or an error of the file.
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
