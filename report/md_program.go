// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// programs writes one section per program.
func (p *page) programs() {
	p.line("## User Programs")
	for _, prog := range p.f.Programs {
		if len(prog.Items) == 0 && len(prog.Claims) == 0 && len(prog.Source) == 0 && prog.Opens == 0 {
			continue
		}
		p.program(prog)
	}
	if p.f.Omitted > 0 {
		atLeast := ""
		if p.f.Endless {
			atLeast = "at least "
		}
		p.line("%s%d more programs are counted in the verdicts and not shown.\n", atLeast, p.f.Omitted)
	}
}

func (p *page) program(prog *Program) {
	if len(prog.Source) > 0 {
		p.line("### %s.c", text(prog.Comm))
		p.Fence("c", prog.Source)
	} else {
		p.line("### %s", text(prog.Comm))
	}
	if prog.Stdout != "" {
		p.line("stdout")
		p.Fence("", strings.Split(strings.TrimSuffix(prog.Stdout, "\n"), "\n"))
	}
	p.line("%s, opens: %d%s, failed: %d%s.\n", prog.people(), prog.Opens, prog.endless(), prog.Failed, prog.ends())
	n := 0
	for _, it := range prog.Items {
		if it.Open {
			n++
			p.open(it, n)
		} else {
			p.other(it)
		}
	}
	if prog.Unshown > 0 {
		p.line("%d more opens of this program are counted in the verdicts and not shown.\n", prog.Unshown)
	}
	if prog.Beyond > 0 {
		p.line("At least %d more events of this program, outside any open, are not shown.\n", prog.Beyond)
	}
	for i := range prog.Claims {
		p.claim(&prog.Claims[i])
	}
	if prog.Unlisted > 0 {
		p.line("- … %d more claims on dentries, across opens", prog.Unlisted)
	}
	if lines := prog.chains(); len(lines) > 0 {
		p.Fence("", lines)
		p.line("")
	}
	if l := prog.learned(); l != "" {
		p.line("Learned: %s\n", l)
	}
}

// open writes one open: its events as bullets, its claims, its tree.
func (p *page) open(it *Item, n int) {
	how := ""
	if it.Steps[0].Event.Execute() {
		how = ", to execute"
	}
	p.line("open %d of this program, %s%s:", n, code(it.Path), how)
	if !it.Old {
		p.bullets(it)
	}
	if it.More > 0 {
		p.line("- … %d more events", it.More)
	}
	for i := range it.Claims {
		p.claim(&it.Claims[i])
	}
	if it.Unshown > 0 {
		p.line("- … %d more claims, counted and not shown", it.Unshown)
	}
	p.Fence("", p.f.tree(it))
	p.line("")
}

// other writes what the program did to dentries outside any open.
func (p *page) other(it *Item) {
	p.line("outside any open:")
	p.bullets(it)
	p.Fence("", p.f.tree(it))
	p.line("")
}

// bullets spell the events of an item; the chain walk inside a d_lookup is left to
// the tree.
func (p *page) bullets(it *Item) {
	inside := false
	for i := range it.Steps {
		s := &it.Steps[i]
		if s.Event.Role == schema.RoleLookup {
			inside = s.Event.Phase == schema.Enter
		}
		if inside && s.Event.Role == schema.RoleLookupChain {
			continue
		}
		if b := p.bullet(s); b != "" {
			p.line("- %s%s", b, p.beside(&s.Event))
		}
	}
}

