// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"testing"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func BenchmarkCompare(b *testing.B) {
	const events = 1_000_000
	file, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(events, emit) })
	if err != nil {
		b.Fatal(err)
	}
	reader := func() *schema.Reader {
		r, err := schema.NewReader(bytes.NewReader(file), 0)
		if err != nil {
			b.Fatal(err)
		}
		return r
	}
	b.Run("report", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := reader()
			if _, err := report.Collect(r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
	b.Run("diff", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x, y := reader(), reader()
			r, err := Compare(Input{"a", x}, Input{"b", y}, Options{})
			if err != nil || r.Verdict() != Same {
				b.Fatal(r.Verdict(), err)
			}
			x.Close()
			y.Close()
		}
	})
}
