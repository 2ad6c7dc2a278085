// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Where events were lost, the last component seen need not be where the walk stopped, and a stretch without events is no gap.
func TestCallWithLostEvents(t *testing.T) {
	lost := schema.Loss{Cause: schema.LossMissed, Role: schema.RoleWalk, Count: 1, FirstNs: 5000, LastNs: 6000}
	for _, errno := range []int{0, 2} {
		var c *PathCall
		m := NewModel(tracetest.Header())
		m.Call = func(call *PathCall) { c = call.Clone() }
		for i, e := range []schema.Event{
			{Role: schema.RoleStat, Phase: schema.Enter},
			{Role: schema.RoleWalk, Phase: schema.Enter, Name: "/d/f", NameAddr: pathAt},
			asking(schema.RoleLookupRCU, "d", 1), about(schema.RoleLookupRCU, dirAt, 3, "d"),
			{Role: schema.RoleStat, Phase: schema.Exit, Ret: negated(errno), Time: 5000},
		} {
			if i == 4 {
				m.Record(&lost)
			}
			e.ID, e.Time, e.PID, e.TID, e.Comm = uint64(i+1), e.Time+uint64(i+1)*1000, 7, 7, "p"
			e.Columns, e.NameLen = e.Role.Shape(e.Phase).Columns, uint32(len(e.Name))
			m.Record(&e)
		}
		m.End()
		if c.Dentry != nil || c.Resolved != "" || c.Gap.Took != 1000 || c.Errno != errno {
			t.Errorf("errno %d: led to %v at %q, gap of %d ns", c.Errno, c.Dentry, c.Resolved, c.Gap.Took)
		}
	}
}

// Of a call on two paths, what is said of the place is all about the first one.
func TestFilesystemOfTheFirstPath(t *testing.T) {
	const other = pathAt + 0x1000
	first, second := asking(schema.RoleLookupRCU, "x", 1), asking(schema.RoleLookupRCU, "y", 0x1001)
	first.FSType, second.FSType = "ext4", "tmpfs"
	calls, _ := played(schema.Event{Role: schema.RoleRename, Phase: schema.Enter},
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "/x/f", NameAddr: pathAt}, first, about(schema.RoleLookupRCU, dirAt, 3, "x"),
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Exit},
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "/y/f", NameAddr: other}, second, about(schema.RoleLookupRCU, ownAt, 4, "y"),
		schema.Event{Role: schema.RoleWalkParent, Phase: schema.Exit}, schema.Event{Role: schema.RoleRename, Phase: schema.Exit, Ret: negated(18)})
	if c := calls[0]; c.FSType != "ext4" || c.Target != "/y/f" || !strings.HasSuffix(c.Resolved, "/x") {
		t.Errorf("%s on %s, to %s", c.Resolved, c.FSType, c.Target)
	}
}

// A path that the program did not give, or not in memory that the kernel can read, is told in words.
func TestPathsWithoutAPath(t *testing.T) {
	for errno, want := range map[int]string{0: `""`, 2: `""`, 14: "(path not copied)", 36: "(path not copied)"} {
		calls, _ := played(opening("", 0), schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Ret: negated(errno)})
		if got := calls[0].Paths(); got != want {
			t.Errorf("errno %d: %s, want %s", errno, got, want)
		}
	}
	calls, _ := played(opening("", 0))
	if got := calls[0].Paths(); got != "(path not recorded)" {
		t.Errorf("without an exit: %s", got)
	}
}

// negated returns an errno as a kernel function returns it.
func negated(errno int) uint64 { return -uint64(errno) }
