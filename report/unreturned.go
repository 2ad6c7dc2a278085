// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// unreturned is an open, or another walk, of which no exit is known.
type unreturned struct {
	program    *Program
	roles      replay.Roles // its own, and its operation's
	path       string
	at         uint64 // id of its entry
	first, end uint64 // when it began, and was given up
}

// maxUnreturned bounds them.
const maxUnreturned = 4096

// givenUp takes an open that ends without an exit.
func (c *collector) givenUp(call *replay.Call) {
	for w := c.within[call.Tag]; w != nil; w = w.then {
		if e := w.enter(); len(c.unreturned) < maxUnreturned {
			c.unreturned = append(c.unreturned, unreturned{c.program(e), replay.RolesOf(e.Role, call.Enter.Role), e.Name, e.ID, e.Time, c.state.Now()})
		}
	}
	c.recycle(call)
}

// tellUnreturned hands every kind the opens that have no exit in the trace: it may be among the
// events lost, or the task was killed, or the recording ended in it.
func (c *collector) tellUnreturned() {
	c.state.InProgress(c.givenUp)
	slices.SortFunc(c.unreturned, func(a, b unreturned) int { return cmp.Compare(a.at, b.at) })
	v := &c.view
	for i := range c.unreturned {
		for _, k := range c.kinds {
			if v.kind = k; k.unreturned != nil {
				k.unreturned(v, &c.unreturned[i])
			}
		}
	}
}
