// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// The index alone leads to every frame, which has the ids and times that the index says.
func TestIndexFindsEveryFrame(t *testing.T) {
	b := bytesOf(t, 60000)
	x, err := schema.ReadIndex(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	events := read(t, b, 0).events
	if len(x.Offset) < 4 {
		t.Fatalf("%d frames, want several", len(x.Offset))
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, at := range x.Offset {
		end := uint64(len(b))
		last := uint64(len(events))
		if i+1 < len(x.Offset) {
			end, last = x.Offset[i+1], x.FirstId[i+1]-1
		}
		if err := dec.Reset(bytes.NewReader(b[at:end])); err != nil {
			t.Fatal(err)
		}
		raw := new(bytes.Buffer)
		if _, err := raw.ReadFrom(dec); err != nil {
			t.Fatalf("frame %d at byte %d: %v", i, at, err)
		}
		var trace schema.Trace
		if err := proto.Unmarshal(raw.Bytes(), &trace); err != nil {
			t.Fatal(err)
		}
		if got := trace.Packet[0].GetEvents().GetFirstId(); got != x.FirstId[i] {
			t.Errorf("frame %d begins with event %d, the index says %d", i, got, x.FirstId[i])
		}
		if events[x.FirstId[i]-1].Time != x.FirstNs[i] || events[last-1].Time != x.LastNs[i] {
			t.Errorf("frame %d: times %d to %d, the index says %d to %d", i,
				events[x.FirstId[i]-1].Time, events[last-1].Time, x.FirstNs[i], x.LastNs[i])
		}
	}
}

func TestWithoutAWholeIndexThereIsNone(t *testing.T) {
	b := bytesOf(t, 1000)
	spoiled := bytes.Clone(b)
	spoiled[len(spoiled)-2] ^= 1
	for name, b := range map[string][]byte{"empty": nil, "cut": b[:len(b)-1], "cut short": b[:20], "spoiled": spoiled} {
		if _, err := schema.ReadIndex(bytes.NewReader(b), int64(len(b))); !errors.Is(err, schema.ErrNoIndex) {
			t.Errorf("%s: error %v, want ErrNoIndex", name, err)
		}
	}
}
