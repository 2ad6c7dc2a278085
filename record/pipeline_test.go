// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// raw returns a lookup_rcu entry as it comes from the ring buffer: its header, struct head of record.h, the words
// of three columns and the name.
func raw(at uint64, tid uint32, name string) []uint64 {
	const head, words = 40, 5
	le := binary.LittleEndian
	b := make([]byte, 8+head+8*words)
	le.PutUint32(b, uint32(head+8*words+len(name)))
	le.PutUint64(b[8:], at)
	le.PutUint32(b[8+8:], tid)
	le.PutUint32(b[8+12:], tid)
	copy(b[8+16:], "task")
	le.PutUint16(b[8+34:], uint16(len(name)))
	b[8+38], b[8+39] = byte(schema.RoleLookupRCU), byte(schema.Enter)
	le.PutUint32(b[8+head+8:], uint32(len(name)))
	return wordsOfBytes(append(b, name...))
}

// wordsOfBytes returns the bytes as words, padded to a multiple of 8 as in the ring buffer.
func wordsOfBytes(b []byte) (words []uint64) {
	for b = append(b, make([]byte, -len(b)&7)...); len(b) > 0; b = b[8:] {
		words = append(words, binary.LittleEndian.Uint64(b))
	}
	return words
}

// script is a source that returns prepared turns.
type script struct {
	turns      [][]uint64
	losses     map[int][]*schema.Loss // by number of turns read
	horizon    uint64                 // returned by every turn, also after the last one unless the current time is later
	turn       int
	done       chan struct{} // closed when all turns were read
	data       []uint64      // all turns so far
	released   uint64
	behindBusy []uint64 // records behind one that its program never completes; nil: there is no such record
}

func (s *script) Wait(time.Time) error { return nil }

func (s *script) Scan(dst []bpf.Entry, _ int) ([]bpf.Entry, uint64, bool) {
	if s.turn >= len(s.turns) && s.behindBusy != nil {
		return dst, s.horizon, false
	}
	if s.turn >= len(s.turns) {
		return dst, max(s.horizon, bpf.Now()), false
	}
	at := len(s.data)
	s.data = append(s.data, s.turns[s.turn]...)
	for at < len(s.data) {
		dst = append(dst, bpf.Entry{Time: s.data[at+1], At: 8 * uint64(at)})
		at += 1 + (int(uint32(s.data[at]))+7)/8
	}
	if s.turn++; s.turn == len(s.turns) && s.done != nil {
		close(s.done)
		s.done = nil
	}
	return dst, s.horizon, false
}

func (s *script) Record(at uint64) []uint64 {
	if at < s.released {
		panic("a record that was released")
	}
	return s.data[at/8+1:][:(uint32(s.data[at/8])+7)/8]
}

func (s *script) SkipBusy() uint64 {
	if s.behindBusy == nil {
		return 0
	}
	s.turns, s.behindBusy = append(s.turns, s.behindBusy), nil
	return 1
}

func (s *script) Release(before uint64) {
	s.released = max(s.released, min(before, 8*uint64(len(s.data))))
}

func (s *script) Losses(dst []*schema.Loss) (losses []*schema.Loss, known uint64, err error) {
	l := s.losses[s.turn]
	delete(s.losses, s.turn)
	return append(dst, l...), bpf.Now(), nil
}

// recordScript writes the records of a script to a trace.
func recordScript(t *testing.T, s *script, l limits, to io.Writer) (*writer, error) {
	t.Helper()
	s.done = make(chan struct{})
	w := newWriter(s, 1<<20, emptyTrace(t, to), l, &counters{}, func(uint64) string { return "" })
	stop := make(chan struct{})
	done := s.done
	go func() { <-done; close(stop) }()
	if err := w.run(stop); err != nil {
		t.Fatal(err)
	}
	return w, w.close(&schema.Footer{EndNs: 1 << 40, EndedBy: "test"})
}

