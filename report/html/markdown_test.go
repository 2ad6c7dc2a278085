// SPDX-License-Identifier: Apache-2.0

package html

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// asOnGitHub is a style with which the Markdown page looks roughly as on GitHub. It is rendered by goldmark
// with GitHub's extensions, and mermaid draws the diagrams.
const asOnGitHub = `body { font: 16px/1.5 system-ui, sans-serif; max-width: 1012px; margin: 0 auto; padding: 24px; color: #1f2328; } h1, h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em; font-size: 1.5em; margin: 20px 0 12px; }
h1 { font-size: 2em; } table { border-collapse: collapse; } td, th { border: 1px solid #d1d9e0; padding: 5px 13px; } tr:nth-child(even) { background: #f6f8fa; } code, pre { background: #f0f1f3; border-radius: 6px; font-size: 85%; }
code { padding: .2em .4em; } pre { padding: 14px; overflow-x: auto; } pre code { padding: 0; font-size: inherit; } pre:has(svg) { background: none; text-align: center; } a { color: #0969da; } p, ul, pre, table { margin: 0 0 14px; } ul { padding-left: 2em; }`

// markdown returns the Markdown page of a trace.
func markdown(t *testing.T, trace []byte) string {
	t.Helper()
	src, err := opener(trace)()
	if err != nil {
		t.Fatal(err)
	}
	s, err := answers.Summarize(src)
	if err != nil {
		t.Fatal(err)
	}
	if src, err = opener(trace)(); err != nil {
		t.Fatal(err)
	}
	f, err := report.Judge(src, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := report.Markdown(&page, f, report.PageOptions{Opening: s}); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// mermaid returns the path of the library, which scripts/install-mermaid installs.
func mermaid(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../../.mermaid/mermaid-*.min.js")
	if err == nil && len(files) > 0 {
		file, err := filepath.Abs(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if os.Getenv("DTREC_ALL_TOOLS") != "" {
		t.Fatal("no mermaid: scripts/install-mermaid .mermaid")
	}
	t.Skip("no mermaid: scripts/install-mermaid .mermaid")
	return ""
}

// Mermaid draws every diagram of every page, with a box for each event. A picture of the page of a git
// session is saved.
func TestMarkdownInABrowser(t *testing.T) {
	library := mermaid(t)
	ctx := browser(t)
	var diagrams strings.Builder
	boxes := 0
	for file := range tracetest.Files(t, "../../traces/*.pb", "../../test/git.pb", "../../test/cases/*.pb", "../../internal/cli/testdata/hostile/*.pb") {
		for _, part := range strings.Split(markdown(t, sample(t, file)), "```mermaid\n")[1:] {
			diagram, _, _ := strings.Cut(part, "\n```")
			diagrams.WriteString("```mermaid\n" + diagram + "\n```\n\n")
			boxes += strings.Count(diagram, `["`)
		}
	}
	show(t, ctx, library, diagrams.String())
	if drawn := eval[int](t, ctx, `document.querySelectorAll("svg .node").length`); drawn != boxes || boxes < 20 {
		t.Errorf("mermaid draws %d boxes of %d", drawn, boxes)
	}
	if text := eval[string](t, ctx, `document.body.innerText`); strings.Contains(text, "Syntax error") || strings.Count(text, "0x") < boxes/2 {
		t.Errorf("the diagrams say %.400s", text)
	}
	show(t, ctx, library, markdown(t, sample(t, "../../test/git.pb")))
	screen(t, ctx, "git-markdown")
	picture(t, ctx, "page-markdown")
}

// show opens a Markdown text and has its diagrams drawn.
func show(t *testing.T, ctx context.Context, library, text string) {
	t.Helper()
	var page bytes.Buffer
	page.WriteString(`<!doctype html><meta charset="utf-8"><style>` + asOnGitHub + `</style><script src="file://` + library + `"></script>`)
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := md.Convert([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate("file://"+file))
	eval[bool](t, ctx, `(mermaid.initialize({startOnLoad: false, securityLevel: "strict"}), mermaid.run({querySelector: "code.language-mermaid"}).then(() => document.documentElement.dataset.ready = "yes"), true)`)
	do(t, ctx, chromedp.WaitReady(`html[data-ready=yes]`))
}
