// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// unended is an open, or another walk, of which no exit is known.
type unended struct {
	program    *Program
	roles      replay.Roles // its own, and its operation's
	path       string
	at         uint64 // id of its entry
	first, end uint64 // when it began, and was given up
}

// maxUnended bounds them.
const maxUnended = 4096

// givenUp takes an open that ends without an exit.
func (c *collector) givenUp(call *replay.Call) {
	for w := c.within[call.Tag]; w != nil; w = w.then {
		if e := w.enter(); len(c.unended) < maxUnended {
			c.unended = append(c.unended, unended{c.program(e), replay.RolesOf(e.Role, call.Enter.Role), e.Name, e.ID, e.Time, c.state.Now()})
		}
	}
	c.recycle(call)
}

// endless tells every kind of the opens that have no exit in the trace: it may be among the
// events lost, or the task was killed, or the recording ended in it.
func (c *collector) endless() {
	c.state.InProgress(c.givenUp)
	slices.SortFunc(c.unended, func(a, b unended) int { return cmp.Compare(a.at, b.at) })
	v := &c.view
	for i := range c.unended {
		for _, k := range c.kinds {
			if v.kind = k; k.unended != nil {
				k.unended(v, &c.unended[i])
			}
		}
	}
}
