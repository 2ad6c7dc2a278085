// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// page writes Markdown and remembers the first error.
type page struct {
	*md.Writer
	PageOptions
	f     *Findings
	looks byRole // the kinds by the events that they look at
	room  int    // bytes left for the section being written
}

// part writes a part of the section if the section has room for it, and returns whether it had. A part may
// have parts of its own.
func (p *page) part(write func()) bool {
	room := p.room
	fits := p.Try(&room, write)
	p.room = room
	return fits
}

// PageOptions choose what a page contains.
type PageOptions struct {
	Opening     Opening // what happened, for the first screen; nil: not told
	ExplainHash bool    // a section that shows how each hash is computed
	Brief       bool    // without proofs, at most 64 KB
	FrontMatter bool    // with the front matter of Jekyll

	Judged []string // flags that chose what was judged, and how; the page names them in the command that made it
	Picked []string // the filters as flags, if the findings cover only what Options.Only picked
	Select []string // the Options.Select that the findings were made with
}

// Opening tells what happened in a run, on the first screen of its page. It takes at most the bytes of
// room.
type Opening interface {
	WriteMarkdown(w *md.Writer, room *int)
}

// section is a part of a page with a heading. A page consists of the sections it has, in the order of
// sections, each with at most so many bytes, and fewer on a brief page.
type section struct {
	title, anchor md.Literal
	most, brief   int
	has           func(*page) bool
	says          func(*page) // writes what follows its name in the contents
	write         func(*page)
}

// A page has at most 500 KB, since GitHub shows 512,000 bytes, and a brief one 64 KB.
const (
	firstScreen = 24_000  // bytes; the contents may take as many
	hashRoom    = 190_000 // bytes that larger sections give up when hashes are explained
)

var sections = []section{
	{"Verdicts", "verdicts", 60_000, 6_000, always, (*page).sayVerdicts, (*page).introduction},
	{"Lines", "lines", 300_000, 16_000, isLog, untitled, (*page).logLines},
	{"User Programs", "user-programs", 320_000, 32_000, isRun, (*page).sayPrograms, (*page).programs},
	{"Why These Probes", "why-these-probes", 32_000, 4_000, isRun, untitled, (*page).whyTheseProbes},
	{"Man Pages Used (parts)", "man-pages-used-parts", 4_000, 1_500, isRun, untitled, (*page).manPages},
	{"Hashes, Step by Step", "hashes-step-by-step", hashRoom, 2_000, (*page).explains, untitled, (*page).hashSteps},
}

func always(*page) bool        { return true }
func isLog(p *page) bool       { return p.f.Header.Logged() }
func isRun(p *page) bool       { return !isLog(p) }
func untitled(*page)           {}
func (p *page) explains() bool { return p.ExplainHash }

// Markdown writes the findings as a page of GitHub Markdown.
func Markdown(w io.Writer, f *Findings, o PageOptions) error {
	p := &page{Writer: md.NewWriter(w), PageOptions: o, f: f, looks: looking(allKinds())}
	p.room = p.size(firstScreen, 8_000)
	p.firstScreen()
	p.room = p.size(firstScreen, 3_000)
	p.Line("\n## Contents")
	for _, s := range sections {
		if s.has(p) {
			p.Put("- [" + s.title + "](#" + s.anchor + ")")
			s.says(p)
			p.Line("")
		}
	}
	for _, s := range sections {
		if s.has(p) {
			p.room = p.size(s.most, s.brief)
			if p.ExplainHash && s.most > hashRoom {
				p.room -= min(hashRoom, p.room/2)
			}
			p.Line("\n## " + s.title)
			s.write(p)
		}
	}
	return p.Flush()
}

// measure returns how many bytes a part of the section would take.
func (p *page) measure(write func()) int {
	room := p.room
	defer func() { p.room = room }()
	return p.Size(write)
}

// size returns most or, on a brief page, brief.
func (p *page) size(most, brief int) int {
	if p.Brief {
		return brief
	}
	return most
}

