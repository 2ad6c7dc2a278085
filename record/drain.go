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
	lossEvery  = 20 * time.Millisecond // less than drainEvery, so that every turn reads the losses unless turns follow each other closely
	maxBusy    = 200
	maxScan    = 1 << 15 // most records taken in one turn
)

// source supplies the records: a bpf.Session, or a script of a test. Records stay in its memory until they are
// released after writing.
type source interface {
	Wait(deadline time.Time) error
	Scan(dst []bpf.Entry, most int) (entries []bpf.Entry, horizon uint64, more bool)
	Record(at uint64) []uint64
	Release(before uint64)
	SkipBusy() (busy uint64)
	Losses(dst []*schema.Loss) (losses []*schema.Loss, known uint64, err error)
}

// run reads and writes records until stop is closed, and then all that remain. The returned error is one of the
// source, which ended the run early. An error of the file is kept in w.err instead: after one, run goes on
// reading, and drops and counts what it reads.
func (w *writer) run(stop <-chan struct{}) error {
	defer w.writeRest()
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

// finish reads the remaining records. The probes are disabled by now. A program that was in the middle of a
// record usually completes it soon. If its CPU stalls for longer than finish waits (200 times 1 ms), that
// record is lost, but not the records behind it.
func (w *writer) finish() error {
	blind := bpf.Now()
	w.lossesRead = time.Time{}
	for range maxBusy {
		if err := w.turns(); err != nil {
			return err
		}
		if w.horizon >= blind-min(blind, clockSlack) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	if busy := w.source.SkipBusy(); busy > 0 {
		w.takeLosses([]*schema.Loss{{Cause: schema.LossMissed, Count: busy, FirstNs: w.horizon, LastNs: bpf.Now()}})
	}
	return w.turns()
}

// turns takes turns until no records are waiting.
func (w *writer) turns() error {
	for more := true; more; {
		var err error
		if more, err = w.turn(time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// turn waits until the deadline or until many records are waiting, then reads records and losses and writes
// what is in order. more reports whether records are left that could be taken at once.
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
	if now := time.Now(); now.Sub(w.lossesRead) >= lossEvery {
		losses, known, err := w.source.Losses(nil)
		if err != nil {
			return false, err
		}
		w.lossesRead, w.lossesKnown = now, known
		w.takeLosses(losses)
	}
	w.takePrograms()
	return w.write() || more, nil
}
