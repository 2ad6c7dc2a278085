// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// feed applies events built from short rows and returns their steps.
type feed struct {
	*State
	id uint64
}

func newFeed() *feed { return &feed{State: New(tracetest.Header())} }

func (f *feed) do(tid uint32, role schema.Role, phase schema.Phase, dentry uint64) Step {
	f.id++
	info, _ := role.Info()
	shape := info.Enter
	if phase == schema.Exit {
		shape = info.Exit
	}
	return *f.Event(&schema.Event{ID: f.id, Time: f.id * 1000, PID: 1, TID: tid, Role: role, Phase: phase,
		Columns: shape.Columns, Dentry: dentry})
}

func TestCallsArePairedByThreadAndRole(t *testing.T) {
	f := newFeed()
	f.do(1, schema.RoleOpen, schema.Enter, 0)
	f.do(2, schema.RoleOpen, schema.Enter, 0)
	f.do(1, schema.RoleLookup, schema.Enter, 0)
	f.do(1, schema.RoleLookupChain, schema.Enter, 0)
	if s := f.do(1, schema.RoleLookupChain, schema.Exit, 0); s.Depth != 2 || s.Call.Enter.ID != 4 || s.Open.Enter.ID != 1 {
		t.Errorf("exit of the chain walk: depth %d, call #%d, open #%d", s.Depth, s.Call.Enter.ID, s.Open.Enter.ID)
	}
	if s := f.do(2, schema.RoleOpen, schema.Exit, 0); s.Call.Enter.ID != 2 || s.Depth != 0 {
		t.Errorf("exit of the other thread's open pairs with #%d at depth %d", s.Call.Enter.ID, s.Depth)
	}
	// The exit of d_lookup is missing: the exit of the open still finds its entry.
	if s := f.do(1, schema.RoleOpen, schema.Exit, 0); s.Stray || s.Call.Enter.ID != 1 {
		t.Errorf("open exit after a lost lookup exit: stray %v", s.Stray)
	}
	if s := f.do(1, schema.RoleOpen, schema.Exit, 0); !s.Stray || s.Call != nil || s.Open != nil {
		t.Errorf("an exit without entry is not marked stray: %+v", s)
	}
	for tid := range uint32(3 * maxIdle) {
		f.do(tid+3, schema.RoleOpen, schema.Enter, 0)
		f.do(tid+3, schema.RoleOpen, schema.Exit, 0)
	}
	if n := f.inProgress(); n != 0 || len(f.threads) > maxIdle {
		t.Errorf("%d calls and %d threads are left", n, len(f.threads))
	}
}

func TestAnAddressUsedAgainIsAnotherObject(t *testing.T) {
	const a = 0xffff888100000040
	f := newFeed()
	f.do(1, schema.RoleAlloc, schema.Enter, 0)
	first := f.do(1, schema.RoleAlloc, schema.Exit, a).Object
	if again := f.do(2, schema.RoleLookupRCU, schema.Exit, a).Object; again != first {
		t.Error("a lookup of a live address gave another object")
	}
	f.do(3, schema.RoleKill, schema.Enter, a)
	if d := f.do(3, schema.RoleDrop, schema.Enter, a).Object; d != first {
		t.Error("the drop inside the kill is of another object")
	}
	if d := f.do(2, schema.RoleLookupRCU, schema.Exit, a).Object; d != first {
		t.Error("an rcu-walk that races with the kill found another object")
	}
	if f.Objects.At(a) != nil {
		t.Error("a killed dentry is still live")
	}
	f.do(3, schema.RoleFree, schema.Enter, a)
	f.do(1, schema.RoleAlloc, schema.Enter, 0)
	second := f.do(1, schema.RoleAlloc, schema.Exit, a).Object
	if second == first || second.Former.Seq != first.Seq || second.Former.Killed != first.Killed || first.Killed == 0 {
		t.Errorf("second tenant %+v of %+v", second, first)
	}
	if first.Unwatched != 0 || first.KillMissed != 0 || second.KillMissed != 0 {
		t.Errorf("broken: %d, %d", first.KillMissed, second.KillMissed)
	}
	f.do(1, schema.RoleAlloc, schema.Enter, 0)
	f.do(1, schema.RoleAlloc, schema.Exit, a)
	if second.KillMissed == 0 {
		t.Error("an address handed out twice without a kill is not noticed")
	}
}

func TestKillInsideDropCachesIsEviction(t *testing.T) {
	const a = 0xffff888100000040
	f := newFeed()
	f.do(1, schema.RoleAlloc, schema.Exit, a)
	evict := f.do(2, schema.RoleEvict, schema.Enter, 0).Event.ID
	if d := f.do(2, schema.RoleKill, schema.Enter, a).Object; d.Evict != evict {
		t.Errorf("killed by drop_caches #%d, want #%d", d.Evict, evict)
	}
}

