// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/xml"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report/suite/suitetest"
	"github.com/dtrec/dtrec/schema"
)

func allowed(t *testing.T, text string) *Allowed {
	t.Helper()
	a, err := ReadAllowed("allow.txt", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return a
}

// The printed differences accept all differences of another diff of the same two runs, and of two other
// runs with the same differences.
func TestWhatIsPrintedIsAccepted(t *testing.T) {
	b := there()
	b.Release, b.External = "7.3.0-test", 16
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 11))
		ops := randomScene(r, 30+r.IntN(200))
		edited, what := change(r, ops)
		diff := func(seed uint64) *Result {
			return compare(t, record(t, here(), seed, ops), record(t, b, seed+1000, edited))
		}
		first := diff(seed)
		printed := text(t, first)
		for _, again := range []uint64{seed, seed + 500} {
			d := diff(again)
			if d.Accept(allowed(t, "# known\n"+printed)); d.Verdict() != Same || len(d.Unused) > 0 || len(d.Accepted) != len(first.Differences) {
				t.Fatalf("%s:\n%s\nof\n%s", what, text(t, d), printed)
			}
			d = diff(again)
			none := allowed(t, strings.ReplaceAll(strings.ReplaceAll(printed, "@@ ", "@@ no "), "/usr", "/none"))
			if d.Accept(none); d.Count() != first.Count() || len(d.Unused) == 0 || len(d.Accepted) > 0 {
				t.Fatalf("%s:\n%s", what, text(t, d))
			}
		}
	}
}

// An entry accepts differences whose lines it has; a heading alone accepts any differences under it.
func TestAllowed(t *testing.T) {
	a, b := record(t, here(), 1, scene(standard)), record(t, there(), 2, scene(without(standard, "sh remove")))
	for _, c := range []struct {
		name, file string
		same       bool
		unused     string
	}{
		{"nothing", "# nothing\n\n", false, ""},
		{"the heading", "@@ sh, calls on one side only @@\n", true, ""},
		{"with its line", "@@ sh, calls on one side only @@\n-unlink \"usr/src/new.h\"\t#98-#109\n", true, ""},
		{"with its line, of other events", "@@ sh, calls on one side only @@\r\n-unlink \"usr/src/new.h\"\t#1-#2\r\n", true, ""},
		{"another line", "@@ sh, calls on one side only @@\n-unlink \"usr/src/old.h\"\n", false, "@@ sh, calls on one side only @@"},
		{"a line more", "@@ sh, calls on one side only @@\n-unlink \"usr/src/new.h\"\n-unlink \"usr/src/old.h\"\n", true, `-unlink "usr/src/old.h"`},
		{"another program", "@@ cat, calls on one side only @@\n", false, "@@ cat, calls on one side only @@"},
	} {
		r := compare(t, a, b)
		r.Accept(allowed(t, c.file))
		unused := ""
		for _, u := range r.Unused {
			unused += u.Text
		}
		if (r.Verdict() == Same) != c.same || unused != c.unused {
			t.Errorf("%s: %v, unused %q", c.name, r.Verdict(), unused)
		}
	}
	if _, err := ReadAllowed("x", strings.NewReader("@@ a @@\n-b\nsome words\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Error(err)
	}
	// What varies between runs in a name may be different in the next run.
	ops := func(now string) []op {
		return scene(strings.ReplaceAll("p create usr/out_NOW\np open usr/out_NOW\np open usr/f17", "NOW", now))
	}
	number := func(a, b string) *Result {
		return compare(t, record(t, here(), 1, ops(a)), record(t, there(), 2, slices.DeleteFunc(ops(b), func(o op) bool { return o.Do == "open" })))
	}
	known := allowed(t, text(t, number("1795000001", "1795001077")))
	if r := number("1795000000", "1795001070"); r.Count() != 1 {
		t.Error(text(t, r))
	} else if r.Accept(known); r.Verdict() != Same || len(r.Unused) > 0 {
		t.Errorf("%s", text(t, r))
	}
	r := compare(t, a, b)
	if r.Only(Steps, Outcome); r.Verdict() != Same || r.NotAsked != 1 {
		t.Errorf("%s", text(t, r))
	}
}

// The tests of a result have the same names whatever their outcome, and none passes if events are missing.
func TestResultsAsTests(t *testing.T) {
	file := record(t, here(), 1, scene(standard))
	short := copied(t, file, here().Header(), func(w *schema.Writer, e *schema.Event) error { return w.Append(e) }, nil)
	same, differs, cut := compare(t, file, record(t, there(), 2, scene(standard))),
		compare(t, file, record(t, there(), 2, scene(without(standard, "sh remove")))), compare(t, file, short)
	accepted := compare(t, file, record(t, there(), 2, scene(without(standard, "sh remove"))))
	accepted.Accept(allowed(t, "@@ sh, calls on one side only @@\n"))
	names := ""
	for _, c := range []struct {
		r      *Result
		failed string
		others string // directive of the tests that did not fail
	}{{same, "", ""}, {differs, "sh: calls", ""}, {accepted, "", ""}, {cut, "", "SKIP"}} {
		var b strings.Builder
		if err := c.r.WriteKTAP(&b); err != nil {
			t.Fatal(err)
		}
		lines, err := suitetest.KTAP(b.String())
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		all, failed, accepted := "", "", 0
		for _, l := range lines {
			all += l.Name + "\n"
			if !l.OK {
				failed += l.Name
			} else if l.Directive == "XFAIL" {
				accepted++
			} else if l.Directive != c.others {
				t.Errorf("%+v", l)
			}
		}
		if failed != c.failed || accepted != len(c.r.Accepted) || names != "" && names != all {
			t.Errorf("failed %q, accepted %d of\n%s", failed, accepted, all)
		}
		names = all
		b.Reset()
		if err := c.r.WriteJUnit(&b); err != nil {
			t.Fatal(err)
		}
		var s struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Name string `xml:"name,attr"`
			} `xml:"testcase"`
		}
		if err := xml.Unmarshal([]byte(b.String()), &s); err != nil || s.Tests != len(lines) || len(s.Cases) != s.Tests || (s.Failures > 0) != (c.failed != "") {
			t.Errorf("%v: %+v", err, s)
		}
	}
}
