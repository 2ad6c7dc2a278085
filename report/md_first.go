// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// firstScreen is what a reader sees first: the run in a sentence, what is missing of it, what
// happened, and the life of one dentry.
func (p *page) firstScreen() {
	release, title := p.f.Header.GetKernel().GetRelease(), md.Literal("What Linux %s did with these path names")
	if isLog(p) {
		title = "What a kernel log says of these path names%.0s"
	}
	if p.FrontMatter {
		p.line("---\nlayout: default\ntitle: \""+title+"\"\n---\n", md.Element(release))
	}
	p.line("# "+title+"\n", text(release))
	p.alarm()
	p.run()
	if p.Opening != nil && isRun(p) {
		p.Opening.WriteMarkdown(p.Writer, &p.room)
	}
	p.part(p.lifeline)
	p.line("\n%s%s; FILE is the trace, in every command here.", madeBy, md.Span(replay.CommandLine(p.command())))
}

// alarm says first, and loudly, that something is missing.
func (p *page) alarm() {
	f := p.f
	if f.Lost == 0 && f.Forgotten == 0 && len(f.Windows) == 0 && f.Footer != nil && f.Void == nil {
		return
	}
	p.line("> [!CAUTION]\n> **Not all of the run is here: %s.** What rests on what is missing is unproven.\n", prose(f.losses()))
}

// run is the run in a sentence.
func (p *page) run() {
	f, k := p.f, p.f.Header.GetKernel()
	if f.Without != 0 {
		p.line("**Read as if %s had not been recorded**: those events are left out, and \"not attached\" means that.\n", roleNames(f.Without))
	}
	if p.Filtered {
		p.line("**Of a part of the run**: claims made with an event that the filters do not pick are neither shown nor counted.\n")
	}
	of := ""
	if line := replay.RecordedCommand(f.Header); line != "" && len(line) <= 200 {
		of = " of " + md.Span(line)
	}
	on := "Linux " + code(k.GetRelease()) + ", " + code(k.GetMachine())
	if isLog(p) {
		on = "a kernel log"
	}
	p.line("%d events%s on %s; %s; %d claims proven, %d refuted, %d unproven.", f.Events, of, on,
		prose(f.losses()), f.Tally.Total(Proven), f.Tally.Total(Refuted), f.Tally.Total(Unproven))
}

// madeBy is before the command that makes a page.
const madeBy = "Made by "

// command makes this page.
func (o *PageOptions) command() []string {
	words := append([]string{"dtrec", "report"}, o.Judged...)
	add := func(is bool, flags ...string) {
		if is {
			words = append(words, flags...)
		}
	}
	add(o.FrontMatter, "--front-matter")
	add(o.Brief, "--brief")
	add(o.ExplainHash, "--explain", "hash")
	for _, what := range o.Select {
		words = append(words, "--select", what)
	}
	return append(words, "FILE")
}

// drawn are the kinds whose example is drawn as a life line, the first that is proven.
var drawn = []Kind{Eviction, Negative, Equality}

// lifeline draws the events that prove an example, in order of time: one dentry's, or those of the two of an eviction.
func (p *page) lifeline() {
	for _, kind := range drawn {
		e, ok := p.f.example(kind)
		if !ok {
			continue
		}
		cl := &e.Claim
		p.line("\nThe events that prove one claim, %s of %s in %s:\n", cl.Kind, code(cl.Subject), text(e.Comm))
		lines, chain := []string{"flowchart LR"}, ""
		for i, t := range inTime(cl.Terms) {
			node := string(rune('a' + i))
			lines = append(lines, fmt.Sprintf("  %s[\"#%d %s%s\"]", node, t.Event, plain(t.Label), cl.at(&t)))
			if chain += " --> " + node; i == 25 {
				break
			}
		}
		p.Fence("mermaid", append(lines, "  "+strings.TrimPrefix(chain, " --> ")))
		return
	}
}

// at is the dentry or the error that an operand shows.
func (cl *Claim) at(t *Term) string {
	switch {
	case schema.Errno(t.Value) != 0:
		return ": " + schema.ErrnoText(schema.Errno(t.Value))
	case cl.Other.Seq != 0 && t.Value == cl.Other.Addr && t.Event == cl.Terms[0].Event:
		return ": " + cl.Other.String()
	case t.Value == cl.Object.Addr && cl.Object.Seq != 0:
		return ": " + cl.Object.String()
	}
	return ""
}

// plain is a label in a drawing, without what Mermaid reads.
func plain(label string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == ' ' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, label)
	return out[:min(len(out), 60)]
}

// inTime is the operands in the order of their events.
func inTime(terms []Term) []Term {
	return slices.SortedStableFunc(slices.Values(terms), func(a, b Term) int { return cmp.Compare(a.Event, b.Event) })
}