func TestLossesTouchTheirWindowAndRolesOnly(t *testing.T) {
	var l Losses
	l.addRecord(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleAlloc, Count: 3, FirstNs: 100, LastNs: 200}, 90)
	for _, c := range []struct {
		first, last uint64
		roles       Roles
		want        bool
	}{
		{0, 99, RolesOf(schema.RoleAlloc), false},
		{0, 100, RolesOf(schema.RoleAlloc), true},
		{150, 160, RolesOf(schema.RoleAlloc, schema.RoleKill), true},
		{150, 160, RolesOf(schema.RoleKill), false},
		{200, 300, RolesOf(schema.RoleAlloc), true},
		{201, 300, RolesOf(schema.RoleAlloc), false},
	} {
		if _, got := l.FindWindow(c.first, c.last, c.roles); got != c.want {
			t.Errorf("FindWindow(%d, %d, %b) = %v", c.first, c.last, c.roles, got)
		}
	}
	if l.Late {
		t.Error("a loss in its place counts as late")
	}
	l.addRecord(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_MISSED, Count: 1, FirstNs: 300, LastNs: 310}, 305)
	if !l.Late || l.Total != 4 {
		t.Errorf("late %v, total %d", l.Late, l.Total)
	}
}

func TestLossesThatTouchEverythingAfter(t *testing.T) {
	for cause, want := range map[schema.LossCause]bool{
		schema.LossCause_LOSS_CAUSE_WATCH_OVERFLOW: true,
		schema.LossCause_LOSS_CAUSE_LIMIT:          true,
		schema.LossCause_LOSS_CAUSE_REBUILT:        false,
		99:                                         true, // of a later format
		schema.LossCause_LOSS_CAUSE_RING_BUFFER:    false,
		schema.LossCause_LOSS_CAUSE_UNWATCHED:      false, // its events carry FACT_UNWATCHED
	} {
		var l Losses
		l.addRecord(&schema.Loss{Cause: cause, Role: schema.RoleFork, Count: 1, FirstNs: 100, LastNs: 200}, 90)
		if _, got := l.FindWindow(1000, 2000, RolesOf(schema.RoleKill)); got != want {
			t.Errorf("%s: touched %v, want %v", cause.Label(), got, want)
		}
		if len(l.Windows()) != 1 || l.Total != 1 || l.Recorded != 1 {
			t.Errorf("%s is not shown: %+v", cause.Label(), l)
		}
	}
}

func TestUnwatchedDentriesAreOneWindow(t *testing.T) {
	var l Losses
	for i := range uint64(2 * maxWindows) {
		l.addRecord(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_UNWATCHED, Role: schema.RoleLookup, Count: 2, FirstNs: i, LastNs: i + 10}, 0)
	}
	l.addRecord(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleAlloc, Count: 1, FirstNs: 9000, LastNs: 9100}, 0)
	w := l.Windows()
	if len(w) != 2 || w[1].Count != 4*maxWindows || w[1].Last != 2*maxWindows+9 || w[1].Role != schema.RoleLookup {
		t.Errorf("%+v", w)
	}
	if _, hit := l.FindWindow(5000, 8999, RolesOf(schema.RoleAlloc)); hit {
		t.Error("a loss that was joined with nothing touches what came before it")
	}
}

func TestDamageLastsUntilTheNextEvent(t *testing.T) {
	f := newFeed()
	f.do(1, schema.RoleOpen, schema.Enter, 0)
	f.Damage(&schema.Damage{Offset: 77, Events: 5})
	all := RolesOf(schema.RoleKill)
	if _, hit := f.Losses.FindWindow(1e15, 2e15, all); !hit {
		t.Error("damage at the end of what is read does not reach on")
	}
	f.id = 9
	if s := f.do(1, schema.RoleOpen, schema.Exit, 0); !s.Stray {
		t.Error("a call went on across damage")
	}
	if _, hit := f.Losses.FindWindow(5000, 6000, all); !hit {
		t.Error("nothing is missing inside the damage")
	}
	if _, hit := f.Losses.FindWindow(10001, 20000, all); hit {
		t.Error("events are missing after the damage")
	}
}

// inProgress returns how many calls are in progress.
func (s *State) inProgress() int {
	n := 0
	for _, t := range s.threads {
		n += len(t.calls)
	}
	return n
}

// A drop_caches whose exit may have been lost is not said to have killed a dentry later.
func TestDropCachesEndsWhereItMayHaveEnded(t *testing.T) {
	const a = 0xffff888100000040
	f := newFeed()
	f.do(1, schema.RoleLookup, schema.Exit, a)
	f.do(2, schema.RoleEvict, schema.Enter, 0)
	f.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Role: schema.RoleEvict, Count: 1, FirstNs: 2500, LastNs: 2600})
	if d := f.do(2, schema.RoleKill, schema.Enter, a).Object; d.Evict != 0 {
		t.Errorf("its exit is lost, and it killed: #%d", d.Evict)
	}
	h := tracetest.Header()
	for _, p := range h.Probe {
		if p.Role == schema.RoleEvict && p.Phase == schema.Exit {
			p.Attached = false
		}
	}
	f = &feed{State: New(h)}
	f.do(1, schema.RoleLookup, schema.Exit, a)
	f.do(2, schema.RoleEvict, schema.Enter, 0)
	if d := f.do(2, schema.RoleKill, schema.Enter, a).Object; d.Evict != 0 {
		t.Errorf("its exit is not recorded, and it killed: #%d", d.Evict)
	}
}
