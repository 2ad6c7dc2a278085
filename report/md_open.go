// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// toExecute returns ", to execute" if the open is that of the file an exec runs; otherwise it is empty.
func toExecute(it *Item) string {
	if it.Steps[0].Event.Execute() {
		return ", to execute"
	}
	return ""
}

// came returns what an open or another call returned, in words.
func came(it *Item) string {
	switch {
	case it.Errno != 0:
		return schema.ErrnoText(it.Errno)
	case it.Open:
		return "a file"
	}
	return "returned 0"
}

// keyOpen writes the most important part of an open: what happened at the last component of its path, the
// claims with news, and the tree of these events. The folded part has all of the open.
func (p *page) keyOpen(it *Item) {
	p.Line("open %d of this program, %s%s, at its last component:", it.N, code(it.Path), toExecute(it))
	short := it.last()
	if !p.Brief {
		p.bullets(short, false)
	}
	for i := range it.Claims {
		if cl := &it.Claims[i]; cl.Verdict != Proven || cl.lesson(it) != "" {
			p.claim(cl)
		}
	}
	if !p.Brief {
		p.Fence("", p.f.tree(short))
	}
	p.Line("")
}

// last returns the open with only the events of its last component. Lookups in rcu-walk that found nothing
// and chain lookups are left out.
func (it *Item) last() *Item {
	name := it.Path[strings.LastIndexByte(it.Path, '/')+1:]
	found := make(map[uint64]bool)
	for i := range it.Steps {
		if s := &it.Steps[i]; s.Event.Phase == schema.Exit && s.Event.Dentry != 0 {
			found[s.Enter] = true
		}
	}
	out, told := *it, make(map[uint64]bool)
	out.Steps, out.More = nil, 0
	for i := range it.Steps {
		s := &it.Steps[i]
		e := &s.Event
		tell := told[s.Enter] || e.Role.Is(schema.TraitWalks) || e.Name == name && e.Role != schema.RoleLookupChain && (e.Role != schema.RoleLookupRCU || found[e.ID])
		if told[e.ID] = tell && e.Phase == schema.Enter; tell {
			out.Steps = append(out.Steps, *s)
		}
	}
	return &out
}

// open writes an open, another path call, or a run of events outside any open: its events as bullets, its
// claims and its tree.
func (p *page) open(it *Item) {
	if !it.Old || it.stretch() {
		p.bullets(it, true)
	}
	if it.More > 0 {
		p.Line("- … %d more events", it.More)
	}
	for i := range it.Claims {
		p.claim(&it.Claims[i])
	}
	if it.Unshown > 0 {
		p.Line("- … %d more claims, counted but not shown", it.Unshown)
	}
	p.Fence("", p.f.tree(it))
	p.Line("")
}

// bullets writes the events of an item, with or without the verdicts on single events. The chain lookup
// inside a d_lookup is left to the tree.
func (p *page) bullets(it *Item, verdicts bool) {
	inside := false
	for i := range it.Steps {
		s := &it.Steps[i]
		if s.Event.Role == schema.RoleLookup {
			inside = s.Event.Phase == schema.Enter
		}
		if inside && s.Event.Role == schema.RoleLookupChain {
			continue
		}
		b, beside := p.bullet(s), ""
		if verdicts {
			beside = p.beside(&s.Event)
		}
		if b != "" {
			p.Line("- %s%s", b, beside)
		}
	}
}

