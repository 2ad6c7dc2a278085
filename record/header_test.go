// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"testing"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/schema"
)

// The plan of the probes and the catalogue of roles agree on which roles and phases are recorded live.
func TestPlanFitsCatalogue(t *testing.T) {
	planned := make(map[schema.Role]map[schema.Phase]bool)
	for _, a := range bpf.Plan(bpf.AnyMode, true) {
		if planned[a.Role] == nil {
			planned[a.Role] = make(map[schema.Phase]bool)
		}
		for _, phase := range a.Phases() {
			if a.Role.Shape(phase) == nil {
				t.Errorf("%s: the catalogue has no %s %s", a.Symbol, a.Role.Label(), phase)
			}
			planned[a.Role][phase] = true
		}
		if schema.Attach_name[int32(a.Attach)] == "" {
			t.Errorf("%s: attach type %d is not in the schema", a.Symbol, a.Attach)
		}
	}
	for _, info := range schema.Catalogue() {
		if info.Enter != nil && !planned[info.Role][schema.Enter] || info.Exit != nil && !planned[info.Role][schema.Exit] {
			t.Errorf("%s: the catalogue has a phase without a probe", info.Name)
		}
	}
}
