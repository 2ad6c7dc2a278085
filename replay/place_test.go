// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// The root of what is mounted below itself keeps its path, and so does what is in it: after mount --bind /
// /r, and after pivot_root(2) to what is mounted on /r with the old root on /r/old. Any other root has the
// path of its last mount.
func TestAMountBelowItself(t *testing.T) {
	const rootAt, rAt, newAt, oldAt, etcAt = 0x1000, 0x2000, 0x3000, 0x4000, 0x5000
	m := NewModel(tracetest.Header())
	for i, d := range []struct {
		at, parent uint64
		name       string
	}{{rootAt, rootAt, "/"}, {rAt, rootAt, "r"}, {newAt, newAt, "/"}, {oldAt, newAt, "old"}, {etcAt, rootAt, "etc"}} {
		e := about(schema.RoleLookupRCU, d.at, uint64(i+1), d.name)
		e.ID, e.Time, e.Parent, e.PID, e.TID, e.NameLen = uint64(i+1), uint64(i+1)*1000, d.parent, 7, 7, uint32(len(d.name))
		e.Columns = e.Role.Shape(e.Phase).Columns
		m.Record(&e)
	}
	at := func(addr uint64) *Object { return m.State.Objects.find(addr) }
	m.noteRoot(at(rootAt))
	for _, step := range []struct {
		root, on uint64
		want     map[uint64]string
	}{
		{rootAt, rAt, map[uint64]string{rootAt: "/", rAt: "/r", etcAt: "/etc", oldAt: "…/old"}},
		{newAt, rAt, map[uint64]string{newAt: "/r", oldAt: "/r/old", etcAt: "/etc"}},
		{rootAt, oldAt, map[uint64]string{newAt: "/r", oldAt: "/r/old", etcAt: "/etc"}},
		{newAt, etcAt, map[uint64]string{newAt: "/etc", oldAt: "/etc/old", rAt: "/r"}},
	} {
		m.noteMount(at(step.root), at(step.on))
		for addr, want := range step.want {
			if got := m.Path(at(addr)); got != want {
				t.Errorf("%#x mounted on %#x: the path of %#x is %s, want %s", step.root, step.on, addr, got, want)
			}
		}
	}
}

// What was looked up in a removed directory is not at the path that the directory had, nor is a file opened after it lost
// its name; the call that removes a file says where it was.
func TestPlaceOfWhatWasRemoved(t *testing.T) {
	const rootAt, goneAt, fileAt = 0x1000, 0x2000, 0x3000
	m := NewModel(tracetest.Header())
	var calls []*PathCall
	m.Call = func(c *PathCall) { calls = append(calls, c.Clone()) }
	id := uint64(0)
	play := func(e schema.Event, parent uint64, facts schema.Fact) {
		id++
		e.ID, e.Time, e.PID, e.TID, e.Comm, e.Parent, e.Facts = id, id*1000, 7, 7, "p", parent, facts
		e.Columns, e.NameLen = e.Role.Shape(e.Phase).Columns, uint32(len(e.Name))
		m.Record(&e)
	}
	seen := func(at, parent uint64, name string, facts schema.Fact) {
		play(about(schema.RoleLookupRCU, at, at, name), parent, facts)
	}
	enter := func(path string) {
		play(schema.Event{Role: schema.RoleWalk, Phase: schema.Enter, Name: path, NameAddr: pathAt}, 0, 0)
	}
	exit := func(end uint64, facts schema.Fact) {
		play(schema.Event{Role: schema.RoleWalk, Phase: schema.Exit, Dentry: end, Inode: end, Name: "f"}, goneAt, facts)
	}
	stat := func(name string, end uint64) {
		enter(name)
		play(asking(schema.RoleLookupRCU, name, 0), goneAt, 0)
		play(about(schema.RoleLookupRCU, end, end, name), goneAt, 0)
		exit(end, 0)
	}
	seen(rootAt, rootAt, "/", schema.FactUnhashed)
	m.noteRoot(m.State.Objects.find(rootAt))
	seen(goneAt, rootAt, "d", 0)
	stat("f", fileAt)
	play(schema.Event{Role: schema.RoleDrop, Phase: schema.Enter, Dentry: fileAt, Inode: fileAt, Name: "f"}, goneAt, 0)
	enter("/proc/self/fd/3")
	exit(fileAt, schema.FactUnhashed)
	play(schema.Event{Role: schema.RoleDrop, Phase: schema.Enter, Dentry: goneAt, Inode: goneAt, Name: "d"}, rootAt, 0)
	stat("g", 0)
	seen(goneAt, rootAt, "d", 0) // in the table again
	stat("g", 0)
	m.End()
	for i, want := range []string{"/d/f", "…/f", "…/d/g", "/d/g"} {
		if got := calls[i].Resolved; got != want {
			t.Errorf("call %d led to %s, want %s", i, got, want)
		}
	}
}

