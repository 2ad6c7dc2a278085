// SPDX-License-Identifier: Apache-2.0

package test

import (
	"io"
	"os"
	"testing"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// modelled runs the model over a log.
func modelled(t *testing.T, log io.Reader) (ops int, did *truths) {
	t.Helper()
	list, err := readLog(log)
	if err != nil {
		t.Fatal(err)
	}
	if did, err = replayLog(list); err != nil {
		t.Fatal(err)
	}
	return len(list), did
}

// held holds the claims of a trace in a file against what was done.
func held(t *testing.T, trace string, did *truths) (*checker, *report.Findings) {
	t.Helper()
	file, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := schema.NewReader(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, f, err := hold(r, did)
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}

// report prints the counts.
func (c *checker) report(t *testing.T, f *report.Findings) {
	for _, k := range report.Kinds() {
		n := f.Tally[k.Kind]
		t.Logf("%-12s  proven %5d  held against the model %5d  refuted %d  unproven %d", k.Name, n[report.Proven], c.held[k.Name], n[report.Refuted], n[report.Unproven])
	}
	t.Logf("false: %d; refuted: %v", len(c.faults), c.denied)
}

// enough requires that the model was asked about every kind of claim, and that the
// report does not hide behind doubt: where nothing is lost, nine in ten are proven.
// Races happen as they please, and the model does not say how a walk goes: where it starts,
// and whether it starts over.
func (c *checker) enough(t *testing.T, f *report.Findings) {
	for _, k := range report.Kinds() {
		if k.Kind == report.Restart || k.Kind == report.Start {
			continue
		}
		if n := f.Tally[k.Kind]; c.held[k.Name] == 0 && (k.Kind != report.Race || n[report.Proven] > 0) {
			t.Errorf("no %s claim was held against the model", k.Name)
		}
	}
	for _, what := range things {
		if !c.met[what] {
			t.Errorf("no proven claim is about %s", what)
		}
	}
	proven, unproven := f.Tally.Total(report.Proven), f.Tally.Total(report.Unproven)
	if f.Lost == 0 && unproven*9 > proven {
		t.Errorf("%d proven, %d unproven", proven, unproven)
	}
}
