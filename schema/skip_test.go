// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// withLosses returns a trace with a loss after every 20,000 events.
func withLosses(t *testing.T, events int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := schema.NewWriter(&b, tracetest.Header())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	tracetest.Generate(events, func(e *schema.Event) {
		if n++; err == nil {
			err = w.Append(e)
		}
		if n%20000 == 0 && err == nil {
			err = w.Loss(&schema.Loss{Cause: schema.LossRingBuffer, Count: uint64(n), FirstNs: e.Time, LastNs: e.Time})
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// skimmed reads a trace without the frames that are not wanted, and returns what was read, and how many
// bytes it took.
func skimmed(t *testing.T, b []byte, wanted func(x *schema.Index, frame int) bool) (events []uint64, skipped, lost uint64, bytesRead int, err error) {
	t.Helper()
	file := &counted{Reader: bytes.NewReader(b)}
	r, err := schema.NewReaderAt(file, int64(len(b)), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if x := r.Index(); x != nil {
		r.Skip(func(i int) bool { return wanted(x, i) })
	}
	for {
		rec, err := r.Next()
		switch rec := rec.(type) {
		case *schema.Event:
			events = append(events, rec.ID)
		case *schema.Skipped:
			skipped += rec.Events
		case *schema.Loss:
			lost += rec.Count
		case *schema.Damage:
			t.Fatalf("damage %+v", rec)
		}
		if err == io.EOF {
			return events, skipped, lost, file.bytes, nil
		} else if err != nil {
			return events, skipped, lost, file.bytes, err
		}
	}
}

// A frame that is not wanted is not read, and nothing else is missing.
func TestSkippedFramesAreNotRead(t *testing.T) {
	b := withLosses(t, 400000)
	whole := read(t, b, 0)
	total := uint64(len(whole.events))
	from := whole.events[total*7/10].Time
	to := whole.events[total*71/100].Time
	events, skipped, lost, size, err := skimmed(t, b, func(x *schema.Index, i int) bool { return x.LastNs[i] >= from && x.FirstNs[i] <= to })
	if err != nil || uint64(len(events))+skipped != total || skipped < total*8/10 || lost != 20*21/2*20000 {
		t.Errorf("%d events read, %d passed over, of %d; %d lost, %v", len(events), skipped, total, lost, err)
	}
	if first, last := events[0], events[len(events)-1]; first > total*7/10+1 || last < total*71/100 {
		t.Errorf("events #%d to #%d read", first, last)
	}
	if size > len(b)*24/100 { // the index is read too, whose size does not depend on the frames' contents
		t.Errorf("%d of %d bytes read", size, len(b))
	}
	if events, skipped, lost, _, err := skimmed(t, b, func(*schema.Index, int) bool { return false }); err != nil || len(events) > 0 || skipped != total || lost == 0 {
		t.Errorf("nothing wanted: %d events read, %d passed over, %d lost, %v", len(events), skipped, lost, err)
	}
	if events, skipped, _, _, err := skimmed(t, b, func(*schema.Index, int) bool { return true }); err != nil || uint64(len(events)) != total || skipped != 0 {
		t.Errorf("all wanted: %d events read, %d passed over, %v", len(events), skipped, err)
	}
}

// The index says that a frame may have what is in it, and rules out most other things.
func TestIndexKnowsWhatFramesHold(t *testing.T) {
	b := bytesOf(t, 100000)
	x, err := schema.ReadIndex(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[[2]uint32]uint64)
	for _, e := range read(t, b, 0).events {
		frame := 0
		for frame+1 < len(x.FirstId) && x.FirstId[frame+1] <= e.ID {
			frame++
		}
		counts[[2]uint32{uint32(e.Role), uint32(e.Phase)}]++
		if !x.MayHoldComm(frame, []string{"other", e.Comm}) || !x.MayHoldPID(frame, []uint32{e.PID}) {
			t.Fatalf("frame %d does not hold %s %d, says the index", frame, e.Comm, e.PID)
		}
		if e.Role == schema.RoleOpen && e.Phase == schema.Enter && !x.MayHoldPath(frame, []string{e.Name}) {
			t.Fatalf("frame %d does not hold %s, says the index", frame, e.Name)
		}
	}
	for k := range x.KindEvents {
		if n := counts[[2]uint32{x.KindRole[k], x.KindPhase[k]}]; n != x.KindEvents[k] || n == 0 {
			t.Errorf("role %d, phase %d: %d events, the index says %d", x.KindRole[k], x.KindPhase[k], n, x.KindEvents[k])
		}
	}
	wrong := 0
	for i := range 1000 {
		if x.MayHoldPath(1, []string{fmt.Sprint("/no/such/path/", i)}) {
			wrong++
		}
	}
	if wrong > 400 {
		t.Errorf("of 1000 paths that are not there %d may be in a frame", wrong)
	}
}

// Whatever an index says, events come in order, or the reading ends with an error. It hides no events other
// than those that the index counts.
func TestSkippingBelievesNoWrongIndex(t *testing.T) {
	b := bytesOf(t, 40000)
	x, err := schema.ReadIndex(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	at := len(b) - int(x.Size)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		spoiled := bytes.Clone(b)
		for range 1 + rng.IntN(3) {
			spoiled[at+8+rng.IntN(len(b)-at-8)] ^= byte(1 << rng.IntN(8))
		}
		file := bytes.NewReader(spoiled)
		r, err := schema.NewReaderAt(file, int64(len(spoiled)), 0)
		if err != nil {
			t.Fatal(err)
		}
		if x := r.Index(); x != nil {
			r.Skip(func(i int) bool { return i%2 == 0 && x.MayHoldComm(i, []string{"worker_a"}) })
		}
		last := uint64(0)
		for err == nil {
			var rec schema.Record
			if rec, err = r.Next(); err == nil {
				if e, ok := rec.(*schema.Event); ok {
					if e.ID <= last {
						t.Fatalf("#%d after #%d", e.ID, last)
					}
					last = e.ID
				}
			}
		}
		if err != io.EOF && !errors.Is(err, schema.ErrIndex) {
			t.Fatal(err)
		}
		r.Close()
	}
}