// A call came to the path at which it found the dentry, wherever another task moves that until the call returns. If it was moved
// twice, that is not known.
func TestMovedDuringACall(t *testing.T) {
	other := func(e schema.Event) schema.Event { e.PID, e.TID, e.Comm = 9, 9, "q"; return e }
	moved := func(from, to string) []schema.Event {
		begun := about(schema.RoleMove, ownAt, 5, from)
		begun.Phase = schema.Enter
		return []schema.Event{other(begun), other(about(schema.RoleMove, ownAt, 5, to))}
	}
	found := []schema.Event{opening("a", 0), asking(schema.RoleLookupRCU, "a", 0), about(schema.RoleLookupRCU, ownAt, 5, "a")}
	asked := asking(schema.RoleLookupRCU, "b", 0)
	for _, test := range []struct {
		what, want string
		events     []schema.Event
		name       string
	}{
		{"after the lookup", "…/a", slices.Concat(found, moved("a", "b")), "b"},
		{"twice", "", slices.Concat(found, moved("a", "b"), moved("b", "c")), "c"},
		{"before the lookup", "…/b", slices.Concat([]schema.Event{about(schema.RoleLookupRCU, ownAt, 5, "a"), opening("b", 0)}, moved("a", "b"),
			[]schema.Event{asked, about(schema.RoleLookupRCU, ownAt, 5, "b")}), "b"},
	} {
		for what, end := range map[string]schema.Event{
			"opened": {Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: test.name, Parent: dirAt},
			"failed": {Role: schema.RoleOpen, Phase: schema.Exit, Ret: uint64(1<<64 - 13)},
		} {
			if calls, _ := played(append(slices.Clone(test.events), end)...); len(calls) != 1 || calls[0].Resolved != test.want {
				t.Errorf("moved %s, %s: %q, want %q", test.what, what, calls[0].Resolved, test.want)
			}
		}
	}
}

// A rename comes from where its walk found the dentry, also where the moves of other dentries are too many to be kept.
func TestManyMoves(t *testing.T) {
	var events []schema.Event
	for i := range uint64(maxPlaces + 2) {
		addr := ownAt + i*192
		begun := about(schema.RoleMove, addr, 5, "a")
		begun.Phase = schema.Enter
		events = append(events, schema.Event{Role: schema.RoleRename, Phase: schema.Enter}, schema.Event{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "a", NameAddr: pathAt},
			schema.Event{Role: schema.RoleWalkParent, Phase: schema.Exit}, schema.Event{Role: schema.RoleLookup, Phase: schema.Enter, Name: "a", NameAddr: pathAt, Parent: dirAt},
			about(schema.RoleLookup, addr, 5, "a"), begun, about(schema.RoleMove, addr, 5, "b"), schema.Event{Role: schema.RoleRename, Phase: schema.Exit})
	}
	calls, _ := played(events...)
	for i, c := range calls {
		if c.Resolved != "…/a" {
			t.Fatalf("rename %d came from %q", i, c.Resolved)
		}
	}
	if len(calls) != maxPlaces+2 {
		t.Errorf("%d calls", len(calls))
	}
}
