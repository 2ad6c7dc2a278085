// SPDX-License-Identifier: Apache-2.0

package export

import (
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema/tracetest"
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

func fields(t *testing.T, b []byte) (out []field) {
	t.Helper()
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		f := field{number: n}
		switch b = b[size:]; typ {
		case protowire.VarintType:
			f.value, size = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.value, size = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, size = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d has type %d", n, typ)
		}
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		out, b = append(out, f), b[size:]
	}
	return out
}

func find(all []field, n protowire.Number) (f field, found bool) {
	i := slices.IndexFunc(all, func(f field) bool { return f.number == n })
	if i < 0 {
		return field{}, false
	}
	return all[i], true
}

// A timeline has a slice for each call, on a track that is described before it, and the slices of a track
// are properly nested.
func TestPerfetto(t *testing.T) {
	for name, trace := range traces(t) {
		type moment struct {
			ns   uint64
			kind uint64
			at   int
		}
		described, tracks := make(map[uint64]bool), make(map[uint64][]moment)
		calls, ended := 0, 0
		if err := readCalls(tracetest.Read(t, trace), func(c *replay.PathCall) error {
			calls++
			ended += int(oneIf(c.End != 0))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		kinds := make(map[uint64]int)
		for i, packet := range fields(t, exported(t, trace, "perfetto", Options{})) {
			if packet.number != tracePacket {
				t.Fatalf("%s: field %d of a trace", name, packet.number)
			}
			all := fields(t, packet.bytes)
			if track, ok := find(all, packetTrack); ok {
				uuid, _ := find(fields(t, track.bytes), trackUUID)
				described[uuid.value] = true
				continue
			}
			event, ok := find(all, packetTrackEvent)
			when, timed := find(all, packetTime)
			if !ok || !timed {
				t.Fatalf("%s: a packet without event or time", name)
			}
			parts := fields(t, event.bytes)
			kind, _ := find(parts, eventType)
			track, _ := find(parts, eventTrack)
			if kinds[kind.value]++; !described[track.value] {
				t.Errorf("%s: an event on a track that is not described", name)
			}
			if kind.value != instant {
				tracks[track.value] = append(tracks[track.value], moment{when.value, kind.value, i})
			}
		}
		if kinds[sliceBegin] != calls || kinds[sliceEnd] != ended || calls > 10 && kinds[instant] == 0 {
			t.Errorf("%s: %v, of %d calls, %d ended", name, kinds, calls, ended)
		}
		for track, all := range tracks {
			slices.SortStableFunc(all, func(a, b moment) int { return int(int64(a.ns - b.ns)) })
			depth := 0
			for _, m := range all {
				if m.kind == sliceBegin {
					depth++
				} else if depth--; depth < 0 {
					t.Errorf("%s: track %d: an end without a begin", name, track)
				}
			}
		}
	}
}
