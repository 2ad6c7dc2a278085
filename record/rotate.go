// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"slices"
	"time"

	"github.com/dtrec/dtrec/schema"
)

// rotation is a writer's state for going from one file to the next. Times are in nanoseconds since boot.
type rotation struct {
	next    func(old *schema.Writer, at uint64) (*schema.Writer, error) // ends old and begins the next file; nil: one file only
	start   uint64                                                      // start of the current file
	settled uint64                                                      // losses from before this time are known; no file ends later
	last    uint64                                                      // time of the last event written
	events  uint64                                                      // in the files before the current one
	bytes   int64                                                       // size of the files before it
	losses  []*schema.Loss                                              // losses whose windows may reach into the next file
	err     error                                                       // why there is no next file; the current one is complete
}

// setRotation makes the limits apply to each file instead of the recording. next begins the next file, span is the
// longest time that a file covers, 0 for no limit, and begun is when the first file begins, in nanoseconds
// since boot.
func (w *writer) setRotation(next func(*schema.Writer, uint64) (*schema.Writer, error), span time.Duration, begun uint64) {
	w.rotation.next, w.rotation.start = next, begun
	w.limits.span = uint64(span)
}

// keepLoss keeps a loss that may affect later files. A slot of the counters reports one window after another, and
// each is kept, except that losses whose window has no end are merged into one for each cause.
func (r *rotation) keepLoss(l *schema.Loss) {
	if r.next == nil || l.Cause == schema.LossUnreadableName || l.Cause == schema.LossUnwatched {
		return // these losses are marked on the events themselves
	}
	if l.Cause.Endless() {
		if i := slices.IndexFunc(r.losses, func(o *schema.Loss) bool { return o.Cause == l.Cause }); i >= 0 {
			r.losses[i].Count += l.Count
			return
		}
	}
	r.losses = append(r.losses, &schema.Loss{Cause: l.Cause, Role: l.Role, Cpu: l.Cpu, Count: l.Count, FirstNs: l.FirstNs, LastNs: l.LastNs})
}

// forgetEndedLosses forgets the losses whose windows end before now, in nanoseconds since boot.
func (r *rotation) forgetEndedLosses(now uint64) {
	r.losses = slices.DeleteFunc(r.losses, func(l *schema.Loss) bool { return !l.Cause.Endless() && l.LastNs < now })
}

// rotateIdle ends a file whose time is over even if no event comes. Everything before now has been written.
func (w *writer) rotateIdle(now uint64) {
	if w.rotation.next != nil && w.timeOver(now) {
		w.rotate(now)
	}
	w.rotation.forgetEndedLosses(now)
}

func (w *writer) timeOver(now uint64) bool {
	return w.limits.span > 0 && now >= w.rotation.start+w.limits.span
}

// rotate begins the next file if the current one has reached a limit; now is the time of the next event. If no
// event came for the time of several files, they are one file.
func (w *writer) rotate(now uint64) {
	at := now
	switch r := &w.rotation; {
	case w.stopped, now > r.settled:
		return
	case w.timeOver(now):
		at = max(now-(now-r.start)%w.limits.span, min(now, r.last))
	case !w.limitReached() || w.trace.Events() == 0:
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
	trace.Hold(runWithPriority)
	w.trace, w.rotation.start = trace, at
	w.rotation.forgetEndedLosses(at)
	for _, l := range w.rotation.losses {
		if l.FirstNs < at {
			w.fail(trace.Loss(&schema.Loss{Cause: l.Cause, Role: l.Role, Cpu: l.Cpu, Count: l.Count, FirstNs: at, LastNs: max(at, l.LastNs)}))
		}
	}
}
