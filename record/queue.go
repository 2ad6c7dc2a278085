// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import "sync"

// maxQueued limits the bytes of frames that wait for the file; a last frame may exceed it. Beyond it, add
// blocks. At two bytes per hit this is more than ten million hits.
const maxQueued = 24 << 20

// frameQueue holds frames until its goroutine has written them.
type frameQueue struct {
	write func(frame []byte, events uint64) error
	done  chan struct{} // closed when the goroutine has ended

	mutex   sync.Mutex
	changed sync.Cond
	frames  []queuedFrame
	spare   [][]byte
	bytes   int
	closing bool
	err     error // first error of write; nothing is written after it
}

// queuedFrame is a frame and the number of events up to its end.
type queuedFrame struct {
	frame  []byte
	events uint64
}

func newFrameQueue(write func([]byte, uint64) error) *frameQueue {
	q := &frameQueue{write: write, done: make(chan struct{})}
	q.changed.L = &q.mutex
	go q.run()
	return q
}

// add queues a copy of a frame. The error is that of an earlier frame.
func (q *frameQueue) add(frame []byte, events uint64) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for q.bytes > maxQueued && q.err == nil {
		q.changed.Wait()
	}
	if q.err != nil {
		return q.err
	}
	var own []byte
	if n := len(q.spare); n > 0 {
		own, q.spare = q.spare[n-1], q.spare[:n-1]
	}
	q.frames = append(q.frames, queuedFrame{append(own[:0], frame...), events})
	q.bytes += len(frame)
	q.changed.Broadcast()
	return nil
}

// run writes frames until an error, or until the queue is closed and empty.
func (q *frameQueue) run() {
	defer close(q.done)
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for {
		for len(q.frames) == 0 && !q.closing {
			q.changed.Wait()
		}
		if len(q.frames) == 0 || q.err != nil {
			return
		}
		f := q.frames[0]
		q.mutex.Unlock()
		err := q.write(f.frame, f.events)
		q.mutex.Lock()
		q.frames = q.frames[1:]
		q.bytes -= len(f.frame)
		if q.err = err; len(q.spare) < maxSpareFrames {
			q.spare = append(q.spare, f.frame)
		}
		q.changed.Broadcast()
	}
}

// maxSpareFrames is how many buffers of written frames are kept for reuse.
const maxSpareFrames = 2

// close waits until everything is written, and returns the first error.
func (q *frameQueue) close() error {
	q.mutex.Lock()
	q.closing = true
	q.changed.Broadcast()
	q.mutex.Unlock()
	<-q.done
	return q.err
}
