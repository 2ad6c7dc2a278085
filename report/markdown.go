// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// page writes Markdown and remembers the first error.
type page struct {
	*md.Writer
	f     *Findings
	looks byRole // kinds by the events that they look at
}

func (p *page) line(format md.Literal, args ...any) { p.Line(format, args...) }

// PageOptions choose what a page has beyond the proof.
type PageOptions struct {
	ExplainHash bool // a section that shows how each hash is computed
}

// Markdown writes the report as a page of GitHub Markdown.
func Markdown(w io.Writer, f *Findings, o PageOptions) error {
	p := &page{md.NewWriter(w), f, looking(allKinds())}
	if f.Header.Logged() {
		p.logPage()
		return p.Flush()
	}
	p.frontMatter()
	p.introduction()
	p.tools()
	p.programs()
	p.whyTheseProbes()
	p.manPages()
	if o.ExplainHash {
		p.line("")
		p.hashSteps()
	}
	return p.Flush()
}

func (p *page) frontMatter() {
	p.line("---\nlayout: default\ntitle: \"What Linux %s did with these path names\"\n---\n", md.Title(p.f.Header.GetKernel().GetRelease()))
}

func (p *page) introduction() {
	f, h := p.f, p.f.Header
	p.line("## Introduction")
	p.line("Kernel and probes of this run:")
	p.line("- Linux %s %s, %s", code(h.GetKernel().GetRelease()), code(h.GetKernel().GetVersion()), code(h.GetKernel().GetMachine()))
	for _, info := range schema.Catalogue() {
		if l := p.probeList(info.Role); l != "" {
			p.line("- %s: %s", info.Name, l)
		}
	}
	p.line("")
	if f.Without != 0 {
		p.line("**Read as if %s had not been recorded**: those events are left out, and \"not attached\" means that.\n", roleNames(f.Without))
	}
	if h.Redacted() {
		p.line("This report uses one run: id `%x`, %d events, %s. `dtrec redact` made it: names are tokens of the same length, addresses lie elsewhere and keep their differences inside a run of pages, and hashes and buckets are gone. Lengths and times are those of the run, times since its begin.\n", h.RunId, f.Events, f.losses())
	} else {
		p.line("This report uses one run: id `%x`, %d events, %s. The addresses, hashes and lengths below were recorded in it by the events cited as #id; differences and quotients are computed from those; offsets, sizes and the place of the hash table are those of the kernel that ran. Your run will differ.\n",
			h.RunId, f.Events, f.losses())
	}
	p.line("D1, D2 … are dentries in order of first sight: an address with a lifetime, from its `__d_alloc` to its kill. The same address after a kill is another dentry. A verdict stands beside every claim; %s.\n", f.verdictLine())
	if f.Forgotten > 0 {
		p.line("- forgotten: %d dentries, each the one not seen for longest: more were known at once than are remembered. What rests on them is unproven", f.Forgotten)
	}
	for _, w := range f.Windows {
		p.line("- missing: %s, from %d ns to %s", lossText(w.Count, w.Why), w.First, endOf(w.Last))
	}
	p.verdictTable()
}

// probeList says which symbols record a role, and how they are attached.
func (p *page) probeList(r schema.Role) string {
	var got []string
	for _, symbol := range p.symbols(r) {
		var by []string
		for _, b := range p.f.Header.GetProbe() {
			if b.Role == r && b.Attached && replay.Symbol(b.Symbol) == symbol {
				by = append(by, b.Attach.Label())
			}
		}
		got = append(got, fmt.Sprintf("%s (%s)", code(symbol), strings.Join(by, ", ")))
	}
	return strings.Join(got, ", ")
}

func (f *Findings) losses() string {
	switch {
	case f.Void != nil:
		return fmt.Sprintf("%d lost; nothing can be proven of them: %s", f.Lost, f.Void.about(About{}, false))
	case f.Header.Imported() && f.Lost == 0 && !f.Cut:
		return "of hits that the text lacks nothing is known"
	case f.Cut && f.Lost > 0:
		return fmt.Sprintf("%d lost, and cut before its end", f.Lost)
	case f.Cut:
		return "cut before its end"
	case f.Lost > 0:
		return fmt.Sprintf("%d lost", f.Lost)
	case len(f.Windows) > 0:
		return fmt.Sprintf("%d stretches with events missing", len(f.Windows))
	case f.Footer == nil:
		return "without a footer: the recording did not end cleanly"
	}
	return "0 lost"
}

func (f *Findings) verdictLine() string {
	return fmt.Sprintf("in all %d proven, %d refuted, %d unproven", f.Tally.Total(Proven), f.Tally.Total(Refuted), f.Tally.Total(Unproven))
}

