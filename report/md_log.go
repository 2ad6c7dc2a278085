// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// logLines writes what the lines of a kernel log say, and what they suggest without proving it.
func (p *page) logLines() {
	for _, prog := range p.f.Programs {
		p.many(len(prog.Items), "opens", "dtrec replay FILE", func(i int) { p.logItem(prog.Items[i]) })
		if prog.Unshown > 0 {
			p.Line("%d more opens are counted in the verdicts but not shown: `dtrec replay FILE`\n", prog.Unshown)
		}
	}
}

// logIntroduction says what a log is, and which functions it has lines of.
func (p *page) logIntroduction() {
	f, h := p.f, p.f.Header
	p.Line("This page uses one run of a kernel log: id `%x`, %d events, each of them one line. Every address, hash and length below was printed on the line cited as #id.", h.RunId, f.Events)
	if r := h.GetKernel().GetRelease(); r == schema.UnknownKernel {
		p.Line("The log does not name the kernel.")
	} else {
		p.Line("It is of Linux %s.", code(r))
	}
	p.Line("A log does not show which task a line belongs to, what a failed open returned, the address of a dentry, or when it ends; the addresses here are those of names. Claims that need these are unproven.\n")
	p.Line("Functions that have lines in the log:")
	p.probes()
	for _, b := range h.GetProbe() {
		if !b.Attached {
			p.part(func() { p.Line("- %s: %s: %s", b.Role.Label(), code(b.Symbol), text(b.Error)) })
		}
	}
	p.Line("\nBeside every claim is its verdict; %s.\n", f.verdictLine())
}

func (p *page) logItem(it *Item) {
	if it.Open {
		of := "an open without a name"
		if it.Path != "" {
			of = code(it.Path)
		}
		p.Line("from the line of %s up to that of the next open:", of)
	} else {
		p.Line("before the line of the first open:")
	}
	for i := range it.Steps {
		p.Line("- %s", p.logLine(&it.Steps[i].Event))
	}
	if it.More > 0 {
		p.Line("- … %d more events", it.More)
	}
	for i := range it.Claims {
		cl := &it.Claims[i]
		p.Line("- **%s** %s: %s — %s", cl.Verdict, cl.Kind, cl.Says(code), prose(cl.Reason()))
	}
	p.Line("")
}

// logLine returns one line of the log in the wording of a page.
func (p *page) logLine(e *schema.Event) string {
	what := p.f.symbolOf(e)
	if e.Role == schema.RoleEvict {
		return fmt.Sprintf("%s: %s had slab caches dropped (#%d)", text(what), code(e.Comm), e.ID)
	}
	if e.Role == schema.RoleHash {
		return fmt.Sprintf("%s: hash %d length %d name %s, salt %s (#%d)%s", what, e.Hash, e.NameLen, nameOr(e), addressOr(e.Parent), e.ID, p.beside(e))
	}
	switch {
	case e.Errno() != 0:
		return fmt.Sprintf("%s: %s, no file (#%d)", what, schema.ErrnoText(e.Errno()), e.ID)
	case e.Columns.Has(schema.ColumnDentry):
		return fmt.Sprintf("%s: NULL (#%d)", what, e.ID)
	case e.Role.Is(schema.TraitLooksUp) && e.Phase == schema.Enter:
		return fmt.Sprintf("%s: hash %d length %d name %s (#%d)", what, e.Hash, e.NameLen, nameOr(e), e.ID)
	case e.Role.Is(schema.TraitBegins) && e.Phase == schema.Enter:
		what = "copy source"
	case e.Role.Is(schema.TraitBegins):
		what = "copy destination"
	}
	name, at := "", "not an address"
	if e.Columns.Has(schema.ColumnKey) {
		name = " | " + nameOr(e)
	}
	if e.Columns.Has(schema.ColumnNameAddr) {
		at = addressOr(e.NameAddr)
	}
	return fmt.Sprintf("%s pointer = %s%s (#%d)", text(what), at, name, e.ID)
}

// nameOr returns the name as the line had it, and says if it is missing or incomplete.
func nameOr(e *schema.Event) string {
	switch {
	case e.Name == "" && e.NameLen == 0:
		return "empty"
	case e.Name == "":
		return "not printed"
	case e.NameCut():
		return code(e.Name) + " (cut)"
	}
	return code(e.Name)
}

func addressOr(v uint64) string {
	if v == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%#x", v)
}

// logName is the name of the one program of an imported trace.
const logName = "kernel log"

// line takes one line of an imported trace. Lines are kept with the open before them. It is not known that
// they belong to it, so what they suggest is unproven. A hash with its salt is on one line and is judged.
func (c *collector) line(s *replay.Step) {
	e := s.Event
	p := c.log()
	if e.Role == schema.RoleHash { // the line has all of it
		c.look(s)
	}
	if e.Role == schema.RoleOpen && e.Phase == schema.Enter {
		c.suggested(p)
		p.Opens++
		p.Ended++
		p.returned++
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
		s.EachPhase(func(s *replay.Step) { c.keep(c.lines, stepOf(s)) })
	}
}

// log returns the program under which all lines are shown.
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

// symbolOf returns the function of an event and which side of it was recorded, as the line had it.
func (f *Findings) symbolOf(e *schema.Event) string {
	if e.Symbol != "" {
		return replay.Symbol(e.Symbol) + phaseWord(e.Phase)
	}
	return f.Label(e.Role, e.Phase)
}
