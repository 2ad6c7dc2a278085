// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

func opener(trace []byte) Source {
	return func() (replay.Source, error) { return schema.NewReader(bytes.NewReader(trace), 0) }
}

func sample(t testing.TB, file string) []byte {
	t.Helper()
	trace, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// generated returns a long trace of a simulated kernel.
func generated(t testing.TB, n int) []byte {
	t.Helper()
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(n, emit) })
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// browser starts Chromium. Any message on its console is an error of the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("DTREC_ALL_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1300, 1000), chromedp.WSURLReadTimeout(3*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	var mu sync.Mutex
	ctx, stop = chromedp.NewContext(ctx, chromedp.WithListener(func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case runtime.EventConsoleAPICalled, *runtime.EventConsoleAPICalled:
			t.Errorf("console: %+v", e)
		case runtime.EventExceptionThrown, *runtime.EventExceptionThrown:
			t.Errorf("exception: %+v", e)
		}
	}))
	t.Cleanup(stop)
	return ctx
}

// visit opens the page of a trace.
func visit(t *testing.T, ctx context.Context, name string, trace []byte) {
	t.Helper()
	var page bytes.Buffer
	if err := Write(&page, name, opener(trace)); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 2<<20 {
		t.Errorf("%s: %d bytes", name, page.Len())
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate("file://"+file), chromedp.WaitReady(`html[data-ready=yes]`))
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](t *testing.T, ctx context.Context, expression string, args ...any) T {
	t.Helper()
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, args...)
	}
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%v: %s", err, expression)
	}
	return v
}

// press sends a key to an element.
func press(t *testing.T, ctx context.Context, where, key string) {
	t.Helper()
	eval[bool](t, ctx, `document.querySelector(%q).dispatchEvent(new KeyboardEvent("keydown", {key: %q, bubbles: true, cancelable: true})) || true`, where, key)
}

func click(t *testing.T, ctx context.Context, what string) {
	t.Helper()
	eval[bool](t, ctx, `(document.querySelector(%q).click(), true)`, what)
}

// search submits a word in the search form.
func search(t *testing.T, ctx context.Context, word string) {
	t.Helper()
	eval[bool](t, ctx, `(document.getElementById("query").value = %q, document.getElementById("search").requestSubmit(), true)`, word)
}

// screen saves a screenshot in DTREC_SCREENS, which make screens sets.
func screen(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("DTREC_SCREENS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// picture saves a small picture of the upper part of a page, for README.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("DTREC_SCREENS")
	if dir == "" {
		return
	}
	do(t, ctx, chromedp.EmulateViewport(1060, 740))
	do(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		shot, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: new(int64(70))})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".webp"), shot.Data, 0o644)
	}))
	do(t, ctx, chromedp.EmulateViewport(1300, 1000))
}

var views = []string{"summary", "timeline", "dentries", "paths", "claims", "step"}

// The views of a small page and of a long one can be opened and show no broken values.
func TestPageInABrowser(t *testing.T) {
	ctx := browser(t)
	for name, trace := range map[string][]byte{"run1": sample(t, "../../traces/run1.pb"), "git": sample(t, "../../test/git.pb"), "long": generated(t, 100_000)} {
		visit(t, ctx, name, trace)
		counts(t, ctx, trace)
		for _, view := range views {
			click(t, ctx, "#tab-"+view)
			if got := eval[string](t, ctx, `[...document.querySelectorAll("section:not([hidden])")].map(s => s.id).join()`); got != "view-"+view {
				t.Errorf("%s: %s shows %s", name, view, got)
			}
			if broken := eval[string](t, ctx, `(document.getElementById("main").innerText.match(/.*(undefined|NaN|\[object).*/) || [""])[0]`); broken != "" {
				t.Errorf("%s: %s: %s", name, view, broken)
			}
			screen(t, ctx, name+"-"+view)
		}
	}
}