func (p *page) verdictTable() {
	p.line("| claim | proven | refuted | unproven | says |\n|---|--:|--:|--:|---|")
	for _, k := range Kinds() {
		t := p.f.Tally[k.Kind]
		p.line("| %s | %d | %d | %d | %s |", k.Name, t[Proven], t[Refuted], t[Unproven], k.Says)
	}
	p.line("")
	for i := range p.f.Doubts {
		d := &p.f.Doubts[i]
		p.line("- **%s** %s of %s%s: %s", d.Claim.Verdict, p.f.doubted(&d.Claim), subjects(d.Subjects, d.Others, code), times(d.Count), prose(d.Reason()))
	}
	if n := p.f.undoubted(); n > 0 {
		p.line("- … and %d more that are not proven", n)
	}
	if len(p.f.Doubts) > 0 {
		p.line("")
	}
	p.falls()
}

// undoubted is how many claims are not proven beyond those that the doubts name.
func (f *Findings) undoubted() uint64 {
	n := f.Tally.Total(Refuted) + f.Tally.Total(Unproven)
	for i := range f.Doubts {
		n -= f.Doubts[i].Count
	}
	return n
}

// falls lists what can no longer be proven without the roles left out.
func (p *page) falls() {
	if p.f.Without == 0 {
		return
	}
	p.line("What falls without %s:\n", roleNames(p.f.Without))
	for _, f := range p.f.Falls {
		if f.Program == "" {
			p.line("- fallen: %s, %d of %d proven: %s", f.Kind, f.With-f.Without, f.With, text(f.Missed))
		}
	}
	if len(p.f.Falls) == 0 {
		p.line("- nothing falls")
	}
	p.line("")
}

func times(n uint64) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(", %d times", n)
}

func (p *page) tools() {
	p.line("## Tools")
	if p.f.Header.Imported() {
		p.line("`dtrec import` made an event of each line of a text that perf or trace-cmd printed of their probes.")
	} else {
		p.line("`dtrec record` attaches eBPF programs to the probes above and writes each hit as an event.")
	}
	p.line("`dtrec report` reads the events, and nothing else, and writes this page.")
	p.line("`dtrec check` prints the verdicts alone; `dtrec replay` prints the events.\n")
	p.line("Example lines (from this run):")
	example := p.f.exampleItem()
	if example != nil {
		p.Fence("", p.f.driverLines(example))
	}
	p.line("\nWhat we learned (from this run only):")
	for _, l := range p.f.lessons() {
		p.line("- %s", l)
	}
	p.line("")
	p.paragraphs()
}

// exampleItem is the first open that allocated, else the first open.
func (f *Findings) exampleItem() *Item {
	var first *Item
	for _, p := range f.Programs {
		for _, it := range p.Items {
			if !it.Open {
				continue
			}
			if first == nil {
				first = it
			}
			for i := range it.Steps {
				if it.Steps[i].Event.Role.Is(schema.Begins) {
					return it
				}
			}
		}
	}
	return first
}

// driverLines prints the events of an item one per line, as a driver's printk would.
func (f *Findings) driverLines(it *Item) []string {
	var out []string
	for i := range it.Steps {
		s := &it.Steps[i]
		e := &s.Event
		head := fmt.Sprintf("#%d [%d.%06d] %s", e.ID, e.Time/1e9, e.Time%1e9/1e3, f.Label(e.Role, e.Phase))
		switch has := e.Columns.Has; {
		case e.Phase == schema.Exit && paired(e.Role):
			head += ": " + outcome(s)
		case has(schema.ColumnDentry) && has(schema.ColumnKey), e.Role.Is(schema.Asks):
			head += fmt.Sprintf(": %slength %d name %s", hashText("hash %d ", e), e.NameLen, replay.Printable(e.Name))
		case has(schema.ColumnDentry):
			head += fmt.Sprintf(": %s | %s", s.Ref, replay.Printable(e.Name))
		case e.Role.Is(schema.Walks):
			head += fmt.Sprintf(": %#x | %s", e.NameAddr, replay.Printable(e.Name))
		case has(schema.ColumnNameAddr):
			head += fmt.Sprintf(": %#x", e.NameAddr)
		}
		out = append(out, head)
	}
	return out
}

func lossText(count uint64, why string) string {
	if count == 0 {
		return "an unknown number of events (" + why + ")"
	}
	return fmt.Sprintf("%d events (%s)", count, why)
}

func endOf(ns uint64) string {
	if ns == 1<<64-1 {
		return "the end"
	}
	return fmt.Sprintf("%d ns", ns)
}
