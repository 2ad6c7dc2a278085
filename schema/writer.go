// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	batchEvents = 16384   // a batch is written when it has this many events, a multiple of 1024
	batchBytes  = 4 << 20 // or this many bytes before compression
	windowBytes = 1 << 19 // most batches are smaller; the encoder's memory grows with it
	packetHead  = 24      // more bytes than the tags and lengths around a packet's body take
	everyBytes  = 6       // what the columns that every event has will take for one of them, about
	usualBytes  = 3 << 17 // more bytes than most batches have before compression

	// fieldHeads is more bytes than the tags and lengths of a batch's fields take.
	fieldHeads = (fieldsEnd + 2) * (2 + binary.MaxVarintLen64)
)

// Writer writes one trace. It is not safe for concurrent use. After an error every call returns that error;
// the frames before it are whole.
type Writer struct {
	w           io.Writer
	enc         *zstd.Encoder
	batch       *batchWriter
	index       Index
	filterBytes int                // bytes of the filters in index
	kinds       map[kindRow]uint64 // number of events of each role and phase
	lost        uint64

	written uint64 // events in the frames written
	bytes   int64  // of those frames
	raw     []byte // scratch: packetHead bytes, and the body of a packet
	frame   []byte // scratch: a frame
	err     error

	// Frames that are kept back, and made by another goroutine.
	held      []*heldFrame
	counting  []*heldFrame // those whose size is not known yet
	spare     []*heldFrame
	heldBytes int64           // of the held frames whose size is known
	toEncode  chan *heldFrame // nil: frames are written at once
	raws      chan []byte     // memory for bodies; bounds the frames under way
}

// NewWriter writes the header as the first frame. It sets Header.format_version and shortens a command line
// that is too long; the caller sets the other fields that must be there.
func NewWriter(w io.Writer, h *Header) (*Writer, error) {
	// The next level makes the file 4 % smaller, and takes half as much time again.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowBytes))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	t := &Writer{w: w, enc: enc, batch: newBatchWriter(derivationOf(h.GetLayout())), kinds: make(map[kindRow]uint64), raw: make([]byte, 0, usualBytes)}
	t.batch.start(1)
	h.FormatVersion = FormatVersion
	h.Command = cutCommand(h.Command)
	if err := t.writeMessage(fieldPacketHeader, h, 0); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return t, nil
}

// Append adds one event and gives it the next id; Event.ID is ignored. Events must be added in the order of
// their time, as replay takes the order of the file for the order in which things happened. A full batch is
// written as a frame. An event with an Entry is a call as a whole.
func (t *Writer) Append(e *Event) error {
	if t.err != nil {
		return t.err
	}
	t.batch.add(e)
	return t.flushIfFull()
}

// flushIfFull writes the batch if it is full. It looks at the size in bytes only every 1024 events.
func (t *Writer) flushIfFull() error {
	if t.batch.events%1024 != 0 {
		return nil
	}
	return t.flushFull()
}

func (t *Writer) flushFull() error {
	if t.batch.events == batchEvents || t.batch.bytes()+everyBytes*t.batch.events >= batchBytes {
		return t.Flush()
	}
	return nil
}

// Flush ends the frame of the events so far, so that they are not lost with the process.
func (t *Writer) Flush() error {
	if t.err != nil || t.batch.events == 0 {
		return t.err
	}
	t.batch.end()
	t.raw = t.batch.appendTo(slices.Grow(t.raw[:0], packetHead+fieldHeads+t.batch.bytes())[:packetHead])
	for i, k := range t.batch.kinds {
		t.kinds[kindRow{role: k.role, phase: k.phase}] += t.batch.kindEvents[i]
	}
	f := heldFrame{firstID: t.batch.firstID, first: t.batch.earliest, latest: t.batch.latest, events: uint32(t.batch.events)}
	if t.filterBytes <= holdsBudget {
		f.filter = bloomFilter(t.batch.filterHashes)
	}
	t.batch.start(t.Events() + 1)
	return t.putFrame(f, fieldPacketEvents, len(t.held))
}