func emptyTrace(t *testing.T, to io.Writer) *schema.Writer {
	t.Helper()
	trace, err := schema.NewWriter(to, &schema.Header{Kernel: &schema.Kernel{}, Layout: &schema.Layout{}, RunId: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// packets reads a trace back: an event as its name, a loss as its cause and count, and so on.
func packets(t *testing.T, trace []byte) []string {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		switch p := rec.(type) {
		case *schema.Event:
			got = append(got, p.Name)
		case *schema.Loss:
			got = append(got, fmt.Sprintf("%s %d", p.Cause, p.Count))
		case *schema.Footer:
			got = append(got, fmt.Sprintf("end %d %d", p.Events, p.Lost))
		default:
			got = append(got, fmt.Sprintf("%T", p))
		}
	}
}

func expect(t *testing.T, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Events are written in order of time, whichever turn they came in, and a loss is written before the frame with
// the events that it affects.
func TestPipelineOrder(t *testing.T) {
	now := bpf.Now() + uint64(time.Hour) // in the future, because the current time is the horizon after the last turn
	s := &script{
		turns: [][]uint64{
			append(raw(now+3000, 1, "c"), raw(now+1000, 2, "a")...),
			append(raw(now+2000, 2, "b"), raw(now+4000, 1, "d")...),
		},
		losses: map[int][]*schema.Loss{2: {
			{Cause: schema.LossRingBuffer, Role: schema.RoleAlloc, Count: 7, FirstNs: now + 2500, LastNs: now + 3500},
		}},
	}
	var out bytes.Buffer
	if _, err := recordScript(t, s, limits{}, &out); err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, out.Bytes()), []string{"LOSS_CAUSE_RING_BUFFER 7", "a", "b", "c", "d", "end 4 7"})
}

func TestPipelineEventLimit(t *testing.T) {
	s := &script{turns: [][]uint64{append(append(raw(1, 1, "a"), raw(2, 1, "b")...), raw(3, 1, "c")...)}}
	var out bytes.Buffer
	w, err := recordScript(t, s, limits{events: 2}, &out)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, out.Bytes()), []string{"a", "b", "LOSS_CAUSE_LIMIT 1", "end 2 1"})
	select {
	case <-w.full:
	default:
		t.Error("the limit was not told")
	}
}

// fullDisk accepts this many writes and then fails.
type fullDisk struct {
	bytes.Buffer
	writes int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.writes--; d.writes < 0 {
		return 0, unix.ENOSPC
	}
	return d.Buffer.Write(b)
}

func TestPipelineFullDisk(t *testing.T) {
	s := &script{turns: [][]uint64{raw(1, 1, "a"), raw(2, 1, "b")}}
	disk := &fullDisk{writes: 1} // for the header
	w, err := recordScript(t, s, limits{}, disk)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v, want ENOSPC", err)
	}
	select {
	case <-w.full:
	default:
		t.Error("a full disk does not end the recording")
	}
}

// Records of many turns, some out of order, are all written in order, and none is released before that (script
// panics then).
func TestPipelineManyTurns(t *testing.T) {
	const turns, each = 300, 40
	s := &script{}
	for i := range turns {
		var b []uint64
		for j := range each {
			n := i*each + j
			at := uint64(n+1) * 1e6
			if j%2 == 0 {
				at += 1500000 // later than its neighbour
			}
			b = append(b, raw(at, uint32(j%2), fmt.Sprintf("name %06d", n))...)
		}
		s.turns = append(s.turns, b)
	}
	var out bytes.Buffer
	if _, err := recordScript(t, s, limits{}, &out); err != nil {
		t.Fatal(err)
	}
	r, err := schema.NewReader(bytes.NewReader(out.Bytes()), 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var last uint64
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*schema.Event); ok {
			if e.Time < last {
				t.Fatalf("%s at %d comes after %d", e.Name, e.Time, last)
			}
			last = e.Time
			seen[e.Name] = true
		}
	}
	if len(seen) != turns*each {
		t.Errorf("%d names of %d came out", len(seen), turns*each)
	}
}

// Records are released before those that wait fill the ring buffer.
func TestFullRingIsWritten(t *testing.T) {
	const ring, each, turns = 4096, 7, 200
	var out bytes.Buffer
	s := &script{horizon: 1}
	for i := range turns {
		var b []uint64
		for j := range each {
			b = append(b, raw(5e9+uint64(i*each+j)*10, 1, strings.Repeat("x", j*i%150))...)
		}
		s.turns = append(s.turns, b)
	}
	w := newWriter(s, ring, emptyTrace(t, &out), limits{}, &counters{}, func(uint64) string { return "" })
	for range turns {
		w.lossesRead = time.Now().Add(time.Hour)
		if _, err := w.turn(time.Now()); err != nil {
			t.Fatal(err)
		}
		if waiting := 8*uint64(len(s.data)) - s.released; waiting > ring {
			t.Fatalf("%d bytes wait in a ring buffer of %d", waiting, ring)
		}
	}
	s.horizon = 1 << 40
	w.writeRest()
	if n := w.trace.Events(); n != turns*each {
		t.Errorf("%d events", n)
	}
}

