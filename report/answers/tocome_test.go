// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"math"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Events of roles and phases that this version does not know are passed over, whatever their numbers.
func TestEventsToCome(t *testing.T) {
	trace, err := tracetest.Bytes(func(emit func(*schema.Event)) {
		for _, role := range []schema.Role{math.MinInt32, -1, 0, schema.RoleOpen, schema.RoleLookupRCU, schema.RoleAlloc, schema.RoleInsert, schema.RoleKill, schema.RoleEnd, math.MaxInt32} {
			for _, phase := range []schema.Phase{math.MinInt32, -1, 0, schema.Enter, schema.Exit, schema.Whole, schema.Whole + 1, math.MaxInt32} {
				emit(&schema.Event{Time: 1, PID: 1, TID: 1, Comm: "cat", Role: role, Phase: phase, Columns: math.MaxUint32, Dentry: 0x1000, Name: "a", NameLen: 1, Parent: 0x2000})
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"D1", "0x1000", "#1", "#9", "a", "/a", "1"} {
		target, err := ParseTarget(what)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Show(tracetest.Read(t, trace), target); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s, err := Summarize(tracetest.Read(t, trace)); err != nil || s.Events != 80 {
		t.Errorf("%d events, %v", s.Events, err)
	}
}
