// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// If there are more processes, threads or calls than are remembered, which ones are handed out, and when,
// does not depend on the order of a map.
func TestTooManyAreToldOfInOneOrder(t *testing.T) {
	attacks := tracetest.Attacks(maxTasks + 4000)
	for _, name := range []string{"forks", "opens-on-a-million-threads"} {
		trace := attacks[name]()
		first, again := toldOf(t, trace), toldOf(t, trace)
		if len(first) < maxTasks || !slices.Equal(first, again) {
			t.Errorf("%s: %d are told of, and again %d, in another order", name, len(first), len(again))
		}
	}
}

// Processes that live at the same time are each handed out once, with what they did: as many as a machine
// has pids for by default.
func TestEachProcessIsToldOfOnce(t *testing.T) {
	const many, parent = 1 << 15, 100
	m, told := NewModel(tracetest.Header()), make(map[uint32]int)
	m.Task = func(p *Task) { told[p.PID]++ }
	id := uint64(0)
	record := func(e schema.Event) {
		id++
		e.ID, e.Time, e.TID, e.Comm, e.Columns = id, id*1000, e.PID, "p", e.Role.Shape(e.Phase).Columns
		m.Record(&e)
	}
	for i := range uint32(many) {
		record(schema.Event{Role: schema.RoleFork, Phase: schema.Enter, PID: parent, Child: parent + 1 + i})
	}
	for i := range uint32(many) {
		record(schema.Event{Role: schema.RoleExit, Phase: schema.Enter, PID: parent + 1 + i})
	}
	m.End()
	for pid, n := range told {
		if n != 1 {
			t.Fatalf("process %d is told of %d times", pid, n)
		}
	}
	if len(told) != many+1 {
		t.Errorf("%d processes are told of, of %d", len(told), many+1)
	}
}

// toldOf returns the numbers of what the model and the state hand out, in order.
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
	m.State.EachInProgress(func(c *Call) { out = append(out, c.Enter.ID) })
	return out
}
