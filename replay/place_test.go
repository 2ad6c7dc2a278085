// SPDX-License-Identifier: Apache-2.0

package replay

import (
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
	m.rooted(at(rootAt))
	for _, step := range []struct {
		root, on uint64
		want     map[uint64]string
	}{
		{rootAt, rAt, map[uint64]string{rootAt: "/", rAt: "/r", etcAt: "/etc", oldAt: "…/old"}},
		{newAt, rAt, map[uint64]string{newAt: "/r", oldAt: "/r/old", etcAt: "/etc"}},
		{rootAt, oldAt, map[uint64]string{newAt: "/r", oldAt: "/r/old", etcAt: "/etc"}},
		{newAt, etcAt, map[uint64]string{newAt: "/etc", oldAt: "/etc/old", rAt: "/r"}},
	} {
		m.mounted(at(step.root), at(step.on))
		for addr, want := range step.want {
			if got := m.Path(at(addr)); got != want {
				t.Errorf("%#x mounted on %#x: the path of %#x is %s, want %s", step.root, step.on, addr, got, want)
			}
		}
	}
}