// introduction writes the verdicts and what they are about.
func (p *page) introduction() {
	f, h := p.f, p.f.Header
	switch {
	case isLog(p):
		p.logIntroduction()
	case h.Redacted():
		p.Line("This report uses one run: id `%x`, %d events, %s. `dtrec redact` made it: names are tokens of the same length, addresses are moved but keep their differences within a run of pages, and hashes and buckets are removed. Lengths are those of the run, and so are times, counted from its begin.\n", h.RunId, f.Events, f.losses())
	default:
		p.Line("This report uses one run: id `%x`, %d events, %s. The addresses, hashes and lengths below were recorded in it by the events cited as #id; differences and quotients are computed from those; offsets, sizes and the address of the hash table are those of the kernel that ran. Your run will differ.\n",
			h.RunId, f.Events, f.losses())
	}
	if !isLog(p) {
		p.Line("D1, D2 … are dentries, numbered in the order in which they were first seen. A dentry is an address with a lifetime, from its `__d_alloc` to its kill; the same address after a kill is another dentry. Beside every claim is its verdict.\n")
	}
	if f.Forgotten > 0 {
		p.Line("- forgotten: %d dentries, each time the one not seen for longest, because more were known at once than dtrec remembers. Claims that need them are unproven", f.Forgotten)
	}
	gaps := gapsOf(f.Windows)
	p.many(len(gaps), "kinds of missing events", "dtrec info FILE", func(i int) {
		p.Line("- missing: %s", gaps[i].text())
	})
	p.verdictTable()
	if isLog(p) {
		return
	}
	for _, l := range p.lessons() {
		p.Line("- %s", l)
	}
	p.Line("")
	p.paragraphs()
	if !p.Brief {
		p.part(p.tools)
	}
}

// many writes n parts one by one, until one has no room. It then says how many more there are, and which
// command shows them.
func (p *page) many(n int, what, command md.Literal, write func(int)) {
	for i := range n {
		if !p.part(func() { write(i) }) {
			p.Line("- … and %d more "+what+": `"+command+"`", n-i)
			return
		}
	}
}

// probeList returns the symbols that record a role, and how each is attached.
func (p *page) probeList(r schema.Role) string {
	var symbols []string
	by := make(map[string][]string)
	for _, b := range p.f.Header.GetProbe() {
		if b.Role == r && b.Attached {
			if by[b.Symbol] == nil {
				symbols = append(symbols, b.Symbol)
			}
			by[b.Symbol] = append(by[b.Symbol], b.Attach.Label())
		}
	}
	for i, s := range symbols {
		symbols[i] = fmt.Sprintf("%s (%s)", code(replay.Symbol(s)), strings.Join(by[s], ", "))
	}
	return strings.Join(symbols, ", ")
}

func (f *Findings) losses() string {
	switch {
	case f.Void != nil:
		return fmt.Sprintf("%d lost; nothing can be proven: %s", f.Lost, f.Void.about(About{}, false))
	case f.Header.Imported() && f.Lost == 0 && !f.Cut:
		return "it is not known which hits the text lacks"
	case f.Cut && f.Lost > 0:
		return fmt.Sprintf("%d lost, and cut before its end", f.Lost)
	case f.Cut:
		return "cut before its end"
	case f.Lost > 0:
		return fmt.Sprintf("%d lost", f.Lost)
	case len(f.Windows) > 0:
		return fmt.Sprintf("%d stretches with events missing", len(f.Windows))
	case f.Footer == nil:
		return "no footer, so the recording did not end cleanly"
	}
	return noneLost
}

const noneLost = "0 lost"

func (f *Findings) verdictLine() string {
	return fmt.Sprintf("in all %d proven, %d refuted, %d unproven", f.Tally.Total(Proven), f.Tally.Total(Refuted), f.Tally.Total(Unproven))
}

func (p *page) verdictTable() {
	p.Line("<details><summary>by kind of claim</summary>\n")
	p.Line("| claim | proven | refuted | unproven | says |\n|---|--:|--:|--:|---|")
	for _, k := range Kinds() {
		t := p.f.Tally[k.Kind]
		p.Line("| %s | %d | %d | %d | %s |", k.Name, t[Proven], t[Refuted], t[Unproven], k.Says)
	}
	p.Line("\n</details>\n")
	left := p.f.Tally.Total(Refuted) + p.f.Tally.Total(Unproven)
	for i := range p.f.Doubts {
		d := &p.f.Doubts[i]
		if p.part(func() {
			p.Line("- **%s** %s of %s%s: %s", d.Claim.Verdict, p.f.doubted(&d.Claim), subjects(d.Subjects, d.Others, code), times(d.Count), prose(d.Reason()))
		}) {
			left -= d.Count
		}
	}
	if left > 0 {
		p.Line("- … and %d more claims that are not proven: `dtrec check FILE`", left)
	}
	if len(p.f.Doubts) > 0 {
		p.Line("")
	}
	p.ablations()
}

