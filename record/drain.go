// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

const (
	drainEvery = 25 * time.Millisecond
	lossEvery  = 20 * time.Millisecond // less than drainEvery: where nothing is in a hurry, at every turn
	maxBusy    = 200
	maxScan    = 1 << 15 // records of a turn
)

// source is where records come from: a bpf.Session, or a test's. They stay there until they are written.
type source interface {
	Wait(deadline time.Time) error
	Scan(dst []bpf.Entry, most int) (entries []bpf.Entry, horizon uint64, more bool)
	Record(at uint64) []uint64
	Release(before uint64)
	Losses(dst []*schema.Loss) ([]*schema.Loss, error)
}

// run writes what comes until stop is closed, then all that is left. The error is one of the source, that ended it
// early; those of the file are the writer's own. After one of these it goes on reading, and throws away what it reads.
func (w *writer) run(stop <-chan struct{}) error {
	defer w.end()
	more := false
	for {
		select {
		case <-stop:
			return w.finish()
		default:
		}
		wait := drainEvery
		if more {
			wait = 0
		}
		var err error
		if more, err = w.turn(time.Now().Add(wait)); err != nil {
			return err
		}
	}
}

// finish reads what is left. The probes are blind by now; a program that was in the middle of a
// record ends it soon, or its cpu stands still for longer than is waited here.
func (w *writer) finish() error {
	blind := bpf.Now()
	w.looked = time.Time{}
	for range maxBusy {
		for more := true; more; {
			var err error
			if more, err = w.turn(time.Now()); err != nil {
				return err
			}
		}
		if w.horizon >= blind-min(blind, clockSlack) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// turn waits for the deadline, or until much is waiting, and takes what is there; more: there
// is more.
func (w *writer) turn(deadline time.Time) (more bool, err error) {
	if err := w.source.Wait(deadline); err != nil {
		return false, err
	}
	var horizon uint64
	w.sorter.pending, horizon, more = w.source.Scan(w.sorter.pending, maxScan)
	if p := w.sorter.pending; len(p) > w.sorter.sorted {
		w.newest = p[len(p)-1].At
	}
	w.sorter.sort()
	w.horizon = max(w.horizon, horizon-min(horizon, clockSlack))
	if now := time.Now(); now.Sub(w.looked) >= lossEvery {
		w.looked, w.settled = now, bpf.Now()
		losses, err := w.source.Losses(nil)
		if err != nil {
			return false, err
		}
		w.lost(losses)
	}
	w.takePrograms()
	return w.write() || more, nil
}