// FORMAT.md states what a kill -9 loses: the sum of the times that an event waits.
func TestKillCosts(t *testing.T) {
	if cost := bpf.Lag + flushEvery + drainEvery; cost > 250*time.Millisecond || lossEvery >= drainEvery {
		t.Errorf("an event waits up to %v to be written, and for a look at the losses", cost)
	}
	format, err := os.ReadFile("../schema/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(format)), " ")
	want := fmt.Sprintf("at most the last %d ms, and what a busy machine adds: the events wait %d ms to be read, %d ms for their frame to end, and %d ms until what was lost is known",
		(bpf.Lag + flushEvery + drainEvery).Milliseconds(), drainEvery.Milliseconds(), flushEvery.Milliseconds(), bpf.Lag.Milliseconds())
	if !strings.Contains(text, want) {
		t.Errorf("FORMAT.md does not say %q", want)
	}
}

// An event is appended only when everything that could precede it has been read, and its frame is written only
// when the losses that affect it are known.
func TestWriterWaits(t *testing.T) {
	const at, lag = 5e9, uint64(bpf.Lag)
	var out bytes.Buffer
	trace := emptyTrace(t, &out)
	header := out.Len()
	s := &script{turns: [][]uint64{raw(at, 1, "x"), raw(at+9*lag, 1, "y"), nil}, horizon: at}
	w := newWriter(s, 1<<20, trace, limits{}, &counters{}, func(uint64) string { return "" })
	turn := func(settled uint64) {
		t.Helper()
		w.lossesRead, w.lossesKnown, w.flushed = time.Now().Add(time.Hour), settled, time.Time{}
		if _, err := w.turn(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	turn(at + 9*lag)
	turn(at + 9*lag)
	if n := trace.Events(); n != 0 {
		t.Errorf("%d appended too early", n)
	}
	s.horizon = at + 2*lag
	turn(at + lag)
	if n := trace.Events(); n != 1 || out.Len() != header {
		t.Errorf("%d appended, want 1, and %d bytes written", n, out.Len()-header)
	}
	turn(at + lag + 1)
	if out.Len() == header {
		t.Error("nothing written though all is known")
	}
}

// A record that is not complete when a recording ends is a loss, and the records behind it are not lost.
func TestWriterEndsPastBusyRecord(t *testing.T) {
	const at = 5e9
	var out bytes.Buffer
	s := &script{turns: [][]uint64{raw(at, 1, "a")}, horizon: at + 2*clockSlack, behindBusy: raw(at+3*clockSlack, 2, "b")}
	if _, err := recordScript(t, s, limits{}, &out); err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, out.Bytes()), []string{"a", "LOSS_CAUSE_MISSED 1", "b", "end 2 1"})
}

// A loss that becomes known late is written before the events it affects, even if their frame has ended.
func TestLossAheadOfFrames(t *testing.T) {
	const at, lag = 5e9, uint64(bpf.Lag)
	var out bytes.Buffer
	s := &script{turns: [][]uint64{raw(at, 1, "a"), raw(at+10, 1, "b"), raw(at+20, 1, "c")}, horizon: at + lag}
	w := newWriter(s, 1<<20, emptyTrace(t, &out), limits{}, &counters{}, func(uint64) string { return "" })
	for range 3 {
		w.lossesRead, w.flushed = time.Now().Add(time.Hour), time.Time{}
		if _, err := w.turn(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	w.takeLosses([]*schema.Loss{{Cause: schema.LossRingBuffer, Count: 7, FirstNs: at + 5, LastNs: at + 9}})
	if err := w.close(&schema.Footer{EndedBy: "test"}); err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, out.Bytes()), []string{"a", "LOSS_CAUSE_RING_BUFFER 7", "b", "c", "end 3 7"})
}
