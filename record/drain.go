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
	Past() (busy uint64)
	Losses(dst []*schema.Loss) (losses []*schema.Loss, known uint64, err error)
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
// record ends it soon, or its cpu stands still for longer than is waited here: then that record is lost, and not those behind it.
func (w *writer) finish() error {
	blind := bpf.Now()
	w.looked = time.Time{}
	for range maxBusy {
		if err := w.turns(); err != nil {
			return err
		}
		if w.horizon >= blind-min(blind, clockSlack) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	if busy := w.source.Past(); busy > 0 {
		w.lost([]*schema.Loss{{Cause: schema.LossMissed, Count: busy, FirstNs: w.horizon, LastNs: bpf.Now()}})
	}
	return w.turns()
}

// turns takes all that is there.
func (w *writer) turns() error {
	for more := true; more; {
		var err error
		if more, err = w.turn(time.Now()); err != nil {
			return err
		}
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
		losses, known, err := w.source.Losses(nil)
		if err != nil {
			return false, err
		}
		w.looked, w.settled = now, known
		w.lost(losses)
	}
	w.takePrograms()
	return w.write() || more, nil
}
