// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
)

// The most bytes of a page, and of a page with --brief.
const (
	mostPage  = 500_000
	mostBrief = 64_000
)

// checkSoundPage checks the size of a page, and how GitHub renders it: every link has a target, every
// <details> is closed, and all rows of a table have the same number of cells.
func checkSoundPage(t *testing.T, what, page string, most int) {
	t.Helper()
	if len(page) > most {
		t.Errorf("%s: the page has %d bytes", what, len(page))
	}
	var out bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	if err := md.Convert([]byte(page), &out); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(out.String(), -1) {
		ids[m[1]] = true
	}
	links := regexp.MustCompile(` href="#([^"]*)"`).FindAllStringSubmatch(out.String(), -1)
	for _, m := range links {
		if !ids[m[1]] {
			t.Errorf("%s: a link to #%s leads nowhere", what, m[1])
		}
	}
	if begun, ended := strings.Count(out.String(), "<details>"), strings.Count(out.String(), "</details>"); begun != ended || len(links) < 1 {
		t.Errorf("%s: %d parts are folded, %d of them end; %d links", what, begun, ended, len(links))
	}
	cells, fence := 0, ""
	for _, l := range strings.Split(page, "\n") {
		if run := l[:len(l)-len(strings.TrimLeft(l, "`"))]; len(run) > 2 && (fence == "" || l == fence) {
			if fence != "" {
				fence = ""
			} else {
				fence = run
			}
		}
		switch n := strings.Count(strings.ReplaceAll(l, `\|`, ""), "|"); {
		case fence != "" || !strings.HasPrefix(l, "| ") && !strings.HasPrefix(l, "|-"):
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("%s: a row of %d cells in a table of %d: %s", what, n, cells, l)
		}
	}
}

// TestPagesAreSound checks pages of the samples with various flags: that GitHub can show them, and that
// they hold against their traces.
func TestPagesAreSound(t *testing.T) {
	for _, trace := range append(samples(t), generatedTrace(t), oddNames(t)) {
		for _, tt := range []struct {
			most int
			args []string
		}{
			{mostPage, []string{"report"}},
			{mostPage, []string{"report", "--explain", "hash"}},
			{mostPage, []string{"report", "--select", "#25", "--select", "t_e.txt", "--front-matter"}},
			{mostBrief, []string{"report", "--brief", "--select", "it's"}},
			{mostPage, []string{"report", "--without", "insert,kill"}},
			{mostPage, []string{"report", "--failed", "--path", "/tmp/t_m.txt", "--errno", "ENOENT", "--from", "+0"}},
		} {
			page := output(t, append(tt.args, trace)...)
			checkSoundPage(t, strings.Join(append(tt.args, trace), " "), strings.TrimPrefix(page, "---\n"), tt.most)
			if code, said := checkPageOf(t, page, trace); code != 0 {
				t.Errorf("%v %s: exit %d\n%.2000s", tt.args, trace, code, said)
			}
			if first, _, _ := strings.Cut(page[strings.Index(page, "# What"):], "\n## Contents"); strings.Count(first, "\n") > 45 {
				t.Errorf("%v %s: the first screen has %d lines", tt.args, trace, strings.Count(first, "\n"))
			}
		}
	}
}

// TestPagesOfManyEventsHaveTheirSize checks that a page stays within its size however many events there
// are.
func TestPagesOfManyEventsHaveTheirSize(t *testing.T) {
	b, err := tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(1_000_000, emit) })
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "million.pb")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	checkSoundPage(t, "a million events", output(t, "report", file), mostPage)
	checkSoundPage(t, "a million events, brief", output(t, "report", "--brief", file), mostBrief)
}

// TestPageOfTheSeedsProgramsIsNoLonger checks that a page of the programs of this project's seed,
// without its folded parts (the depth of the seed's own page of 17,718 bytes), is at most half as long
// again.
func TestPageOfTheSeedsProgramsIsNoLonger(t *testing.T) {
	const seed = 17_718
	page := output(t, "report", seedPrograms(t))
	depth := regexp.MustCompile(`(?s)<details>.*?</details>\n*`).ReplaceAllString(page, "")
	if t.Logf("%d bytes, %.2f of the seed's", len(depth), float64(len(depth))/seed); len(depth) > seed*3/2 {
		t.Errorf("the page has %d bytes", len(depth))
	}
}

// seedPrograms writes a trace with the part of the sample that is of the seed's programs.
func seedPrograms(t *testing.T) string {
	t.Helper()
	r := tracetest.Open(t, "traces/run1.pb")
	file := filepath.Join(t.TempDir(), "seed.pb")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := schema.NewWriter(out, r.Header())
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]bool{"minimal_open": true, "te_miss": true, "tm_miss": true, "lm_miss": true, "a_miss": true, "hits": true, "delete": true, "evict": true, "rebuild": true, "post": true}
	for err == nil {
		var rec schema.Record
		rec, err = r.Next()
		switch rec := rec.(type) {
		case *schema.Event:
			if of[rec.Comm] {
				err = w.Append(rec)
			}
		case *schema.Program:
			if of[rec.Name] {
				err = w.Program(rec)
			}
		}
	}
	if err := w.Close(&schema.Footer{}); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTheCommandHasTheOpensThatThePageCounts checks that the command which the page names for the opens
// it does not show prints all of them, those of execs too.
func TestTheCommandHasTheOpensThatThePageCounts(t *testing.T) {
	page, execs := output(t, "report", "test/git.pb"), false
	said := regexp.MustCompile("(?m)^(\\d+) of its opens(?: and execs)? (?:is|are) shown.*; (\\d+) more (?:is|are) counted in the verdicts: `dtrec (.*) FILE`$").FindAllStringSubmatch(page, -1)
	for _, m := range said {
		command := append(strings.Fields(m[3]), "test/git.pb")
		if got, want := uint64(strings.Count(output(t, command...), " < open ")), number(m[1])+number(m[2]); got != want {
			t.Errorf("%v prints %d opens, the page counts %d", command, got, want)
		}
		execs = execs || strings.Contains(m[3], "open,exec ")
	}
	if len(said) < 2 || !execs {
		t.Errorf("the page names %d such commands, an exec's %v", len(said), execs)
	}
}

// TestSelectShowsOrSays checks that a page shows what --select asks for, also by a name with escapes,
// and that stderr names exactly what no path call matches.
func TestSelectShowsOrSays(t *testing.T) {
	var stdout, stderr strings.Builder
	args := []string{"report", "--select", `new\nline`, "--select", "#52", "--select", "nosuch", "--select", "D99999", "--select", "nosuch", "traces/run1.pb"}
	if code := Run(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d, %s", code, stderr.String())
	}
	if got, want := stderr.String(), "dtrec: --select nosuch: the page shows no path call of it\ndtrec: --select D99999: the page shows no path call of it\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if !strings.Contains(stdout.String(), "asked for") {
		t.Error("no path call is shown as asked for")
	}
}
