// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// Where records wait and the ring buffer gets full they are moved out of it, as far as there is memory for that; they
// come out in order.
func TestSpill(t *testing.T) {
	const ring, each, turns = 4096, 7, 200
	var out bytes.Buffer
	s := &script{horizon: 1}
	var want []string
	for i := range turns {
		var b []byte
		for j := range each {
			at := 5e9 + uint64(i*each+j)*10
			name := fmt.Sprintf("%06d %s", i*each+j, strings.Repeat("x", j*i%150))
			b, want = append(b, raw(at, 1, name)...), append(want, name)
		}
		s.turns = append(s.turns, b)
	}
	w := newWriter(s, ring, emptyTrace(t, &out), limits{}, &counters{}, func(uint64) string { return "" })
	turn := func() {
		t.Helper()
		w.looked = time.Now().Add(time.Hour)
		if _, err := w.turn(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range turns {
		turn()
		if waiting := uint64(len(s.data)) - s.released; waiting > ring {
			t.Fatalf("%d bytes wait in a ring buffer of %d", waiting, ring)
		}
	}
	if w.trace.Events() != 0 {
		t.Fatal("written too early")
	}
	s.horizon = 1 << 40
	turn()
	if err := w.close(&schema.Footer{EndedBy: "test"}); err != nil {
		t.Fatal(err)
	}
	expect(t, packets(t, out.Bytes()), append(want, fmt.Sprintf("end %d 0", turns*each)))
	if len(w.spill.free) == 0 || w.spill.chunks != (spill{}).chunks {
		t.Error("memory was not given back")
	}
	full := spill{}
	for full.room(spillBytes-8) != nil {
		full.chunks[full.last].data = full.chunks[full.last].data[:spillBytes]
	}
	if full.take(&script{data: raw(1, 1, "x")}, []bpf.Entry{{}}) {
		t.Error("it takes more than it may")
	}
}
