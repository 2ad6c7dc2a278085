// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"reflect"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// poorer is a source without the events of some roles, as if their probes had not been attached.
type poorer struct {
	replay.Source
	without replay.Roles
}

func (p poorer) Header() *schema.Header { return replay.WithoutRoles(p.Source.Header(), p.without) }

func (p poorer) Next() (schema.Record, error) {
	for {
		rec, err := p.Source.Next()
		if e, ok := rec.(*schema.Event); err != nil || !ok || !p.without.Has(e.Role) {
			return rec, err
		}
	}
}

// Without the events of one role, a summary either says the same of negative dentries as with it, or that
// they are not known for lack of that role.
func TestNegativesAreKnownOrNot(t *testing.T) {
	for _, file := range []string{"../../test/git.pb", "../../traces/run1.pb", "../../traces/linux-7.3.pb"} {
		whole := summarized(t, file).Negatives
		if whole == nil || whole.Made == 0 {
			t.Fatalf("%s: %+v", file, whole)
		}
		for _, info := range schema.Catalogue() {
			s, err := Summarize(poorer{tracetest.Open(t, file), replay.RolesOf(info.Role)})
			if err != nil {
				t.Fatal(err)
			}
			if s.Negatives == nil && strings.Join(s.Doubts, "") != "probe not attached: "+info.Name || s.Negatives != nil && !reflect.DeepEqual(s.Negatives, whole) {
				t.Errorf("%s without %s: %+v, %v; with it %+v", file, info.Name, s.Negatives, s.Doubts, whole)
			}
		}
	}
}

// A kernel log has no calls, so its summary reports none and nothing that depends on them.
func TestALogHasNoCalls(t *testing.T) {
	for file := range tracetest.Files(t, "../../test/cases/*.pb", "../../traces/*.pb") {
		if s := summarized(t, file); s.Log && (s.Total.Calls+s.Total.Processes != 0 || s.Negatives != nil || len(s.Findings) > 0) {
			t.Errorf("%s: %+v", file, s)
		}
	}
}
