// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func generated(t testing.TB, events int) []byte {
	t.Helper()
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(events, emit) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func print(t testing.TB, w io.Writer, file []byte, filter *replay.Filter, format replay.Format) {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := replay.Print(w, r, filter, format); err != nil {
		t.Fatal(err)
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// BenchmarkPrint prints a million events, reading included.
func BenchmarkPrint(b *testing.B) {
	const events = 1_000_000
	file := generated(b, events)
	for _, format := range []struct {
		name string
		make func() replay.Format
	}{
		{"text", func() replay.Format { return replay.NewText(replay.TextOptions{Wide: true}) }},
		{"dmesg", replay.NewDmesg},
		{"json", replay.NewJSON},
	} {
		b.Run(format.name, func(b *testing.B) {
			b.ReportAllocs()
			var size counter
			for b.Loop() {
				size = 0
				print(b, &size, file, &replay.Filter{}, format.make())
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(size)/events, "bytes/event")
		})
	}
}

// BenchmarkState is the part of Print before the formatting.
func BenchmarkState(b *testing.B) {
	const events = 1_000_000
	file := generated(b, events)
	b.ReportAllocs()
	for b.Loop() {
		r, err := schema.NewReader(bytes.NewReader(file), 0)
		if err != nil {
			b.Fatal(err)
		}
		state := replay.New(r.Header())
		for err == nil {
			var rec schema.Record
			if rec, err = r.Next(); err == nil {
				if e, ok := rec.(*schema.Event); ok {
					state.Event(e)
				}
			}
		}
		r.Close()
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
