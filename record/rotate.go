// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"slices"
	"time"

	"github.com/dtrec/dtrec/schema"
)

// rotation is how a writer goes from one file to the next.
type rotation struct {
	next   func(old *schema.Writer, at uint64) (*schema.Writer, error) // nil: there is one file
	begun  uint64                                                      // when the file begins, nanoseconds since boot
	known  uint64                                                      // what was lost before it has been told: no file ends later than that
	last   uint64                                                      // time of the last event written
	events uint64                                                      // in the files before it
	bytes  int64                                                       // the same
	losses []*schema.Loss                                              // those whose windows may reach into the next file
	err    error                                                       // why there is no next file; the one before is whole
}

// rotates makes the limits those of a file, after which next makes another.
func (w *writer) rotates(next func(*schema.Writer, uint64) (*schema.Writer, error), span time.Duration, begun uint64) {
	w.rotation.next, w.rotation.begun = next, begun
	w.limits.span = uint64(span)
}

// lost keeps a loss in mind. A slot of the counters has one window after another, and a window
// without an end swallows the later ones of its cause.
func (r *rotation) lost(l *schema.Loss) {
	if r.next == nil || l.Cause == schema.LossUnreadableName || l.Cause == schema.LossUnwatched {
		return // the events themselves say it
	}
	if l.Cause.Endless() {
		if i := slices.IndexFunc(r.losses, func(o *schema.Loss) bool { return o.Cause == l.Cause }); i >= 0 {
			r.losses[i].Count += l.Count
			return
		}
	}
	r.losses = append(r.losses, &schema.Loss{Cause: l.Cause, Role: l.Role, Cpu: l.Cpu, Count: l.Count, FirstNs: l.FirstNs, LastNs: l.LastNs})
}

// pass forgets the losses whose windows end before a time.
func (r *rotation) pass(now uint64) {
	r.losses = slices.DeleteFunc(r.losses, func(l *schema.Loss) bool { return !l.Cause.Endless() && l.LastNs < now })
}

// rotateIdle ends a file whose time is over though nothing happens; everything before now is
// written.
func (w *writer) rotateIdle(now uint64) {
	if w.rotation.next != nil && w.timeOver(now) {
		w.rotate(now)
	}
	w.rotation.pass(now)
}

func (w *writer) timeOver(now uint64) bool {
	return w.limits.span > 0 && now >= w.rotation.begun+w.limits.span
}

// rotate goes to the next file if this one has enough; now is the time of the next event. A
// machine that slept through several of them does not get a file for each.
func (w *writer) rotate(now uint64) {
	at := now
	switch r := &w.rotation; {
	case w.stopped, now > r.known:
		return
	case w.timeOver(now):
		at = max(now-(now-r.begun)%w.limits.span, min(now, r.last))
	case !w.reached() || w.trace.Events() == 0:
		return
	}
	w.writeNotes(at)
	old := w.trace
	trace, err := w.rotation.next(old, at)
	if err != nil {
		w.rotation.err = err
		w.stop()
		return
	}
	w.rotation.events += old.Events()
	w.rotation.bytes += old.Bytes()
	trace.Hold(inFront)
	w.trace, w.rotation.begun = trace, at
	w.rotation.pass(at)
	for _, l := range w.rotation.losses {
		if l.FirstNs < at {
			w.fail(trace.Loss(&schema.Loss{Cause: l.Cause, Role: l.Role, Cpu: l.Cpu, Count: l.Count, FirstNs: at, LastNs: max(at, l.LastNs)}))
		}
	}
}
