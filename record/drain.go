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
	chunkBytes = 128 << 10
	maxBusy    = 200
	maxChunks  = 160 // read and not yet written; then the ring buffer fills, and loss is counted
)

// source is where records come from: a bpf.Session, or a test's.
type source interface {
	Drain(buf []byte, deadline time.Time) (filled []byte, horizon uint64, full bool, err error)
	Losses(dst []*schema.Loss) ([]*schema.Loss, error)
}

// batch is what one turn of the drain found.
type batch struct {
	chunk   *chunk // nil: no records
	horizon uint64 // everything that happened before it has been read
	starved bool   // all chunks are in use
	losses  []*schema.Loss
	settled uint64 // losses of times before it, less bpf.Lag, are known; 0: not looked
}

// drain moves records from the ring buffer to the writer.
type drain struct {
	src      source
	out      chan batch
	free     chan *chunk // those written; they are used before another one is made
	made     int         // chunks
	lossTime time.Time
	horizon  uint64 // as in the last batch
}

func newDrain(src source) *drain {
	return &drain{src: src, out: make(chan batch, maxChunks), free: make(chan *chunk, maxChunks)}
}

// run drains until stop is closed, then once more until nothing is left, and closes
// out. The error is the one that ended it early.
func (d *drain) run(stop <-chan struct{}) error {
	defer close(d.out)
	more := false
	for {
		select {
		case <-stop:
			return d.finish()
		default:
		}
		wait := drainEvery
		if more {
			wait = 0
		}
		var err error
		if more, err = d.turn(time.Now().Add(wait)); err != nil {
			return err
		}
	}
}

// finish reads what is left. The probes are blind by now; a program that was in the middle of a
// record ends it soon, or its cpu stands still for longer than is waited here.
func (d *drain) finish() error {
	blind := bpf.Now()
	d.lossTime = time.Time{}
	for range maxBusy {
		for more := true; more; {
			var err error
			if more, err = d.turn(time.Now()); err != nil {
				return err
			}
		}
		if d.horizon >= blind {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// turn waits for the deadline, or until much is waiting, and sends what is there; more: there
// is more.
func (d *drain) turn(deadline time.Time) (more bool, err error) {
	var b batch
	if b.chunk = d.chunk(); b.chunk != nil {
		if b.chunk.raw, b.horizon, more, err = d.src.Drain(b.chunk.raw, deadline); err != nil {
			return false, err
		}
		d.horizon = b.horizon
	}
	b.starved = b.chunk == nil
	if now := time.Now(); now.Sub(d.lossTime) >= lossEvery {
		d.lossTime, b.settled = now, bpf.Now()
		if b.losses, err = d.src.Losses(nil); err != nil {
			return false, err
		}
	}
	d.out <- b
	return more || b.starved, nil
}

// chunk returns one that is free. If none is for a while it returns nil: those in use may be
// waiting for it to be known what was lost, and that is looked for at each turn.
func (d *drain) chunk() *chunk {
	select {
	case c := <-d.free:
		return c
	default:
	}
	if d.made < maxChunks {
		d.made++
		return &chunk{raw: make([]byte, 0, chunkBytes)}
	}
	select {
	case c := <-d.free:
		return c
	case <-time.After(lossEvery):
		return nil
	}
}

// recycle takes a chunk back; both goroutines call it.
func (d *drain) recycle(c *chunk) {
	c.raw, c.left = c.raw[:0], 0
	d.free <- c
}