// bullet spells one event in the words of the seed; empty for one that the tree
// alone shows.
func (p *page) bullet(s *Step) string {
	e := &s.Event
	label, has := p.f.Label(e.Role, e.Phase), e.Columns.Has
	of := fmt.Sprintf("%s | %s", s.Ref, code(e.Name))
	switch {
	case e.Role.Is(schema.Frees):
		return ""
	case e.Phase == schema.Exit && has(schema.ColumnRet) && (e.Errno() != 0 || !has(schema.ColumnDentry)):
		if of = outcome(s); has(schema.ColumnDentry) {
			of += ", no file"
		}
	case has(schema.ColumnRet) && has(schema.ColumnFilesystem):
		of = fmt.Sprintf("%s, name pointer = %#x | %s, %s %s", s.Ref, e.NameAddr, code(e.Name), code(e.FSType), device(e.Dev))
	case has(schema.ColumnDentry) && e.Role.Is(schema.Begins):
		return fmt.Sprintf("copy destination pointer = %#x of %s (%s, #%d)", e.NameAddr, s.Ref, label, e.ID)
	case has(schema.ColumnDentry) && e.Role.Is(schema.Asks):
		of = outcome(s) + negativeWord(e)
	case has(schema.ColumnBucket):
		of += ", " + state(e)
	case has(schema.ColumnTarget):
		of += ", " + targeted(e)
	case has(schema.ColumnDentry):
	case e.Role.Is(schema.Walks) && has(schema.ColumnNameAddr):
		return fmt.Sprintf("%s pointer = %#x | %s (#%d)", label, e.NameAddr, code(e.Name), e.ID)
	case e.Role.Is(schema.Asks):
		of = fmt.Sprintf("%slength %d name %s, parent %#x", hashText("hash %d ", e), e.NameLen, code(e.Name), e.Parent)
	case has(schema.ColumnNameAddr):
		return fmt.Sprintf("copy source pointer = %#x (%s, #%d)", e.NameAddr, label, e.ID)
	default:
		return fmt.Sprintf("%s (#%d)", label, e.ID)
	}
	return fmt.Sprintf("%s: %s (#%d)", label, of, e.ID)
}

// targeted names the dentry whose place a move takes.
func targeted(e *schema.Event) string {
	if e.Facts&schema.FactExchange != 0 {
		return fmt.Sprintf("exchange with target %#x", e.Target)
	}
	return fmt.Sprintf("target %#x", e.Target)
}

func negativeWord(e *schema.Event) string {
	if e.Dentry != 0 && e.Inode == 0 && e.Facts&schema.FactInodeUnknown == 0 {
		return " (negative)"
	}
	return ""
}

func device(dev uint32) string { return fmt.Sprintf("%d:%d", dev>>20, dev&(1<<20-1)) }

// beside is the verdicts on what the event alone shows.
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

// verdict spells a verdict; unproven where nothing can be.
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
	p.line("- **%s** %s: %s%s", cl.Verdict, cl.Kind, cl.Says(code), reason)
}

// chains draws the proven claims of a program that are drawn, a line or two each.
func (prog *Program) chains() []string {
	var out []string
	add := func(cl *Claim, it *Item) {
		if draw := table[cl.Kind].draw; draw != nil && cl.Verdict == Proven {
			out = append(out, draw(cl, it)...)
		}
	}
	for _, it := range prog.Items {
		for i := range it.Claims {
			add(&it.Claims[i], it)
		}
	}
	for i := range prog.Claims {
		add(&prog.Claims[i], nil)
	}
	return out
}

// maxLessons bounds the Learned line.
const maxLessons = 8

// learned sums up the proven claims of a program about dentries whose allocation
// was recorded; those that were there before teach nothing new.
func (prog *Program) learned() string {
	var out []string
	type news struct {
		kind Kind
		of   Ref
	}
	once := make(map[news]bool)
	add := func(cl *Claim, it *Item) {
		what := news{cl.Kind, cl.Object}
		if s := cl.lesson(it); s != "" && cl.Verdict == Proven && !once[what] && len(out) < maxLessons {
			once[what] = true
			out = append(out, s)
		}
	}
	for _, it := range prog.Items {
		for i := range it.Claims {
			add(&it.Claims[i], it)
		}
	}
	for i := range prog.Claims {
		add(&prog.Claims[i], nil)
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "; ") + "."
}

// lesson is one clause of the Learned line; empty for a claim that is no news.
func (cl *Claim) lesson(it *Item) string {
	if lesson := table[cl.Kind].lesson; lesson != nil {
		return lesson(cl, it)
	}
	return ""
}
