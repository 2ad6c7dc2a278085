// SPDX-License-Identifier: Apache-2.0

// Package suite prints results as tests, for programs that run tests and show the results: as KTAP, like
// the kernel's own tests (Documentation/dev-tools/ktap.rst), and as JUnit XML.
package suite

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Outcome is how a test ended.
type Outcome uint8

// Only Failed is a failure. Accepted is a failure that was expected. Undecided means that the outcome is
// not known, which is not a pass.
const (
	Passed Outcome = iota
	Failed
	Accepted
	Undecided
)

// Test is one test. Class and Name are the same in every run, and no two tests have both in common.
type Test struct {
	Class, Name string
	Outcome     Outcome
	Why         string   // one line; may be empty if the test passed
	Details     []string // lines; usually nil
}

// WriteKTAP prints the tests as KTAP 1, one line each, preceded by its details as diagnostic lines.
func WriteKTAP(w io.Writer, tests []Test) error {
	b := bufio.NewWriter(w)
	sharp := strings.NewReplacer("#", `\x23`) // which ends a name in KTAP, and starts a directive
	fmt.Fprintf(b, "KTAP version 1\n1..%d\n", len(tests))
	for i, t := range tests {
		for _, line := range t.Details {
			fmt.Fprintf(b, "# %s\n", line)
		}
		ok, directive := "ok", ""
		switch t.Outcome {
		case Failed:
			ok = "not ok"
			if t.Why != "" {
				fmt.Fprintf(b, "# %s\n", t.Why)
			}
		case Accepted:
			directive = " # XFAIL " + sharp.Replace(t.Why)
		case Undecided:
			directive = " # SKIP " + sharp.Replace(t.Why)
		}
		fmt.Fprintf(b, "%s %d %s%s\n", ok, i+1, sharp.Replace(t.Class+": "+t.Name), directive)
	}
	return b.Flush()
}

type message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type testcase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *message `xml:"failure"`
	Skipped *message `xml:"skipped"`
}

type testsuite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Cases    []testcase `xml:"testcase"`
}

// WriteJUnit prints the tests as one suite of JUnit XML. Accepted and undecided tests are skipped; the
// message says if a test was accepted.
func WriteJUnit(w io.Writer, name string, tests []Test) error {
	s := testsuite{Name: name, Tests: len(tests)}
	for _, t := range tests {
		c := testcase{Class: t.Class, Name: t.Name}
		m := &message{t.Why, strings.Join(t.Details, "\n")}
		switch t.Outcome {
		case Failed:
			s.Failures++
			c.Failure = m
		case Accepted:
			m.Message = "accepted: " + m.Message
			fallthrough
		case Undecided:
			s.Skipped++
			c.Skipped = m
		}
		s.Cases = append(s.Cases, c)
	}
	out, err := xml.MarshalIndent(&s, "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, out)
	return err
}
