// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bytes"
	"testing"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// BenchmarkAnswers measures the cost of a summary and of a top relative to just reading the same million
// events, as dtrec info does.
func BenchmarkAnswers(b *testing.B) {
	file, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(1_000_000, emit) })
	if err != nil {
		b.Fatal(err)
	}
	timed := func(read func(replay.Source) error) time.Duration {
		start := time.Now()
		r, err := schema.NewReader(bytes.NewReader(file), 0)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		if err := read(r); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var info, state, summary, top time.Duration
	for b.Loop() {
		info += timed(func(src replay.Source) error { _, err := replay.ReadInfo(src); return err })
		state += timed(func(src replay.Source) error {
			s := replay.New(src.Header())
			for {
				rec, err := src.Next()
				if err != nil {
					return nil
				}
				if e, ok := rec.(*schema.Event); ok {
					s.Event(e)
				}
			}
		})
		summary += timed(func(src replay.Source) error { _, err := Summarize(src); return err })
		top += timed(func(src replay.Source) error { _, err := TopOf(src, "failures", "path", 20); return err })
	}
	b.ReportMetric(float64(state)/float64(info), "state/info")
	b.ReportMetric(float64(summary)/float64(info), "summary/info")
	b.ReportMetric(float64(top)/float64(info), "top/info")
}
