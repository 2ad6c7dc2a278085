// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// logName is what the one program of an imported trace is called.
const logName = "kernel log"

// line adds a line of a kernel log. Threads cannot be told apart in it: the lines from
// one open to the next make a unit, and no call has a return.
func (d *side) line(s *replay.Step) {
	e, step := *s.Event, *s
	e.Comm, e.TID = logName, 0
	step.Event = &e
	t := d.thread(&e)
	k := walking
	if e.Role == schema.RoleOpen && e.Phase == schema.Enter {
		d.close(t)
		k = opening
	}
	if t.run == nil {
		t.run = d.begin(k, &step)
	}
	d.put(t.run, &step, nil)
}
