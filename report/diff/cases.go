// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/report/suite"
)

// WriteKTAP prints the result as tests, one for each program and kind of difference.
func (r *Result) WriteKTAP(w io.Writer) error { return suite.WriteKTAP(w, r.tests()) }

// WriteJUnit prints the same tests as XML.
func (r *Result) WriteJUnit(w io.Writer) error {
	return suite.WriteJUnit(w, "dtrec diff "+r.A.File+" "+r.B.File, r.tests())
}

// tests are what is compared, each with what differs in it. Where nothing can be concluded
// from finding no difference, no test is passed.
func (r *Result) tests() []suite.Test {
	open, accepted := byTest(r.Differences), byTest(r.Accepted)
	doubts := slices.Clone(r.Doubts)
	if r.Omitted > 0 {
		doubts = append(doubts, plural(r.Omitted, "difference")+" not shown")
	}
	var tests []suite.Test
	for _, name := range r.compared() {
		t := suite.Test{Class: name.class, Name: string(name.kind), Details: hunks(open[name])}
		switch {
		case len(open[name]) > 0:
			t.Outcome, t.Why = suite.Failed, plural(uint64(len(open[name])), "difference")
		case len(doubts) > 0:
			t.Outcome, t.Why = suite.Undecided, strings.Join(doubts, "; ")
		case len(accepted[name]) > 0:
			t.Outcome, t.Why = suite.Accepted, plural(uint64(len(accepted[name])), "difference")
		}
		tests = append(tests, t)
	}
	for _, l := range r.Latency {
		if t := (suite.Test{Class: "latency", Name: l.Role}); r.Timed {
			if l.Differs {
				t.Outcome, t.Why = suite.Failed, "A "+l.A.String()+"; B "+l.B.String()
			}
			tests = append(tests, t)
		}
	}
	return tests
}

// testName is what a test is called: a program, or "kernel", and a kind of difference.
type testName struct {
	class string
	kind  Kind
}

// compared names what is compared, whether it differs or not.
func (r *Result) compared() (names []testName) {
	for i, class := range append([]string{"kernel"}, r.programs...) {
		for _, k := range Kinds() {
			ofKernel := k == Symbols || k == Layout
			if ofKernel == (i == 0) && (r.asked == nil || slices.Contains(r.asked, k)) {
				names = append(names, testName{class, k})
			}
		}
	}
	return names
}

func byTest(list []*Difference) map[testName][]*Difference {
	by := make(map[testName][]*Difference)
	for _, d := range list {
		name := testName{d.Program, d.Kind}
		by[name] = append(by[name], d)
	}
	return by
}