// Loss writes a loss record after the events so far, or before the first frame, held or not ended yet, that
// has events later than the loss's beginning.
func (t *Writer) Loss(l *Loss) error {
	if t.err != nil {
		return t.err
	}
	if l.Cause != LossCause_LOSS_CAUSE_UNREADABLE_NAME {
		t.lost += l.Count
	}
	if t.toEncode == nil || t.batch.events == 0 || t.batch.latest <= l.FirstNs {
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return t.writeMessage(fieldPacketLoss, l, t.lossPosition(l))
}

// Program writes a program record after the events so far. It cuts the program's output to what a reader
// takes.
func (t *Writer) Program(p *Program) error {
	if len(p.Stdout) > MaxProgramBytes/2 {
		p.Stdout = p.Stdout[:MaxProgramBytes/2]
	}
	return t.flushThenWrite(fieldPacketProgram, p)
}

// cutCommand cuts a command line to what a reader takes; its last word then says so.
func cutCommand(words []string) []string {
	size := 0
	for i, w := range words {
		if size += len(w) + 8; size > MaxHeaderBytes/2 || i == MaxWords-1 {
			return append(slices.Clip(words[:i]), fmt.Sprintf("… and %d more words", len(words)-i))
		}
	}
	return words
}

// Close writes the rest, the footer and the seek index. It sets Footer.events and Footer.lost. It does not
// close the underlying writer.
func (t *Writer) Close(f *Footer) error {
	f.Events, f.Lost = t.Events(), t.lost
	err := t.flushThenWrite(fieldPacketFooter, f)
	if err == nil {
		err = t.Settle(math.MaxUint64)
	}
	if err != nil {
		return err
	}
	t.completeIndex(&t.index)
	frame, err := indexFrame(&t.index)
	if err == nil {
		err = t.writeBytes(frame)
	}
	if err == nil {
		t.fail(errors.New("trace is closed"))
	}
	return err
}

// completeIndex completes the index.
func (t *Writer) completeIndex(x *Index) {
	if t.filterBytes > holdsBudget {
		x.Holds = nil
	}
	kinds := slices.SortedFunc(maps.Keys(t.kinds), func(a, b kindRow) int {
		return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.phase, b.phase))
	})
	for _, k := range kinds {
		x.KindRole = append(x.KindRole, uint32(k.role))
		x.KindPhase = append(x.KindPhase, uint32(k.phase))
		x.KindEvents = append(x.KindEvents, t.kinds[k])
	}
}

// Events returns how many events were added.
func (t *Writer) Events() uint64 { return t.batch.firstID - 1 + uint64(t.batch.events) }

// Written returns how many of them are in frames given to the underlying writer, including a frame being
// written now.
func (t *Writer) Written() uint64 { return t.written }

// Bytes returns the size of the whole frames that are written or held, except those still being made. What
// an error left after them is not part of the trace.
func (t *Writer) Bytes() int64 {
	t.countHeld(false)
	return t.bytes + t.heldBytes
}

// Size returns the largest size, in bytes, that the file would have if it were closed now. Events that are
// not in a frame yet do not count.
func (t *Writer) Size() int64 {
	const footer, row = 256, 40 // footer, kinds and size; a frame's part of the index without its filter
	t.countHeld(true)
	index := (len(t.index.Offset) + len(t.held)) * row
	if filters := t.filterBytes + len(t.held)*maxHolds; filters <= holdsBudget {
		index += filters
	}
	return t.bytes + t.heldBytes + int64(index) + footer
}

func (t *Writer) flushThenWrite(field protowire.Number, m proto.Message) error {
	if err := t.Flush(); err != nil {
		return err
	}
	return t.writeMessage(field, m, len(t.held))
}

func (t *Writer) writeMessage(field protowire.Number, m proto.Message, at int) error {
	body, err := proto.Marshal(m)
	if err == nil {
		err = checkBounds(field, body)
	}
	if err != nil {
		return err
	}
	t.raw = append(append(t.raw[:0], make([]byte, packetHead)...), body...)
	return t.putFrame(heldFrame{}, field, at)
}
