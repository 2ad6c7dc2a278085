// SPDX-License-Identifier: Apache-2.0

package html

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// TestMeasure measures the cost of a page of DTREC_MEASURE generated events: for dtrec to make it, and for
// Chromium, by its own tracing, to paint and to search it. docs/page.md has the figures.
func TestMeasure(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("DTREC_MEASURE"))
	if err != nil {
		t.Skip("DTREC_MEASURE is not how many events")
	}
	dir := t.TempDir()
	trace, dtrec, page := filepath.Join(dir, "trace.pb"), filepath.Join(dir, "dtrec"), filepath.Join(dir, "page.html")
	generate(t, trace, n)
	if out, err := exec.Command("go", "build", "-o", dtrec, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(dtrec, "report", "--format", "html", "-o", page, trace)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(page)
	if err != nil {
		t.Fatal(err)
	}
	state := cmd.ProcessState
	t.Logf("%d events: made in %s of CPU with %d MB at most; %d bytes", n, state.UserTime()+state.SystemTime(), state.SysUsage().(*syscall.Rusage).Maxrss>>10, info.Size())

	ctx := browser(t)
	do(t, ctx, chromedp.Navigate("about:blank"))
	moments := traced(t, ctx, func() {
		do(t, ctx, chromedp.Navigate("file://"+page), chromedp.WaitReady(`html[data-ready=yes]`))
		eval[bool](t, ctx, `(performance.mark("begin"), byId("query").value = "file_17.h", byId("search").requestSubmit(), requestAnimationFrame(() => requestAnimationFrame(() => { performance.mark("painted"); document.documentElement.dataset.painted = "yes"; })), true)`)
		do(t, ctx, chromedp.WaitReady(`html[data-painted=yes]`))
	})
	if !strings.Contains(eval[string](t, ctx, `byId("details").innerText`), "file_17.h") {
		t.Error("the search finds nothing")
	}
	t.Logf("first contentful paint %.0f ms after the navigation began, ready %.0f ms; a search painted after %.0f ms",
		moments["firstContentfulPaint"]-moments["navigationStart"], moments["ready"]-moments["navigationStart"], moments["painted"]-moments["begin"])
}

// generate writes a trace in small pieces, because the peak memory of a child process starts at that of
// this one.
func generate(t *testing.T, path string, n int) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := schema.NewWriter(file, tracetest.Header())
	if err == nil {
		tracetest.Generate(n, func(e *schema.Event) {
			if err == nil {
				err = w.Append(e)
			}
		})
	}
	if err == nil {
		err = w.Close(&schema.Footer{EndNs: 1 << 40, EndedBy: "command"})
	}
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// traced runs work under Chromium's tracing and returns the time of the last event of each name, in
// milliseconds.
func traced(t *testing.T, ctx context.Context, work func()) map[string]float64 {
	t.Helper()
	at, done := make(map[string]float64), make(chan bool)
	var mu sync.Mutex
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected:
			mu.Lock()
			defer mu.Unlock()
			for _, v := range e.Value {
				var one struct {
					Name string
					TS   float64
				}
				if json.Unmarshal(v, &one) == nil {
					at[one.Name] = max(at[one.Name], one.TS/1000)
				}
			}
		case *tracing.EventTracingComplete:
			close(done)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func(f func(ctx context.Context, target *chromedp.Target) error) { do(t, ctx, chromedp.Func(f)) }
	call(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"loading", "blink.user_timing"}}})
		return err
	})
	work()
	call(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, tracing.End, cdp.Empty{})
		return err
	})
	<-done
	mu.Lock()
	defer mu.Unlock()
	return at
}
