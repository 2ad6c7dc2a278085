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
	chunkBytes = 1 << 20
	maxChunks  = 64 // read and not yet written; then the ring buffer fills, and loss is counted
)

// source is where records come from: a bpf.Session, or a test's.
type source interface {
	Drain(buf []byte, deadline time.Time) (filled []byte, full bool, err error)
	Losses(dst []*schema.Loss) ([]*schema.Loss, error)
}

// batch is what one turn of the drain found.
type batch struct {
	chunk   *chunk // nil: no records
	horizon uint64 // everything that happened before it, less the slack, has been read; 0: more is waiting
	losses  []*schema.Loss
	settled uint64 // losses of times before it, less the slack, are known; 0: not looked
}

// drain moves records from the ring buffer to the writer.
type drain struct {
	src      source
	out      chan batch
	free     chan *chunk
	lossTime time.Time
}

func newDrain(src source) *drain {
	return &drain{src: src, out: make(chan batch, maxChunks), free: make(chan *chunk, maxChunks)}
}

// run drains until stop is closed, then once more until nothing is left, and closes
// out. The error is the one that ended it early.
func (d *drain) run(stop <-chan struct{}) error {
	defer close(d.out)
	for {
		select {
		case <-stop:
			return d.finish()
		default:
		}
		if _, err := d.turn(time.Now().Add(drainEvery)); err != nil {
			return err
		}
	}
}

// finish reads what is left. The probes are blind by now.
func (d *drain) finish() error {
	d.lossTime = time.Time{}
	for {
		more, err := d.turn(time.Now())
		if err != nil || !more {
			return err
		}
	}
}

// turn reads until the deadline, and sends what it found: unless the chunk was full
// before the ring buffer was empty (more), all that happened before the deadline.
func (d *drain) turn(deadline time.Time) (more bool, err error) {
	c := d.chunk()
	b := batch{horizon: bpf.Now() + uint64(max(0, time.Until(deadline)))}
	c.raw, more, err = d.src.Drain(c.raw, deadline)
	if err != nil {
		return false, err
	}
	if more {
		b.horizon = 0
	}
	if now := time.Now(); now.Sub(d.lossTime) >= lossEvery {
		d.lossTime, b.settled = now, bpf.Now()
		if b.losses, err = d.src.Losses(nil); err != nil {
			return false, err
		}
	}
	if len(c.raw) > 0 {
		b.chunk = c
	} else {
		d.recycle(c)
	}
	d.out <- b
	return more, nil
}

func (d *drain) chunk() *chunk {
	select {
	case c := <-d.free:
		return c
	default:
		return &chunk{raw: make([]byte, 0, chunkBytes)}
	}
}

// recycle takes a chunk back; both goroutines call it.
func (d *drain) recycle(c *chunk) {
	c.raw, c.left = c.raw[:0], 0
	select {
	case d.free <- c:
	default:
	}
}
