// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

const workAt, madeAt = 0xffff0000_4000, 0xffff0000_5000

// worked is what overlayfs does in its work directory while it copies a file up or removes one.
func worked() []schema.Event {
	ask := schema.Event{Role: schema.RoleAlloc, Phase: schema.Enter, Name: "#7", NameAddr: 0xffff0000_9000, Parent: workAt}
	made := schema.Event{Role: schema.RoleAlloc, Phase: schema.Exit, Dentry: madeAt, Name: "#7", Parent: workAt}
	in := schema.Event{Role: schema.RoleInsert, Phase: schema.Exit, Dentry: madeAt, Name: "#7", Parent: workAt}
	look := ask
	look.Role = schema.RoleLookup
	none := schema.Event{Role: schema.RoleLookup, Phase: schema.Exit}
	return []schema.Event{look, none, ask, made, in}
}

// What a filesystem looks up for itself is neither the target of a link nor the result of the call: not
// after the walk of an operation, and not in an open that returns the dentry of its own last component.
func TestOwnLookupsOfAFilesystem(t *testing.T) {
	removal := append([]schema.Event{
		{Role: schema.RoleUnlinkat, Phase: schema.Enter},
		{Role: schema.RoleWalkParent, Phase: schema.Enter, Name: "f", NameAddr: pathAt},
		{Role: schema.RoleWalkParent, Phase: schema.Exit, Dentry: dirAt, Inode: 2, Name: "d"},
		asking(schema.RoleLookup, "f", 0), about(schema.RoleLookup, ownAt, 5, "f"),
	}, worked()...)
	removal = append(removal, schema.Event{Role: schema.RoleUnlinkat, Phase: schema.Exit})
	copyUp := append([]schema.Event{opening("f", 0), asking(schema.RoleLookupRCU, "f", 0), about(schema.RoleLookupRCU, ownAt, 5, "f")}, worked()...)
	copyUp = append(copyUp, schema.Event{Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f", Parent: dirAt})
	for what, events := range map[string][]schema.Event{"unlink": removal, "open": copyUp} {
		calls, _ := played(events...)
		if len(calls) != 1 || len(calls[0].Components) == 0 || calls[0].Dentry == nil {
			t.Fatalf("%s: %d calls, %+v", what, len(calls), calls)
		}
		c := calls[0]
		if p := c.Components[0]; c.Dentry.Addr != ownAt || p.Name != "f" || p.Link || c.Resolved != "…/f" {
			t.Errorf("%s came to %#x, %s; its component is %+v", what, c.Dentry.Addr, c.Resolved, p)
		}
	}
	// A component is a link if the open returns another dentry.
	copyUp[len(copyUp)-1].Dentry = madeAt
	if calls, _ := played(copyUp...); !calls[0].Components[0].Link {
		t.Errorf("a link is none: %+v", calls[0].Components[0])
	}
}