// bullet returns the text of one event; empty for an event that only the tree shows.
func (p *page) bullet(s *Step) string {
	e := &s.Event
	label, has := p.f.Label(e.Role, e.Phase), e.Columns.Has
	of := fmt.Sprintf("%s | %s", s.Ref, code(e.Name))
	switch {
	case e.Role.Is(schema.TraitFrees):
		return ""
	case e.Phase == schema.Exit && has(schema.ColumnRet) && (e.Errno() != 0 || !has(schema.ColumnDentry)):
		if of = outcome(s); has(schema.ColumnDentry) {
			of += ", no file"
		}
	case has(schema.ColumnRet) && has(schema.ColumnFilesystem):
		of = fmt.Sprintf("%s, name pointer = %#x | %s, %s %s", s.Ref, e.NameAddr, code(e.Name), code(e.FSType), device(e.Dev))
	case has(schema.ColumnDentry) && e.Role.Is(schema.TraitBegins):
		return fmt.Sprintf("copy destination pointer = %#x of %s (%s, #%d)", e.NameAddr, s.Ref, label, e.ID)
	case has(schema.ColumnDentry) && e.Role.Is(schema.TraitLooksUp):
		if of = outcome(s); e.Negative() {
			of += " (negative)"
		}
	case has(schema.ColumnBucket):
		of += ", " + state(e)
	case has(schema.ColumnTarget):
		of += ", " + targeted(e)
	case has(schema.ColumnDentry):
	case e.Role.Is(schema.TraitWalks) && has(schema.ColumnNameAddr):
		return fmt.Sprintf("%s pointer = %#x | %s (#%d)", label, e.NameAddr, code(e.Name), e.ID)
	case e.Role.Is(schema.TraitLooksUp):
		of = fmt.Sprintf("%slength %d name %s, parent %#x", hashText("hash %d ", e), e.NameLen, code(e.Name), e.Parent)
	case has(schema.ColumnNameAddr):
		return fmt.Sprintf("copy source pointer = %#x (%s, #%d)", e.NameAddr, label, e.ID)
	default:
		return fmt.Sprintf("%s (#%d)", label, e.ID)
	}
	return fmt.Sprintf("%s: %s (#%d)", label, of, e.ID)
}

// targeted names the dentry whose place a move takes, or that it is exchanged with.
func targeted(e *schema.Event) string {
	if e.Facts&schema.FactExchange != 0 {
		return fmt.Sprintf("exchange with target %#x", e.Target)
	}
	return fmt.Sprintf("target %#x", e.Target)
}

func device(dev uint32) string { return fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1)) }

// beside returns the verdicts on what the event alone shows.
func (p *page) beside(e *schema.Event) string {
	out := ""
	if p.f.labels.known(e.Role, e.Phase) {
		for _, k := range p.looks[e.Role][e.Phase] {
			if k.beside != nil {
				out += k.beside(p, e)
			}
		}
	}
	return out
}

// verdict returns a verdict in bold; unproven if nothing can be proven in this run.
func (p *page) verdict(why *Reason, about About) string {
	switch {
	case p.f.Void != nil:
		why, about = p.f.Void, About{}
	case why == nil:
		return "**" + Proven.String() + "**"
	}
	return "**" + why.Verdict.String() + "** (" + prose(why.about(about, false)) + ")"
}

// claim writes a claim with its verdict.
func (p *page) claim(cl *Claim) {
	reason := ""
	if cl.Verdict != Proven {
		reason = " — " + prose(cl.Reason())
	}
	p.Line("- **%s** %s: %s%s", cl.Verdict, cl.Kind, cl.Says(code), reason)
}

// tree draws an item as lines: what happened on its thread, in order.
func (f *Findings) tree(it *Item) []string {
	head := "outside any open"
	if !it.stretch() {
		head = splitPath(it.Path)
	}
	lines := f.draw([]string{head}, it.Steps, "", it.More > 0)
	if it.More > 0 {
		lines = append(lines, fmt.Sprintf("└─ … %d more events", it.More))
	}
	return lines
}

