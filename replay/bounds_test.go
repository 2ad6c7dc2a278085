// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// history feeds events to a state, numbered in order.
type history struct {
	*State
	id uint64
}

func (h *history) event(role schema.Role, phase schema.Phase, tid uint32, dentry uint64) *Step {
	h.id++
	info, _ := role.Info()
	shape := info.Enter
	if phase == schema.Exit {
		shape = info.Exit
	}
	return h.Event(&schema.Event{ID: h.id, Time: h.id, PID: 1, TID: tid, Role: role, Phase: phase, Columns: shape.Columns, Dentry: dentry})
}

const address = 0xffff888000000000

// Of a million dentries, those not seen for longest are forgotten. A dentry that may be one of them is
// marked; one allocated at such an address is certainly new.
func TestTheDentriesNotSeenForLongestAreForgotten(t *testing.T) {
	h := &history{State: New(tracetest.Header())}
	told := 0
	h.Objects.OnForget(func(*Object) { told++ })
	root := h.event(schema.RoleInsert, schema.Exit, 1, address).Object
	first := h.event(schema.RoleAlloc, schema.Exit, 1, address+192).Object
	for i := uint64(2); i < 1_000_000; i++ {
		h.event(schema.RoleAlloc, schema.Exit, 1, address+192*i)
		if i%1000 == 0 {
			h.event(schema.RoleLookup, schema.Exit, 1, address)
		}
	}
	if h.Objects.At(address) != root || root.Forgotten {
		t.Error("the one seen again and again was forgotten")
	}
	if h.Objects.At(address+192) != nil || !first.Forgotten {
		t.Error("the oldest one was not")
	}
	n := 0
	h.Objects.each(func(*Object) { n++ })
	if n*objectBytes > objectsBudget || n < objectsBudget/objectBytes/2 || h.Objects.Forgotten() != uint64(1_000_000-n) || told != 1_000_000-n {
		t.Errorf("%d known, %d forgotten, %d told", n, h.Objects.Forgotten(), told)
	}
	if d := h.event(schema.RoleLookup, schema.Exit, 1, address+192).Object; !d.Forgotten {
		t.Error("the same address again is taken for one never seen")
	}
	if d := h.event(schema.RoleAlloc, schema.Exit, 1, address+192*3).Object; d.Forgotten {
		t.Error("a new dentry is in doubt")
	}
}

// Calls whose exits never come are dropped, and the time in which they were in progress becomes a window of
// loss.
func TestCallsInProgressAreBounded(t *testing.T) {
	for name, thread := range map[string]func(i int) uint32{
		"one thread":  func(int) uint32 { return 1 },
		"two threads": func(i int) uint32 { return uint32(i%2 + 1) },
		"a million":   func(i int) uint32 { return uint32(i + 1) },
	} {
		h := &history{State: New(tracetest.Header())}
		most, deepest := 0, 0
		for i := range 300_000 {
			s := h.event(schema.RoleOpen, schema.Enter, thread(i), 0)
			deepest = max(deepest, s.Depth)
			if s.Call.Outer == s.Call {
				t.Fatalf("%s: an open within itself", name)
			}
			if i%1000 == 0 {
				n := 0
				h.EachInProgress(func(*Call) { n++ })
				most = max(most, n)
			}
		}
		if most > callsBudget/callBytes+sweepEvery || deepest > maxDepth {
			t.Errorf("%s: %d calls in progress, %d deep", name, most, deepest)
		}
		if _, lost := h.Losses.FindWindow(2, 2, RolesOf(schema.RoleOpen)); !lost {
			t.Errorf("%s: what was dropped is not said to be lost", name)
		}
		if s := h.event(schema.RoleOpen, schema.Exit, thread(0), 0); name == "a million" && !s.Stray {
			t.Errorf("%s: an exit is paired with an entry that was dropped", name)
		}
	}
}
