// SPDX-License-Identifier: Apache-2.0

package replay_test

import (
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// An operation on a descriptor is no path call, whether it succeeded or not. One with a path that could not
// be copied is.
func TestOperationsOnDescriptors(t *testing.T) {
	ended := func(errno int) func(emit func(*schema.Event)) {
		return func(emit func(*schema.Event)) {
			for _, role := range []schema.Role{schema.RoleGetxattr, schema.RoleUtimes, schema.RoleStat} {
				for _, phase := range []schema.Phase{schema.Enter, schema.Exit} {
					emit(&schema.Event{Time: 1, PID: 1, TID: 1, Comm: "cp", Role: role, Phase: phase, Columns: role.Shape(phase).Columns, Ret: uint64(-int64(errno))})
				}
			}
		}
	}
	for errno, want := range map[int][]string{0: {"stat"}, 61: {"stat"}, 1: {"stat"}, 9: {"stat"}, 2: {"getxattr", "utimes", "stat"}, 14: {"getxattr", "utimes", "stat"}, 36: {"getxattr", "utimes", "stat"}} {
		trace, err := tracetest.Bytes(ended(errno))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for c, err := range replay.Calls(tracetest.Read(t, trace)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Operation)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: path calls %v, want %v", schema.ErrnoText(errno), got, want)
		}
	}
}