// draw adds the lines of calls and events, with what is inside a call below it. If more is set, a line of the
// same depth follows them.
func (f *Findings) draw(lines []string, steps []Step, indent string, more bool) []string {
	for len(steps) > 0 {
		enter := &steps[0]
		inside, exit, rest := call(steps)
		steps = rest
		branch, below := "├─ ", "│  "
		if len(rest) == 0 && !more {
			branch, below = "└─ ", "   "
		}
		head := indent + branch + f.Label(enter.Event.Role, enter.Event.Phase) + entered(enter)
		if len(inside) == 0 && exit != nil {
			lines = append(lines, fmt.Sprintf("%s → %s %s", head, outcome(exit), cited(enter, exit)))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s #%d", head, enter.Event.ID))
		lines = f.draw(lines, inside, indent+below, exit != nil)
		if exit != nil {
			e := &exit.Event
			lines = append(lines, fmt.Sprintf("%s%s└─ %s %s #%d", indent, below, f.Label(e.Role, e.Phase), outcome(exit), e.ID))
		}
	}
	return lines
}

// call returns the steps inside the call that the first one begins, the exit of the call, and the steps after
// it. A call that did not return has all other steps inside; an event that begins no call has none.
func call(steps []Step) (inside []Step, exit *Step, rest []Step) {
	first := &steps[0].Event
	if first.Phase != schema.Enter || !first.Role.Paired() {
		return nil, nil, steps[1:]
	}
	for i := 1; i < len(steps); i++ {
		if s := &steps[i]; s.Event.Phase == schema.Exit && s.Enter == first.ID {
			return steps[1:i], s, steps[i+1:]
		}
	}
	return steps[1:], nil, nil
}

// cited returns the ids of the events of a call.
func cited(enter, exit *Step) string {
	if enter.Event.ID == exit.Event.ID {
		return fmt.Sprintf("#%d", enter.Event.ID)
	}
	return fmt.Sprintf("#%d–#%d", enter.Event.ID, exit.Event.ID)
}

// entered describes what follows the label of an entry, of the one event of a role that has only one, or of
// an exit whose entry is not known.
func entered(s *Step) string {
	e := &s.Event
	has := e.Columns.Has
	switch {
	case e.Phase == schema.Exit && e.Role.Paired():
		return " " + outcome(s)
	case has(schema.ColumnBucket):
		return fmt.Sprintf(" %s %s, bucket %#x", s.Ref, state(e), e.Bucket)
	case has(schema.ColumnTarget):
		return fmt.Sprintf(" %s %s, %s", s.Ref, replay.Printable(e.Name), targeted(e))
	case has(schema.ColumnDentry):
		return fmt.Sprintf(" %s %s", s.Ref, replay.Printable(e.Name))
	case !has(schema.ColumnNameAddr):
		return ""
	case e.Role.Is(schema.TraitWalks):
		return fmt.Sprintf(" %#x", e.NameAddr)
	case e.Role.Is(schema.TraitLooksUp):
		return fmt.Sprintf(" (%slen=%d) %s", hashText("hash=%d,", e), e.NameLen, replay.Printable(e.Name))
	}
	return fmt.Sprintf(", copy source %#x %s", e.NameAddr, replay.Printable(e.Name))
}

// hashText formats the hash of a name; empty if there is none, as in a redacted trace.
func hashText(format string, e *schema.Event) string {
	if e.Hash == 0 {
		return ""
	}
	return fmt.Sprintf(format, e.Hash)
}

// outcome describes what an exit returned.
func outcome(s *Step) string {
	e := &s.Event
	switch has := e.Columns.Has; {
	case has(schema.ColumnRet) && e.Errno() != 0:
		return schema.ErrnoText(e.Errno())
	case has(schema.ColumnRet) && !has(schema.ColumnDentry):
		return fmt.Sprint(e.Ret)
	case !has(schema.ColumnDentry):
		return "done"
	case e.Dentry == 0:
		return "NULL"
	case e.Role.Is(schema.TraitBegins):
		return fmt.Sprintf("%s, copy destination %#x", s.Ref, e.NameAddr)
	}
	return s.Ref.String()
}

// state says whether the dentry has an inode.
func state(e *schema.Event) string {
	switch {
	case e.Facts&schema.FactInodeUnknown != 0:
		return "(inode not read)"
	case e.Inode == 0:
		return "(negative)"
	}
	return fmt.Sprintf("(inode %#x)", e.Inode)
}

// splitPath returns the components of a path with spaces between them, "/ tmp / t_e.txt".
func splitPath(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	out := replay.Printable(strings.Join(parts, " / "))
	if strings.HasPrefix(path, "/") {
		out = "/ " + out
	}
	return out
}
