// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/klauspost/compress/zstd"
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
	f, err := Judge(r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Compare with BenchmarkReader of package schema, which reads the same million events.
func BenchmarkCollect(b *testing.B) {
	const events = 1_000_000
	file := generate(b, events)
	b.ReportAllocs()
	for b.Loop() {
		collect(b, file)
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRatios measures the two promised ratios in one run, so that other load on the machine affects
// both sides: reading every event against mere decompression, and a report against reading.
func BenchmarkRatios(b *testing.B) {
	file := generate(b, 1_000_000)
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	defer dec.Close()
	var decompress, read, report time.Duration
	for b.Loop() {
		start := time.Now()
		if err := dec.Reset(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, dec); err != nil {
			b.Fatal(err)
		}
		decompressed := time.Now()
		readAll(b, file)
		wasRead := time.Now()
		if err := Markdown(io.Discard, collect(b, file), PageOptions{}); err != nil {
			b.Fatal(err)
		}
		decompress += decompressed.Sub(start)
		read += wasRead.Sub(decompressed)
		report += time.Since(wasRead)
	}
	b.ReportMetric(float64(read)/float64(decompress), "read/decompress")
	b.ReportMetric(float64(report)/float64(read), "report/read")
}

func readAll(t testing.TB, file []byte) {
	r, err := schema.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		t.Fatal(err)
	}
}

// Judging allocates per dentry, not per event or per claim.
func TestCollectAllocatesPerDentryOnly(t *testing.T) {
	const events = 200_000
	file := generate(t, events)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	collect(t, file)
	runtime.ReadMemStats(&after)
	perEvent := float64(after.Mallocs-before.Mallocs) / events
	t.Logf("%.3f allocations an event", perEvent)
	if perEvent > 0.3 {
		t.Errorf("%.3f allocations an event, at most 0.3 are wanted", perEvent)
	}
}

// heapWatch is a source that measures the live heap every 100,000 records.
type heapWatch struct {
	*schema.Reader
	n    int
	peak uint64
}

func (h *heapWatch) Next() (schema.Record, error) {
	if h.n++; h.n%100_000 == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		h.peak = max(h.peak, m.HeapAlloc)
	}
	return h.Reader.Next()
}

// A trace that is ten times as long must not take more memory.
func TestMemoryDoesNotGrowWithTheTrace(t *testing.T) {
	peak := func(events int) uint64 {
		path := filepath.Join(t.TempDir(), "run.pb")
		writeGenerated(t, path, events) // written completely before it is read, as generating it takes memory too
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := schema.NewReader(file, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h := &heapWatch{Reader: r}
		f, err := Judge(h, Options{})
		if err != nil || f.Events < uint64(events) {
			t.Fatalf("%d events, %v", f.Events, err)
		}
		return h.peak
	}
	short, long := peak(300_000), peak(3_000_000)
	t.Logf("live heap: %d KiB at most in 300,000 events, %d KiB in 3,000,000", short>>10, long>>10)
	if long > short+short/2 {
		t.Errorf("live heap grew from %d to %d bytes", short, long)
	}
}

func writeGenerated(t *testing.T, path string, events int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := schema.NewWriter(file, tracetest.Header())
	tracetest.Generate(events, func(e *schema.Event) {
		if err == nil {
			err = w.Append(e)
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{})
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}
