// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// unended is an open of which no exit is known.
type unended struct {
	program    *Program
	path       string
	at         uint64 // id of its entry
	first, end uint64 // when it began, and was given up
}

// maxUnended bounds them.
const maxUnended = 4096

// givenUp takes an open that ends without an exit.
func (c *collector) givenUp(call *replay.Call) {
	w := c.within[call.Tag]
	if w == nil {
		return
	}
	if e := w.enter(); len(c.unended) < maxUnended {
		c.unended = append(c.unended, unended{c.program(e), e.Name, e.ID, e.Time, c.state.Now()})
	}
	c.recycle(call)
}

// endless says of the opens whose exit may be among the events lost that nothing is known
// of them. Those of a task that was killed, or that the recording ended in, have none.
func (c *collector) endless() {
	c.state.InProgress(c.givenUp)
	slices.SortFunc(c.unended, func(a, b unended) int { return cmp.Compare(a.at, b.at) })
	for _, u := range c.unended {
		if cl := c.begin(table[Key], table[Key].needs, u.path, whole(u.first, u.end)); cl.Why == EventsLost {
			c.count(u.program, cl)
		}
	}
}
