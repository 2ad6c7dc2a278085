// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Where there are more processes, threads or calls than are remembered, which are told of and when does not
// depend on the order of a map.
func TestTooManyAreToldOfInOneOrder(t *testing.T) {
	for _, a := range tracetest.Attacks(20_000) {
		if a.Name != "forks" && a.Name != "opens-on-a-million-threads" {
			continue
		}
		trace, err := a.Make()
		if err != nil {
			t.Fatal(err)
		}
		first, again := toldOf(t, trace), toldOf(t, trace)
		if len(first) < maxTasks || !slices.Equal(first, again) {
			t.Errorf("%s: %d are told of, and again %d, in another order", a.Name, len(first), len(again))
		}
	}
}

// toldOf are the numbers of what the model and the state tell of, in that order.
func toldOf(t *testing.T, trace []byte) (out []uint64) {
	t.Helper()
	r, err := schema.NewReader(bytes.NewReader(trace), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := NewModel(r.Header())
	m.Task = func(p *Task) { out = append(out, uint64(p.PID)) }
	m.Call = func(c *PathCall) { out = append(out, c.ID) }
	m.State.OnGivenUp(func(c *Call) { out = append(out, c.Enter.ID) })
	if err := m.follow(r, func() bool { return true }); err != nil {
		t.Fatal(err)
	}
	m.State.InProgress(func(c *Call) { out = append(out, c.Enter.ID) })
	return out
}
