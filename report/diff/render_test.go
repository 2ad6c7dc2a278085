// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dtrec/dtrec/replay"
)

// hostile is a name that would break out of a line, a quotation, a table, a code block or a terminal's
// text.
const hostile = "a\"b`c```d|e<b>\x1b[31m\nf\xff\\g"

// Names cannot break the printed forms.
func TestHostileNames(t *testing.T) {
	a := record(t, here(), 1, []op{{Program: "p" + hostile[:8], Do: "open", Path: hostile}, {Program: "q", Do: "open", Path: "usr/same"}})
	b := record(t, there(), 2, []op{{Program: "p" + hostile[:8], Do: "open", Path: hostile + "2"}, {Program: "q", Do: "open", Path: "usr/same"}})
	r := compare(t, a, b)
	r.A.File, r.B.File = replay.Printable(hostile), replay.Printable(hostile)
	if r.Count() != 1 {
		t.Fatal(text(t, r))
	}
	for name, write := range map[string]func(*strings.Builder) error{
		"text":     func(b *strings.Builder) error { return r.WriteText(b) },
		"markdown": func(b *strings.Builder) error { return r.WriteMarkdown(b) },
		"json":     func(b *strings.Builder) error { return r.WriteJSON(b) },
	} {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		s := out.String()
		if strings.Contains(s, "\x1b") || !utf8.ValidString(s) || strings.Contains(s, "\nf") {
			t.Errorf("%s:\n%q", name, s)
		}
	}
}

// Every difference has a heading of its own, so that "and 3 times more" is read of the lines below it and of no others.
func TestEachDifferenceHasAHeading(t *testing.T) {
	var runs [2][]byte
	for i, name := range []string{"../../test/format1/git.pb", "../../test/git.pb"} {
		var err error
		if runs[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	r := compare(t, runs[0], runs[1])
	var headings []string
	for line := range strings.Lines(text(t, r)) {
		if strings.HasPrefix(line, "@@ ") {
			headings = append(headings, line)
		}
	}
	if len(headings) != len(r.Differences) || len(slices.Compact(slices.Clone(headings))) == len(headings) {
		t.Errorf("%d differences and %d headings, or none of them are alike:\n%s", len(r.Differences), len(headings), text(t, r))
	}
}

func TestMarkdownPage(t *testing.T) {
	m := there()
	m.Release = "7.3.0-test"
	m.External = 16
	r := compare(t, record(t, here(), 1, scene(standard)), record(t, m, 2, scene(without(standard, "sh remove"))))
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# `a.pb` and `b.pb`: 2 differences\n\n```diff\n--- a.pb\t6.12.0-test ", "\n+++ b.pb\t7.3.0-test ",
		"\n@@ sh, calls on one side only @@\n",
		"\n-unlink \"usr/src/new.h\"\t#98-#109\n@@ kernel, layout @@\n-offset of name in struct external_name: 24\n+offset of name in struct external_name: 16\n2 differences; the same: ",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// Each line of the JSON output is an object with a type; the last one is the verdict.
func TestJSONLines(t *testing.T) {
	r := compare(t, record(t, here(), 1, scene(standard)), record(t, there(), 2, scene(without(standard, "sh remove"))))
	var b strings.Builder
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var types []string
	for line := range strings.Lines(b.String()) {
		var o struct {
			Type    string `json:"type"`
			Verdict string `json:"verdict"`
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		if len(types) == 0 || types[len(types)-1] != o.Type {
			types = append(types, o.Type)
		}
		if o.Type == "verdict" && o.Verdict != "different" {
			t.Errorf("%s", line)
		}
	}
	if got := strings.Join(types, " "); got != "runs difference excused latency verdict" {
		t.Errorf("%s", got)
	}
}
