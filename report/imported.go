// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// logName is what the one program of an imported trace is called.
const logName = "kernel log"

// line takes in one line of an imported trace. Lines are kept from one open to the
// next; that they belong to it is not known, so what they suggest is unproven. A hash
// with its salt stands on one line and is judged.
func (c *collector) line(s *replay.Step) {
	e := s.Event
	p := c.log()
	if e.Role == schema.RoleHash { // it is whole on its line
		c.look(s)
	}
	if e.Role == schema.RoleOpen && e.Phase == schema.Enter {
		c.suggested(p)
		p.Opens++
		p.Ended++
		c.lines = nil
		if len(p.Items) < maxItems && c.roomForItem() {
			c.lines = &Item{Open: true, Path: e.Name}
			p.Items = append(p.Items, c.lines)
		} else {
			p.Unshown++
		}
	} else if c.lines == nil && len(p.Items) == 0 {
		c.lines = &Item{}
		p.Items = append(p.Items, c.lines)
	}
	if c.lines != nil {
		s.Halves(func(s *replay.Step) { c.keep(c.lines, stepOf(s)) })
	}
}

// log is the program that all lines are shown under.
func (c *collector) log() *Program {
	if p := c.programs[""]; p != nil {
		return p
	}
	p := &Program{Comm: logName, kept: true}
	c.programs[""] = p
	c.f.Programs = append(c.f.Programs, p)
	return p
}

// suggested makes the claims that the lines since the last open suggest.
func (c *collector) suggested(p *Program) {
	it := c.lines
	if it == nil || !it.Open {
		return
	}
	v := &c.view
	v.p = p
	for i := range it.Steps {
		for _, k := range c.kinds {
			if v.kind = k; k.line != nil {
				k.line(v, it, i)
			}
		}
	}
}

// symbolOf is the function of an event and which side of it, as the line had it.
func (f *Findings) symbolOf(e *schema.Event) string {
	if e.Symbol != "" {
		return replay.Symbol(e.Symbol) + phaseWord(e.Phase)
	}
	return f.Label(e.Role, e.Phase)
}
