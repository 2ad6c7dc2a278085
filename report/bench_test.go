// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func generate(t testing.TB, events int) []byte {
	t.Helper()
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(events, emit) })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func collect(t testing.TB, b []byte) *Findings {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(b), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := Collect(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Compare with BenchmarkReader of schema: the same million events.
func BenchmarkCollect(b *testing.B) {
	const events = 1_000_000
	file := generate(b, events)
	b.ReportAllocs()
	for b.Loop() {
		collect(b, file)
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