// The page is readable at 200 % zoom, in dark mode and on paper: nothing overflows at the side, and the
// printed page has every view and no controls.
func TestPageInABrowserZoomedDarkAndPrinted(t *testing.T) {
	ctx := browser(t)
	for name, trace := range map[string][]byte{"run1": sample(t, "../../traces/run1.pb"), "git": sample(t, "../../test/git.pb")} {
		visit(t, ctx, name, trace)
		for look, set := range map[string]chromedp.Action[chromedp.Void]{
			"zoomed": chromedp.EmulateViewport(650, 500, chromedp.EmulateScale(2)),
			"dark":   media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}),
		} {
			do(t, ctx, set)
			for _, view := range views {
				click(t, ctx, "#tab-"+view)
				if wide := eval[int](t, ctx, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
					t.Errorf("%s %s: %s is %d pixels too wide", name, look, view, wide)
				}
				screen(t, ctx, name+"-"+view+"-"+look)
			}
			do(t, ctx, chromedp.EmulateViewport(1300, 1000), media(emulation.SetEmulatedMediaParams{}))
		}
		do(t, ctx, media(emulation.SetEmulatedMediaParams{Media: "print"}))
		eval[bool](t, ctx, `dispatchEvent(new Event("beforeprint"))`)
		if hidden := eval[string](t, ctx, `[...document.querySelectorAll("main section")].filter(s => !s.offsetHeight).map(s => s.id).join()`); hidden != "" {
			t.Errorf("%s: not printed: %s", name, hidden)
		}
		if shown := eval[string](t, ctx, `[...document.querySelectorAll("nav, select, form, button:not(th *)")].filter(s => s.offsetHeight).map(s => s.outerHTML.slice(0, 60)).join()`); shown != "" {
			t.Errorf("%s: printed: %s", name, shown)
		}
		do(t, ctx, chromedp.EmulateViewport(794, 1123)) // A4
		if wide := eval[int](t, ctx, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
			t.Errorf("%s printed is %d pixels too wide", name, wide)
		}
		screen(t, ctx, name+"-printed")
		do(t, ctx, chromedp.EmulateViewport(1300, 1000), media(emulation.SetEmulatedMediaParams{}))
	}
}

func media(p emulation.SetEmulatedMediaParams) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, p)
		return err
	})
}

// The life lines of a directory are those of the paths in it, one row for each.
func TestLivesOfADirectoryInABrowser(t *testing.T) {
	ctx := browser(t)
	visit(t, ctx, "git", sample(t, "../../test/git.pb"))
	click(t, ctx, "#tab-dentries")
	rows := func() int { return eval[int](t, ctx, `document.querySelectorAll(".lives > text[data-also]").length`) }
	all := rows()
	eval[bool](t, ctx, `(document.querySelector("#view-dentries input").value = "/tmp/repo/.git/refs", document.querySelector("#view-dentries input").dispatchEvent(new Event("input")))`)
	lives := eval[[]string](t, ctx, `[...document.querySelectorAll(".lives > text[data-also]")].map(e => e.textContent)`)
	for _, row := range lives {
		if !strings.Contains(row, "/tmp/repo/.git/refs") {
			t.Errorf("%s is among the lives of .git/refs", row)
		}
	}
	if len(lives) < 5 || len(lives) >= all {
		t.Errorf("%d rows of %d", len(lives), all)
	}
	eval[bool](t, ctx, `(document.querySelector("#view-dentries input").value = "/tmp/repo/", document.querySelector("#view-dentries input").dispatchEvent(new Event("input")))`)
	picture(t, ctx, "page-html")
}

// counts checks that the numbers on the page are those of dtrec summary --format json.
func counts(t *testing.T, ctx context.Context, trace []byte) {
	t.Helper()
	src, err := opener(trace)()
	if err != nil {
		t.Fatal(err)
	}
	s, err := answers.Summarize(src)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"calls": s.Total.Calls, "failed": s.Total.Failed, "rcu": s.Total.RCU, "ref": s.Total.Ref, "miss": s.Total.Miss,
		"allocs": s.Total.Allocs, "negatives made": "not known"}
	if n := s.Negatives; n != nil {
		all["negatives made"], all["negatives left"] = n.Made, n.Left
	}
	for what, want := range all {
		if got := eval[string](t, ctx, `document.querySelector('[data-count="%s"]').textContent`, what); got != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %v", what, got, want)
		}
	}
	want := 0
	for _, p := range s.Programs {
		want += int(p.Calls)
	}
	if got := eval[int](t, ctx, `[...document.querySelectorAll("#view-summary table")][0].querySelectorAll("tbody tr td:nth-child(3)").values().reduce((n, c) => n + +c.textContent, 0)`); got != want {
		t.Errorf("calls of all programs: %d, want %d", got, want)
	}
}

