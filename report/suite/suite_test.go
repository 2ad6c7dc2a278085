// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/report/suite/suitetest"
)

var tests = []Test{
	{Class: "sh", Name: "steps"},
	{Class: "sh # SKIP", Name: "calls\\n", Outcome: Failed, Why: "1 difference", Details: []string{"@@ sh @@", "-open \"a#b\" <&>]]>"}},
	{Class: "sh", Name: "order", Outcome: Accepted, Why: "allow.txt # all"},
	{Class: "sh", Name: "claims", Outcome: Undecided, Why: "3 events were lost"},
}

// The KTAP output follows the grammar, and has the outcome of each test.
func TestKTAP(t *testing.T) {
	var b strings.Builder
	if err := WriteKTAP(&b, tests); err != nil {
		t.Fatal(err)
	}
	got, err := suitetest.KTAP(b.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	for i, want := range []suitetest.Line{{OK: true, Name: "sh: steps"}, {OK: false, Name: `sh \x23 SKIP: calls\n`},
		{OK: true, Name: "sh: order", Directive: "XFAIL"}, {OK: true, Name: "sh: claims", Directive: "SKIP"}} {
		if got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
}

// The XML output can be read back by an XML parser.
func TestJUnit(t *testing.T) {
	var b strings.Builder
	if err := WriteJUnit(&b, "a \"b\" <c>", tests); err != nil {
		t.Fatal(err)
	}
	var s testsuite
	if err := xml.Unmarshal([]byte(b.String()), &s); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if s.Name != "a \"b\" <c>" || s.Tests != 4 || s.Failures != 1 || s.Skipped != 2 || len(s.Cases) != 4 {
		t.Errorf("%+v", s)
	}
	if f := s.Cases[1].Failure; f == nil || f.Message != "1 difference" || f.Text != "@@ sh @@\n-open \"a#b\" <&>]]>" || s.Cases[0].Failure != nil {
		t.Errorf("%+v", f)
	}
	if m := s.Cases[2].Skipped; m == nil || m.Message != "accepted: allow.txt # all" {
		t.Errorf("%+v", m)
	}
}
