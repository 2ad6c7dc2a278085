// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// heldFrame is a frame that has not been written yet, with its row of the index.
type heldFrame struct {
	bytes                  []byte        // of the frame, valid once done is closed
	body                   []byte        // the frame's contents, in raw
	raw                    []byte        // returned to Writer.raws when the frame is made
	done                   chan struct{} // closed when the frame is made
	firstID, first, latest uint64        // id of the first event, earliest and latest time; 0 without events
	events                 uint32
	filter                 []byte
}

// Hold makes the writer keep back all later frames until Settle, so that a loss that becomes known later
// can still be placed before the events that it affects. run is given a function that makes the frames, and
// is started in its own goroutine. The function returns after Close or an error.
func (t *Writer) Hold(run func(encode func())) {
	t.toEncode, t.raws = make(chan *heldFrame, 2), make(chan []byte, 3)
	t.raws <- make([]byte, 0, usualBytes)
	t.raws <- make([]byte, 0, usualBytes)
	toEncode := t.toEncode
	go run(func() {
		frame := make([]byte, 0, usualBytes) // a frame mostly takes a tenth of this, and many frames are held
		for f := range toEncode {
			frame = t.enc.EncodeAll(f.body, frame[:0])
			f.bytes = append(f.bytes[:0], frame...)
			t.raws <- f.raw
			close(f.done)
		}
	})
}

// Settle writes the held frames whose events all were before a time, in nanoseconds since boot: losses up
// to then have been recorded.
func (t *Writer) Settle(before uint64) error {
	n := 0
	for n < len(t.held) && t.held[n].latest < before && t.err == nil {
		f := t.held[n]
		<-f.done
		t.countHeld(true)
		t.heldBytes -= int64(len(f.bytes))
		t.emit(f)
		*f = heldFrame{bytes: f.bytes}
		t.spare = append(t.spare, f)
		n++
	}
	t.held = slices.Delete(t.held, 0, n)
	return t.err
}

// countHeld adds up the sizes of the held frames that are made. With all, it waits for those under way.
func (t *Writer) countHeld(all bool) {
	for len(t.counting) > 0 {
		f := t.counting[0]
		if all {
			<-f.done
		}
		select {
		case <-f.done:
			t.heldBytes += int64(len(f.bytes))
			t.counting = slices.Delete(t.counting, 0, 1)
		default:
			return
		}
	}
}

// putFrame makes a frame of a Packet whose body is in raw, in a Trace.packet, and writes it, or inserts it at a
// place among the held frames. f has the frame's row of the index.
func (t *Writer) putFrame(f heldFrame, field protowire.Number, at int) error {
	size := len(t.raw) - packetHead
	inner := protowire.SizeTag(field) + protowire.SizeBytes(size)
	var head [packetHead]byte
	around := protowire.AppendTag(head[:0], fieldTracePacket, protowire.BytesType)
	around = protowire.AppendVarint(around, uint64(inner))
	around = protowire.AppendTag(around, field, protowire.BytesType)
	around = protowire.AppendVarint(around, uint64(size))
	f.body = t.raw[packetHead-len(around):]
	copy(f.body, around)
	if t.toEncode == nil {
		t.frame = t.enc.EncodeAll(f.body, t.frame[:0])
		f.bytes = t.frame
		t.emit(&f)
		return t.err
	}
	kept := &heldFrame{}
	if n := len(t.spare); n > 0 {
		kept, t.spare = t.spare[n-1], t.spare[:n-1]
	}
	f.bytes, f.raw, f.done = kept.bytes, t.raw, make(chan struct{})
	*kept = f
	t.held = slices.Insert(t.held, at, kept)
	t.counting = append(t.counting, kept)
	t.toEncode <- kept
	t.raw = <-t.raws
	return nil
}

// emit writes a frame, and adds a row to the index if it has events.
func (t *Writer) emit(f *heldFrame) {
	at := t.bytes
	t.written += uint64(f.events)
	if t.writeBytes(f.bytes) != nil || f.events == 0 {
		return
	}
	x := &t.index
	x.Offset, x.Bytes = append(x.Offset, uint64(at)), append(x.Bytes, uint64(len(f.bytes)))
	x.FirstId, x.Events = append(x.FirstId, f.firstID), append(x.Events, f.events)
	x.FirstNs, x.LastNs = append(x.FirstNs, f.first), append(x.LastNs, f.latest)
	if t.filterBytes <= holdsBudget { // else Close drops all filters, so their memory need not grow
		x.Holds = append(x.Holds, f.filter)
		t.filterBytes += len(f.filter)
	}
}

// lossPosition returns where a loss belongs among the held frames: before the first one with an event later than
// the loss's beginning.
func (t *Writer) lossPosition(l *Loss) int {
	if i := slices.IndexFunc(t.held, func(f *heldFrame) bool { return f.latest > l.FirstNs }); i >= 0 {
		return i
	}
	return len(t.held)
}

func (t *Writer) writeBytes(b []byte) error {
	if _, err := t.w.Write(b); err != nil {
		t.fail(fmt.Errorf("write trace: %w", err))
		return t.err
	}
	t.bytes += int64(len(b))
	return nil
}

// fail ends the trace: every later call returns the error.
func (t *Writer) fail(err error) {
	if t.err = err; t.toEncode != nil {
		close(t.toEncode)
	}
}
