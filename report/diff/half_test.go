// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"os"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema/tracetest"
)

// A recording whose leaf calls are one event each is the same run as the one whose leaf calls have
// an entry and an exit, and which form is which is said.
func TestLeavesAreTheSame(t *testing.T) {
	old, err := os.ReadFile("../../test/format1/run1.pb")
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tracetest.Leaves(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2][]byte{{old, leaves}, {leaves, old}} {
		r := compare(t, pair[0], pair[1])
		if r.Verdict() != Same {
			t.Error(text(t, r))
		}
		if !strings.Contains(text(t, r), "has an entry and an exit of __d_lookup, __d_lookup_rcu, __d_alloc where the other run has one event") {
			t.Error(text(t, r))
		}
		for _, l := range r.Latency {
			if l.Role == "alloc" || l.Role == "lookup_rcu" {
				t.Errorf("a time of %s is compared: %+v", l.Role, l)
			}
		}
	}
}