// Pointing at a dentry highlights it everywhere, search finds what show finds, and sorting sorts.
func TestPageAnswers(t *testing.T) {
	ctx := browser(t)
	visit(t, ctx, "run1", sample(t, "../../traces/run1.pb"))
	for word, want := range map[string]string{
		"D12": "/tmp/t_e.txt", "#52": "alloc", "52": "is not on this page", "p177": "te_miss", "177": "te_miss", "/tmp/t_e.txt": "open /tmp/t_e.txt", "t_m.txt": "ENOENT", "te_miss": "1 process called te_miss", "0xff1cc18f4142fd80": "D12", "nosuch": "is not on this page",
	} {
		search(t, ctx, word)
		if got := eval[string](t, ctx, `document.getElementById("details").innerText`); !strings.Contains(got, want) {
			t.Errorf("%s: %.300q has no %q", word, got, want)
		}
	}
	if found := eval[string](t, ctx, `document.querySelector(".findings").textContent`); !strings.Contains(found, "dtrec show FILE '#") { // unquoted, #11 would begin a comment in a shell
		t.Errorf("what stands out: %s", found)
	}
	search(t, ctx, "D12")
	// A single expression, because the browser moves its own pointer over whatever is then under it.
	lit := eval[int](t, ctx, `(document.querySelector('#details li .token[data-key="D12"]').dispatchEvent(new PointerEvent("pointerover", {bubbles: true})), document.querySelectorAll(".lit").length)`)
	all := eval[int](t, ctx, `document.querySelectorAll('[data-key="D12"], [data-also~="D12"]').length`)
	if lit != all || lit < 5 {
		t.Errorf("%d of %d places lit", lit, all)
	}
	eval[bool](t, ctx, `(document.querySelector("#view-summary th:nth-child(3) button").click(), true)`)
	if sorted := eval[bool](t, ctx, `[...document.querySelectorAll("#view-summary table")][0].querySelectorAll("tbody tr td:nth-child(3)").values().map(c => +c.textContent).toArray().every((n, i, all) => !i || all[i - 1] >= n)`); !sorted {
		t.Error("not sorted by calls")
	}
	press(t, ctx, "body", "Escape")
	if eval[bool](t, ctx, `!document.getElementById("details").hidden`) {
		t.Error("Escape closes nothing")
	}
}

// Stepping shows what the cache holds of a directory according to the events so far.
func TestStepping(t *testing.T) {
	ctx := browser(t)
	trace := sample(t, "../../traces/run1.pb")
	visit(t, ctx, "run1", trace)
	click(t, ctx, "#tab-step")
	inside := func(id int) string {
		eval[bool](t, ctx, `(goTo(%d), true)`, id)
		return eval[string](t, ctx, `[...document.querySelectorAll(".inside li")].map(l => l.innerText).join("; ")`)
	}
	// t_e.txt is allocated at #52 and enters the hash table at #54; the drop_caches of tm_miss kills it at #64.
	for id, want := range map[int]bool{52: false, 54: true, 55: true} {
		if got := inside(id); strings.Contains(got, "D12 t_e.txt") != want {
			t.Errorf("at #%d: %s", id, got)
		}
	}
	inside(55)
	press(t, ctx, ".stepper", "ArrowRight")
	if got := eval[string](t, ctx, `document.querySelector(".around .now").innerText`); !strings.HasPrefix(got, "#56 ") {
		t.Errorf("right of #55 is %s", got)
	}
	press(t, ctx, ".stepper", "ArrowDown") // the next call
	if got := eval[string](t, ctx, `document.querySelector(".stepper .call h3").innerText`); !strings.Contains(got, "open") {
		t.Errorf("the next call is %s", got)
	}
}

// Names that are markup or script are shown as text, and the page loads nothing.
func TestHostileNames(t *testing.T) {
	ctx := browser(t)
	var names []string
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		k := tracetest.NewKernel(1, emit)
		for _, name := range []string{"<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "\" onclick=\"x", "&amp;", "\u202egnp.exe", "${alert(1)}", "\x1b[31m"} {
			names = append(names, name)
			k.Open(true, "tmp", name)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	visit(t, ctx, "</title><script>alert(1)</script>", trace)
	for _, view := range []string{"timeline", "dentries", "paths", "claims", "step"} {
		click(t, ctx, "#tab-"+view)
	}
	if n := eval[int](t, ctx, `document.querySelectorAll("img, iframe, object, embed, link, a[href], script[src]").length + document.scripts.length - 2`); n != 0 {
		t.Errorf("%d live elements", n)
	}
	if text := eval[string](t, ctx, `document.getElementById("view-paths").textContent`); !strings.Contains(text, "onerror") {
		t.Errorf("the names are not shown: %s", text)
	}
	if loaded := eval[int](t, ctx, `performance.getEntriesByType("resource").length`); loaded != 0 {
		t.Errorf("%d resources loaded", loaded)
	}
}

// WriteJSON writes valid JSON, with as many items as its totals say.
func TestWriteJSON(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSON(&out, "run1.pb", opener(sample(t, "../../traces/run1.pb"))); err != nil {
		t.Fatal(err)
	}
	var d struct {
		Calls, Objects, Events, Claims map[string][]any
		All                            totals
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string][2]int{"calls": {len(d.Calls["id"]), d.All.Calls}, "objects": {len(d.Objects["seq"]), d.All.Objects}, "events": {len(d.Events["id"]), d.All.Events}} {
		if n[0] != n[1] || n[0] < 50 {
			t.Errorf("%s: %d of %d", what, n[0], n[1])
		}
	}
	for _, columns := range []map[string][]any{d.Calls, d.Objects, d.Events, d.Claims} {
		for name, column := range columns {
			for other, c := range columns {
				if len(c) != len(column) {
					t.Errorf("%s has %d rows, %s %d", name, len(column), other, len(c))
				}
			}
		}
	}
}
