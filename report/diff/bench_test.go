// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// generated returns the same events, as many as asked for, on two machines.
func generated(t testing.TB, events int) (a, b []byte) {
	t.Helper()
	var files [2][]byte
	for i, m := range []tracetest.Machine{here(), there()} {
		var buf bytes.Buffer
		if err := stream(&buf, m, events); err != nil {
			t.Fatal(err)
		}
		files[i] = buf.Bytes()
	}
	return files[0], files[1]
}

func stream(out io.Writer, m tracetest.Machine, events int) error {
	w, err := schema.NewWriter(out, m.Header())
	m.Generate(events, func(e *schema.Event) {
		if err == nil {
			err = w.Append(e)
		}
	})
	if err == nil {
		err = w.Close(&schema.Footer{EndedBy: "command"})
	}
	return err
}

// BenchmarkCompare compares two runs of a million events that are the same.
func BenchmarkCompare(b *testing.B) {
	x, y := generated(b, 1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		if r := compare(b, x, y); r.Verdict() != Same {
			b.Fatal(text(b, r))
		}
	}
}

func BenchmarkCompareDifferent(b *testing.B) {
	x, _ := generated(b, 1_000_000)
	y := record(b, there(), 1, randomScene(rand.New(rand.NewPCG(1, 1)), 60_000))
	b.ReportAllocs()
	for b.Loop() {
		compare(b, x, y)
	}
}

// BenchmarkRatio measures the cost of a diff of two runs relative to one report. Both are measured in one
// run, so that other load affects both.
func BenchmarkRatio(b *testing.B) {
	x, y := generated(b, 1_000_000)
	var compared, reported time.Duration
	for b.Loop() {
		start := time.Now()
		r := tracetest.Read(b, x)
		f, err := report.Judge(r, report.Options{})
		if err == nil {
			err = report.Markdown(io.Discard, f, report.PageOptions{})
		}
		if err != nil {
			b.Fatal(err)
		}
		reported += time.Since(start)
		start = time.Now()
		compare(b, x, y)
		compared += time.Since(start)
	}
	b.ReportMetric(float64(compared)/float64(reported), "diff/report")
}

// perCall is the number of bytes that a diff may keep for a call of one side.
const perCall = 100

// watched is an input that measures the live heap when it has been read to its end.
type watched struct {
	*schema.Reader
	heap *uint64
}

func (h *watched) Next() (schema.Record, error) {
	rec, err := h.Reader.Next()
	if err != nil {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		*h.heap = max(*h.heap, m.HeapAlloc)
	}
	return rec, err
}

// Comparing runs that are ten times as long takes at most perCall bytes more for each further call.
func TestMemoryIsSomeBytesACall(t *testing.T) {
	peak := func(events int) (heap, calls uint64) {
		var in [2]Input
		for i, m := range []tracetest.Machine{here(), there()} {
			r, w := io.Pipe()
			go func() { w.CloseWithError(stream(w, m, events)) }()
			src, err := schema.NewReader(r, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			in[i] = Input{Source: &watched{src, &heap}, Again: func(uint64) (replay.Source, error) { return nil, io.EOF }}
		}
		c := comparison{result: &Result{}, runs: [2]*run{}}
		for side := range in {
			h := in[side].Header()
			d := newRun(in[side], h, maphash.MakeSeed())
			if err := d.read(); err != nil {
				t.Fatal(err)
			}
			c.runs[side] = d
			calls += d.Calls
		}
		return heap, calls
	}
	short, few := peak(200_000)
	long, many := peak(2_000_000)
	each := (int64(long) - int64(short)) / int64(many-few)
	t.Logf("live heap: %d KiB for %d calls, %d KiB for %d: %d bytes a call", short>>10, few, long>>10, many, each)
	if each > perCall {
		t.Errorf("%d bytes a call, want at most %d", each, perCall)
	}
}

// A diff allocates what two reports do, and little more than what it keeps.
func TestAllocations(t *testing.T) {
	x, y := generated(t, 200_000)
	allocated := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	reports := allocated(func() {
		for _, file := range [][]byte{x, y} {
			if _, err := report.Judge(tracetest.Read(t, file), report.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	var calls uint64
	diff := allocated(func() { r := compare(t, x, y); calls = r.A.Calls + r.B.Calls })
	t.Logf("two reports allocate %d KiB, a diff of %d calls %d", reports>>10, calls, diff>>10)
	if limit := reports + reports/4 + 3*perCall*calls; diff > limit {
		t.Errorf("two reports allocate %d bytes, a diff %d, want at most %d", reports, diff, limit)
	}
}

// An edit in a long run is found at its place, whatever the windows of the alignment.
func TestEditsInLongRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	ops := randomScene(r, 6000)
	a := record(t, here(), 1, ops)
	more := op{Program: "cat", Do: "open", Path: "usr/src/more"}
	for _, at := range []int{20, 3000, 5990} {
		one := slices.Insert(slices.Clone(ops), at, more)
		if d := compare(t, a, record(t, there(), 2, one)); d.Count() != 1 || d.Differences[0].Kind != CallsOnly {
			t.Errorf("one call more at %d:\n%s", at, text(t, d))
		}
		many := slices.Insert(slices.Clone(ops), at, slices.Repeat([]op{more}, 900)...)
		if d := compare(t, record(t, there(), 2, many), a); d.Count() != 1 || d.Differences[0].Kind != CallsOnly {
			t.Errorf("900 calls less at %d:\n%s", at, text(t, d))
		}
	}
}

// every returns a scene in which every open goes differently from the one in plain, as on another kernel.
func every(plain []op) []op {
	var out []op
	for _, o := range plain {
		if o.Do == "open" {
			out = append(out, op{Program: o.Program, Do: "disturb"})
		}
		out = append(out, o)
	}
	return out
}

// BenchmarkCompareEveryCallDiffers compares two long runs in which nearly every call differs in one step.
func BenchmarkCompareEveryCallDiffers(b *testing.B) {
	plain := randomScene(rand.New(rand.NewPCG(1, 1)), 60_000)
	m := there()
	m.Release = "7.3.0-test"
	x, y := record(b, here(), 1, plain), record(b, m, 1, every(plain))
	b.ReportAllocs()
	for b.Loop() {
		r := compare(b, x, y)
		b.ReportMetric(float64(r.A.Events), "events")
		b.ReportMetric(float64(r.Same), "same")
		b.ReportMetric(float64(len(r.Differences)), "differences")
	}
}

// A step that differs in every call of a long run makes a few differences, one for each way in which it
// shows, and every other call joins one of them.
func TestEveryCallDiffers(t *testing.T) {
	plain := randomScene(rand.New(rand.NewPCG(1, 1)), 4000)
	m := there()
	m.Release = "7.3.0-test"
	r := compare(t, record(t, here(), 1, plain), record(t, m, 1, every(plain)))
	var told uint64
	for _, d := range r.Differences {
		if d.Kind != Steps {
			t.Errorf("%s, %s", d.Kind, d.Call)
		}
		told += 1 + uint64(len(d.Also)) + d.AlsoMore
	}
	if len(r.Differences) > 8 || told < 3000 {
		t.Errorf("%d differences for %d calls:\n%s", len(r.Differences), told, text(t, r))
	}
}
