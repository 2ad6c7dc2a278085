// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"

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
	if e.Role == schema.RoleHash {
		c.view.kind, c.view.step = table[Hash], s
		c.view.hash()
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
		c.keep(c.lines, stepOf(s))
	}
}

// log is the program that all lines are shown under.
func (c *collector) log() *Program {
	if p := c.programs[""]; p != nil {
		return p
	}
	p := &Program{Comm: logName, paths: make(map[string]*pathState), kept: true}
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
	in := &it.Steps[0].Event
	for i := range it.Steps {
		e := &it.Steps[i].Event
		if e.Role != schema.RoleAlloc || !e.Columns.Has(schema.ColumnNameAddr) {
			continue
		}
		if e.Phase == schema.Enter {
			c.suggestPrefix(p, it, in, e)
		} else {
			c.suggestEquality(p, it, i)
		}
	}
}

func (c *collector) suggestPrefix(p *Program, it *Item, in, src *schema.Event) {
	off := src.NameAddr - in.NameAddr
	if !in.Columns.Has(schema.ColumnNameAddr) || off >= uint64(len(in.Name)) || off > 0 && in.Name[off-1] != '/' {
		return
	}
	cl := Claim{Kind: Prefix, Verdict: Proven, Subject: in.Name, Result: off, Means: in.Name[:off], Copied: true,
		Left:  Term{c.label(src.Role, src.Phase), src.NameAddr, src.ID, ""},
		Right: Term{c.label(in.Role, in.Phase), in.NameAddr, in.ID, ""}}
	cl.doubt(FromLog, About{})
	c.terms = append(c.terms[:0], cl.Left, cl.Right)
	c.emit(p, it, &cl)
}

// suggestEquality gathers the lines with the address of the copy made at step i. They
// are about the path; where the open's line has none, about the name that one of them
// has, or the address.
func (c *collector) suggestEquality(p *Program, it *Item, i int) {
	cl := Claim{Kind: Equality, Verdict: Proven, Subject: it.Path}
	cl.doubt(FromLog, About{})
	c.terms = c.terms[:0]
	copied := it.Steps[i].Event.NameAddr
	for k := i; k < len(it.Steps); k++ {
		e := &it.Steps[k].Event
		if e.NameAddr == copied && e.Columns.Has(schema.ColumnNameAddr) && e.Role != schema.RoleCall {
			c.term(c.f.symbolOf(e), e.NameAddr, e.ID, "")
			cl.Subject = cmp.Or(cl.Subject, e.Name)
		}
	}
	cl.Subject = cmp.Or(cl.Subject, fmt.Sprintf("%#x", copied))
	if len(c.terms) > 1 {
		c.emit(p, it, &cl)
	}
}

// symbolOf is the function of an event and which side of it, as the line had it.
func (f *Findings) symbolOf(e *schema.Event) string {
	if e.Symbol != "" {
		return replay.Symbol(e.Symbol) + phaseWord(e.Phase)
	}
	return f.Label(e.Role, e.Phase)
}
