// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// A file whose writes block for a while does not block the caller, and has everything in order in the end.
func TestSlowFileHoldsUpNobody(t *testing.T) {
	stalled := make(chan struct{})
	var got []byte
	events := uint64(0)
	q := newFrameQueue(func(frame []byte, n uint64) error {
		<-stalled
		got, events = append(got, frame...), n
		return nil
	})
	var want []byte
	frame := make([]byte, 1000)
	for i := range 10_000 { // 10 MB
		for k := range frame {
			frame[k] = byte(i)
		}
		if err := q.add(frame, uint64(i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, frame...)
	}
	close(stalled)
	if err := q.close(); err != nil || !bytes.Equal(got, want) || events != 9_999 {
		t.Errorf("error %v, %d bytes of %d, %d events", err, len(got), len(want), events)
	}
}

// The queue is bounded: beyond maxQueued, add waits for the file.
func TestQueueHasABound(t *testing.T) {
	stalled, added := make(chan struct{}), make(chan int)
	q := newFrameQueue(func([]byte, uint64) error { <-stalled; return nil })
	go func() {
		for range 2 * maxQueued >> 20 {
			if err := q.add(make([]byte, 1<<20), 0); err != nil {
				t.Error(err)
			}
		}
		close(added)
	}()
	select {
	case <-added:
		t.Error("more was taken than the bound")
	case <-time.After(100 * time.Millisecond):
	}
	q.mutex.Lock()
	if q.bytes > maxQueued+1<<20 {
		t.Errorf("%d bytes wait", q.bytes)
	}
	q.mutex.Unlock()
	close(stalled)
	<-added
	if err := q.close(); err != nil {
		t.Error(err)
	}
}

// The first error ends the queue: it is returned, a waiting add returns, and nothing is written after it.
func TestQueueEndsWithAnError(t *testing.T) {
	full, frames := errors.New("full"), 0
	q := newFrameQueue(func([]byte, uint64) error {
		if frames++; frames == 2 {
			return full
		}
		return nil
	})
	var err error
	for range 3 * maxQueued >> 20 {
		if err = q.add(make([]byte, 1<<20), 0); err != nil {
			break
		}
	}
	if closed := q.close(); !errors.Is(err, full) || !errors.Is(closed, full) || frames != 2 {
		t.Errorf("told %v and %v, %d frames written", err, closed, frames)
	}
}
