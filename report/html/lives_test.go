// SPDX-License-Identifier: Apache-2.0

package html

import (
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// birth describes a dentry from its alloc on: the time of the alloc, and the time at which it first was in
// the hash table or had an inode.
type birth struct{ at, settled uint64 }

// births returns the births, in order, from the events alone.
func births(t *testing.T, file string) (all []*birth) {
	t.Helper()
	r, live := tracetest.Open(t, file), make(map[uint64]*birth)
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		e, ok := rec.(*schema.Event)
		if !ok || e.Dentry == 0 || e.Phase == schema.Enter && e.Role != schema.RoleKill && e.Role != schema.RoleDrop {
			continue
		}
		switch b := live[e.Dentry]; {
		case e.Role == schema.RoleAlloc:
			b = &birth{at: e.Time}
			live[e.Dentry], all = b, append(all, b)
		case e.Role == schema.RoleKill:
			delete(live, e.Dentry)
		case b != nil && b.settled == 0 && (e.Role == schema.RoleInsert || e.Inode != 0):
			b.settled = e.Time
		}
	}
}

// An allocated dentry is not drawn with an inode before it has one or is in the hash table.
func TestLivesBeginWithoutInode(t *testing.T) {
	for _, file := range []string{"../../traces/run1.pb", "../../test/git.pb"} {
		d, err := collect("x", opener(sample(t, file)), most)
		if err != nil {
			t.Fatal(err)
		}
		want, later := births(t, file), 0
		for i, born := range d.Objects["born"] {
			settled := d.Objects["settled"][i].(uint64)
			if born.(uint64) == 0 {
				if settled != 0 {
					t.Errorf("%s: D%d is older than the recording, and settled at %d", file, d.Objects["seq"][i], settled)
				}
				continue
			}
			at, found := d.Objects["firstAt"][i].(uint64), false
			for _, b := range want {
				found = found || b.at == at && b.settled == settled
			}
			if !found {
				t.Errorf("%s: D%d, born at %d, settled at %d, is not among the events", file, d.Objects["seq"][i], at, settled)
			}
			if settled > at {
				later++
			}
		}
		if later < 20 {
			t.Errorf("%s: %d dentries settled after they were allocated", file, later)
		}
	}
}
