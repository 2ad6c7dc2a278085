// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// If lookups are missing, the directory of the first recorded one is not where the path starts, and that of
// a later one is neither mounted on the last component seen nor reached by a link from it.
func TestMissingLookups(t *testing.T) {
	const topAt, devAt = 0xffff0000_8000, 0xffff0000_9000
	dir := about(schema.RoleLookupRCU, dirAt, 4, "/") // the root of a filesystem
	found := about(schema.RoleLookupRCU, ownAt, 5, "f")
	asked := func(off uint64) schema.Event {
		e := asking(schema.RoleLookupRCU, "f", off)
		e.Facts = schema.FactParentIsRoot
		return e
	}
	dev := asking(schema.RoleLookupRCU, "dev", 1)
	dev.Parent = topAt
	at := about(schema.RoleLookupRCU, devAt, 6, "dev")
	at.Parent, at.Facts = topAt, schema.FactMountpoint
	end := about(schema.RoleOpen, ownAt, 5, "f")
	for _, test := range []struct {
		path   string
		events []schema.Event
		want   string
	}{
		{"/f", []schema.Event{asked(1), found, end}, "/f"},
		{"//./f", []schema.Event{asked(4), found, end}, "/f"},
		{"/dev/f", []schema.Event{asked(5), found, end}, "…/f"},
		{"/dev/f", []schema.Event{dev, at, asked(5), found, end}, "/dev/f"},
		{"/dev/shm/f", []schema.Event{dev, at, asked(9), found, end}, "…/f"},
		{"/dev/../f", []schema.Event{dev, at, asked(8), found, end}, "…/f"},
	} {
		calls, _ := played(append([]schema.Event{dir, opening(test.path, 0)}, test.events...)...)
		if c := calls[0]; c.Resolved != test.want || len(c.Components) > 1 && c.Components[0].Link {
			t.Errorf("%s: led to %s, want %s; %+v", test.path, c.Resolved, test.want, c.Components)
		}
	}
	if calls, _ := played(dir, opening("../f", 0), asked(3), found, end); calls[0].Start != nil {
		t.Errorf("../f starts from %v, which is the directory above", calls[0].Start)
	}
}

// A loss may hide what is between two components, so nothing is concluded about how the walk came from one
// to the other.
func TestLostLookups(t *testing.T) {
	for lost, want := range map[uint64]bool{1: false, 3500: true} {
		m := NewModel(tracetest.Header())
		var call *PathCall
		m.Call = func(c *PathCall) { call = c.Clone() }
		m.Record(&schema.Loss{Cause: schema.LossRingBuffer, Role: schema.RoleLookupRCU, Count: 1, FirstNs: lost, LastNs: lost + 1})
		target := asking(schema.RoleLookupRCU, "t", 1<<20)
		target.Parent = otherAt
		for i, e := range []schema.Event{opening("l/f", 0), asking(schema.RoleLookupRCU, "l", 0), about(schema.RoleLookupRCU, ownAt, 4, "l"), target} {
			e.ID, e.Time, e.PID, e.TID, e.Comm, e.NameLen = uint64(i+1), uint64(i+1)*1000, 7, 7, "p", uint32(len(e.Name))
			e.Columns = e.Role.Shape(e.Phase).Columns
			m.Record(&e)
		}
		m.End()
		if got := call.Components[0].Link; got == want {
			t.Errorf("lost at %d: a link was followed: %t", lost, got)
		}
	}
}
