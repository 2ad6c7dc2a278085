// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"os"
	"testing"

	"github.com/dtrec/dtrec/report/suite"
)

// The test of every program that has a difference fails, even if the difference is reported under another
// program.
func TestEachProgramThatDiffersFails(t *testing.T) {
	var in [2]Input
	for i, name := range []string{"../../traces/linux-5.10.pb", "../../traces/run1.pb"} {
		trace, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in[i] = input(t, name, trace)
	}
	r, err := Compare(in[0], in[1], Options{})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(map[[2]string]bool)
	for _, test := range r.tests() {
		failed[[2]string{test.Class, test.Name}] = test.Outcome == suite.Failed
	}
	also := 0
	for _, d := range r.Differences {
		for _, at := range append([]Pair{d.Pair}, d.Also...) {
			if of := at.Program; of != "" && !failed[[2]string{of, string(d.Kind)}] {
				t.Errorf("%s: %s differ, and its test does not fail", of, d.Kind)
			}
			if at.Program != d.Program {
				also++
			}
		}
	}
	if also == 0 {
		t.Error("no difference is of several programs: nothing was tried")
	}
}
