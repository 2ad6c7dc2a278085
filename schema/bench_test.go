// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
)

const benchEvents = 1_000_000

func BenchmarkWriter(b *testing.B) {
	var events []schema.Event
	tracetest.Generate(benchEvents, func(e *schema.Event) { events = append(events, *e) })
	b.ReportAllocs()
	for b.Loop() {
		var size countWriter
		w, err := schema.NewWriter(&size, tracetest.Header())
		if err != nil {
			b.Fatal(err)
		}
		for i := range events {
			if err := w.Append(&events[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(&schema.Footer{}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(size)/float64(len(events)), "bytes/event")
	}
	b.ReportMetric(float64(len(events))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) { *c += countWriter(len(p)); return len(p), nil }

func BenchmarkReader(b *testing.B) {
	file := bytesOf(b, benchEvents)
	b.ReportAllocs()
	for b.Loop() {
		r, err := schema.NewReader(bytes.NewReader(file), 0)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		r.Close()
	}
	b.ReportMetric(float64(benchEvents)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkDecompress is the yardstick for BenchmarkReader.
func BenchmarkDecompress(b *testing.B) {
	file := bytesOf(b, benchEvents)
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if out, err = dec.DecodeAll(file, out[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(out))/benchEvents, "rawbytes/event")
}
