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
	open, accepted := byTest(r.told()), byTest(r.Accepted)
	doubts := slices.Clone(r.Doubts)
	if r.Omitted > 0 {
		doubts = append(doubts, plural(r.Omitted, "difference")+" not shown")
	}
	var tests []suite.Test
	for _, name := range r.compared() {
		t := suite.Test{Class: name[0], Name: name[1]}
		last := ""
		for _, d := range open[name] {
			if h := "@@ " + d.heading() + " @@"; h != last {
				t.Details, last = append(t.Details, h), h
			}
			for _, l := range d.shown() {
				t.Details = append(t.Details, l.text())
			}
		}
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

// testName is the class and the name of a test.
type testName [2]string

// compared names what is compared, whether it differs or not.
func (r *Result) compared() []testName {
	var names []testName
	add := func(k Kind, name testName) {
		if r.asked == nil || slices.Contains(r.asked, k) {
			names = append(names, name)
		}
	}
	add(Kernel, Change{Symbol: true}.difference().test())
	add(Kernel, Change{}.difference().test())
	for _, program := range r.programs {
		for _, k := range Kinds()[1:] {
			add(k, testName{program, string(k)})
		}
	}
	return names
}

// test names the test that a difference belongs to.
func (d *Difference) test() testName {
	if d.Kind == Kernel {
		return testName{d.Program, d.Call}
	}
	return testName{d.Program, string(d.Kind)}
}

func byTest(list []*Difference) map[testName][]*Difference {
	by := make(map[testName][]*Difference)
	for _, d := range list {
		by[d.test()] = append(by[d.test()], d)
	}
	return by
}
