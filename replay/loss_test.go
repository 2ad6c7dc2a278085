// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// FindWindow, which looks at all windows at once, agrees with each window by itself.
func TestFindWindowIsWhatTheWindowsSay(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var l Losses
		for range 100 {
			if rng.IntN(4) == 0 {
				first := rng.Uint64N(1000)
				l.add(Window{First: first, Last: first + rng.Uint64N(20)}, 0)
			}
			first := rng.Uint64N(1000)
			last := first + rng.Uint64N(30)
			want := slices.IndexFunc(l.windows, func(w Window) bool { return w.First <= last && first <= w.Last })
			if w, ok := l.FindWindow(first, last, 0); ok != (want >= 0) || ok && w != l.windows[want] {
				t.Fatalf("from %d to %d: %v %+v, window %d is touched", first, last, ok, w, want)
			}
		}
	}
}

// The loss record of a process that could not be followed does not unpair the exits of processes that are
// followed; one with another role may.
func TestExitsOfThoseFollowedAreTheirs(t *testing.T) {
	for role, want := range map[schema.Role]bool{schema.RoleFork: true, schema.RoleOpen: false} {
		m := NewModel(tracetest.Header())
		var ended bool
		m.Call = func(c *PathCall) { ended = c.End != 0 }
		m.Record(&schema.Loss{Cause: schema.LossWatchOverflow, Role: role, Count: 1, FirstNs: 500, LastNs: 600})
		for i, e := range []schema.Event{opening("f", 0), {Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f", Entered: 1000}} {
			e.ID, e.Time, e.PID, e.TID, e.Columns, e.NameLen = uint64(i+1), uint64(i+1)*1000, 7, 7, e.Role.Shape(e.Phase).Columns, 1
			m.Record(&e)
		}
		if m.End(); ended != want {
			t.Errorf("after a loss of %s the call has an end: %v", role, ended)
		}
	}
}

// A call that is recorded from its entry to its exit keeps its class and components after a loss elsewhere.
// One that a loss touches has no class.
func TestACallBesideALossIsWhole(t *testing.T) {
	m := NewModel(tracetest.Header())
	var classes []Class
	m.Call = func(c *PathCall) { classes = append(classes, c.Class) }
	id := uint64(0)
	play := func(events ...schema.Event) {
		for _, e := range events {
			id++
			e.ID, e.Time, e.PID, e.TID, e.Comm = id, id*1000, 7, 7, "p"
			if e.Columns, e.NameLen = e.Role.Shape(e.Phase).Columns, uint32(len(e.Name)); e.Columns.Has(schema.ColumnTook) {
				e.Entered = e.Time - 3000
			}
			m.Record(&e)
		}
	}
	call := []schema.Event{opening("f", 0), asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, ownAt, 5, "f"),
		{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f"}}
	play(call...)
	m.Record(&schema.Loss{Cause: schema.LossRingBuffer, Count: 1, FirstNs: 4500, LastNs: 4600})
	play(call...)
	m.Record(&schema.Loss{Cause: schema.LossRingBuffer, Count: 1, FirstNs: 10500, LastNs: 10600})
	play(call...)
	play(call...)
	m.End()
	if want := []Class{ClassRCU, ClassRCU, ClassUnknown, ClassRCU}; !slices.Equal(classes, want) {
		t.Errorf("classes %v, want %v", classes, want)
	}
}
