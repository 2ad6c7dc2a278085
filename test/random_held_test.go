// SPDX-License-Identifier: Apache-2.0

package test

import (
	"testing"

	"github.com/dtrec/dtrec/report"
)

// report logs the counts.
func (c *checker) report(t *testing.T, f *report.Findings) {
	for _, k := range report.Kinds() {
		n := f.Tally[k.Kind]
		t.Logf("%-12s  proven %5d  held against the model %5d  refuted %d  unproven %d", k.Name, n[report.Proven], c.compared[k.Name], n[report.Refuted], n[report.Unproven])
	}
	t.Logf("false: %d; refuted: %v", len(c.faults), c.refuted)
}

// checkCoverage checks that the model was asked about every kind of claim, and that the report does not hide
// behind doubt: if nothing is lost and missed hits are counted, nine claims in ten are proven. Races
// are left to chance, and the model does not tell how a walk goes: where it starts, and whether it
// starts over.
func (c *checker) checkCoverage(t *testing.T, f *report.Findings) {
	for _, k := range report.Kinds() {
		if k.Kind == report.Restart || k.Kind == report.Start {
			continue
		}
		if n := f.Tally[k.Kind]; c.compared[k.Name] == 0 && (k.Kind != report.Race || n[report.Proven] > 0) {
			t.Errorf("no %s claim was held against the model", k.Name)
		}
	}
	for _, what := range requiredTopics {
		if !c.topicsSeen[what] {
			t.Errorf("no proven claim is about %s", what)
		}
	}
	proven, unproven := f.Tally.Total(report.Proven), f.Tally.Total(report.Unproven)
	if f.Lost == 0 && unproven*9 > proven {
		t.Errorf("%d proven, %d unproven", proven, unproven)
	}
}