// ablations lists what can no longer be proven without the roles left out.
func (p *page) ablations() {
	if p.f.Without == 0 {
		return
	}
	p.Line("No longer proven without %s:\n", p.f.Without.String())
	for _, f := range p.f.Ablations {
		if f.Program == "" {
			p.Line("- %s, %d of %d: %s", f.Kind, f.With-f.Without, f.With, text(f.Missed))
		}
	}
	if len(p.f.Ablations) == 0 {
		p.Line("- none")
	}
	p.Line("")
}

func times(n uint64) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", %d times", n)
}

// tools writes, folded, what made the page, and what the events look like.
func (p *page) tools() {
	p.Line("<details><summary>the probes of this run, and some of its events as a driver would print them</summary>\n")
	k := p.f.Header.GetKernel()
	p.Line("- Linux %s %s, %s", code(k.GetRelease()), code(k.GetVersion()), code(k.GetMachine()))
	p.probes()
	if p.f.Header.Imported() {
		p.Line("\n`dtrec import` made an event of each line that perf or trace-cmd printed about their probes.")
	} else {
		p.Line("\n`dtrec record` attaches eBPF programs to the probes above and writes each hit as an event.")
	}
	p.Line("`dtrec report` reads the events, and nothing else, and writes this page.")
	p.Line("`dtrec check` prints the verdicts alone; `dtrec replay` prints the events.\n")
	if example := p.f.exampleItem(); example != nil {
		p.Line("Example lines (from this run):")
		p.Fence("", p.f.driverLines(example))
	}
	p.Line("\n</details>\n")
}

// probes lists the functions of each role.
func (p *page) probes() {
	for _, info := range schema.Catalogue() {
		if l := p.probeList(info.Role); l != "" {
			p.Line("- %s: %s", info.Name, l)
		}
	}
}

// exampleItem returns the first open that allocated a dentry; otherwise the first open.
func (f *Findings) exampleItem() *Item {
	var first *Item
	for _, p := range f.Programs {
		for _, it := range p.Items {
			if it.Open && slices.ContainsFunc(it.Steps, func(s Step) bool { return s.Event.Role.Is(schema.TraitBegins) }) {
				return it
			} else if it.Open && first == nil {
				first = it
			}
		}
	}
	return first
}

// driverLines returns the events of an item one per line, as a driver's printk would print them.
func (f *Findings) driverLines(it *Item) []string {
	var out []string
	for i := range it.Steps {
		s := &it.Steps[i]
		e := &s.Event
		head := fmt.Sprintf("#%d [%d.%06d] %s", e.ID, e.Time/1e9, e.Time%1e9/1e3, f.Label(e.Role, e.Phase))
		switch has := e.Columns.Has; {
		case e.Phase == schema.Exit && e.Role.Paired():
			head += ": " + outcome(s)
		case has(schema.ColumnDentry) && has(schema.ColumnKey), e.Role.Is(schema.TraitLooksUp):
			head += fmt.Sprintf(": %slength %d name %s", hashText("hash %d ", e), e.NameLen, replay.Printable(e.Name))
		case has(schema.ColumnDentry):
			head += fmt.Sprintf(": %s | %s", s.Ref, replay.Printable(e.Name))
		case e.Role.Is(schema.TraitWalks):
			head += fmt.Sprintf(": %#x | %s", e.NameAddr, replay.Printable(e.Name))
		case has(schema.ColumnNameAddr):
			head += fmt.Sprintf(": %#x", e.NameAddr)
		}
		out = append(out, head)
	}
	return out
}

// sayVerdicts writes how many claims got which verdict.
func (p *page) sayVerdicts() { p.Put(": %s", p.f.verdictLine()) }

func code(name string) string { return md.Code(name) }

func text(s string) string { return md.Text(s) }

func prose(s string) string { return md.Prose(s) }
