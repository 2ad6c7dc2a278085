// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/schema"
)

// single counts a claim that stands on one event alone, the one at hand or its entry. No loss touches it.
func (v *view) single(e *schema.Event, why *Reason, about About, value uint64) {
	c, k := v.collector, v.kind
	if c.mute {
		return
	}
	p := c.program(e)
	if why == nil && c.each == nil {
		c.f.Tally.add(k.number, Proven)
		p.Tally.add(k.number, Proven)
		return
	}
	cl := c.draft(k, e.Name)
	if e == v.step.Event {
		cl.Object = ref(v.step.Object)
	}
	c.term(k.name+" at "+c.label(e.Role, e.Phase), value, e.ID, e.Comm)
	cl.doubt(why, about)
	c.count(p, cl)
}

// values spells a claim on one event.
func values(cl *Claim, _ func(string) string) string {
	out := ""
	for _, t := range cl.Terms {
		out += fmt.Sprintf("%s %d (#%d)", t.Label, t.Value, t.Event)
	}
	return out
}
