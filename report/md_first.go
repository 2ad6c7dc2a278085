// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// firstScreen writes what a reader sees first: the run in a sentence, what is missing from it, what
// happened, and the life of one dentry.
func (p *page) firstScreen() {
	release, title := p.f.Header.GetKernel().GetRelease(), md.Literal("What Linux %s did with these path names")
	if isLog(p) {
		title = "What a kernel log says of these path names%.0s"
	}
	if p.FrontMatter {
		p.Line("---\nlayout: default\ntitle: \""+title+"\"\n---\n", md.Element(release))
	}
	p.Line("# "+title+"\n", text(release))
	p.alarm()
	p.run()
	if p.Opening != nil && isRun(p) {
		p.Opening.WriteMarkdown(p.Writer, &p.room)
	}
	p.part(p.lifeline)
	p.Line("\n%s%s; FILE stands for the trace in every command on this page.", madeBy, md.Span(replay.CommandLine(p.command())))
}

// alarm warns, before anything else, if events are missing.
func (p *page) alarm() {
	f := p.f
	if f.Lost == 0 && f.Forgotten == 0 && len(f.Windows) == 0 && f.Footer != nil && f.Void == nil {
		return
	}
	what := "The trace is incomplete: " + f.losses()
	if f.Forgotten > 0 && f.losses() == noneLost {
		what = fmt.Sprintf("Not every dentry could be followed to the end: %d were forgotten", f.Forgotten)
	}
	p.Line("> [!CAUTION]\n> **%s.** Claims that need what is missing are unproven.\n", prose(what))
}

// run writes the run in a sentence.
func (p *page) run() {
	f, k := p.f, p.f.Header.GetKernel()
	if f.Without != 0 {
		p.Line("**Read as if %s had not been recorded**: its events are left out, and \"not attached\" below means that.\n", f.Without.String())
	}
	if len(p.Picked) > 0 {
		p.Line("**This page is about a part of the run**: claims made with an event that the filters leave out are not counted. A call that is shown is shown whole, with what each of its events proves alone.\n")
	}
	of := ""
	if line := replay.RecordedCommand(f.Header); line != "" && len(line) <= 200 {
		of = " of " + md.Span(line)
	}
	on := "Linux " + code(k.GetRelease()) + ", " + code(k.GetMachine())
	if isLog(p) {
		on = "a kernel log"
	}
	p.Line("%d events%s on %s; %s; %d claims proven, %d refuted, %d unproven.", f.Events, of, on,
		prose(f.losses()), f.Tally.Total(Proven), f.Tally.Total(Refuted), f.Tally.Total(Unproven))
}

// madeBy precedes the command that made the page.
const madeBy = "Made by "

// command returns the command that makes this page.
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

// drawn are the kinds whose example may be drawn as a life line; the first with a proven claim is.
var drawn = []Kind{Eviction, Negative, Equality}

// lifeline draws the events that prove an example, in order of time: those of one dentry or, for an
// eviction, of its two dentries.
func (p *page) lifeline() {
	for _, kind := range drawn {
		e, ok := p.f.example(kind)
		if !ok {
			continue
		}
		cl := &e.Claim
		p.Line("\nThe events that prove one claim, %s of %s in %s:\n", cl.Kind, code(cl.Subject), text(e.Comm))
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

// at returns the dentry or the error that an operand shows, as a suffix; empty if it shows neither.
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

// plain returns a label without the characters that Mermaid interprets, at most 60 bytes long.
func plain(label string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == ' ' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return -1
	}, label)
	return out[:min(len(out), 60)]
}

// inTime returns the operands in the order of their events.
func inTime(terms []Term) []Term {
	return slices.SortedStableFunc(slices.Values(terms), func(a, b Term) int { return cmp.Compare(a.Event, b.Event) })
}

// inPlace returns the kinds that have a text on the page, in the order of their places.
func inPlace(at func(*pageText) int) []*kind {
	out := slices.DeleteFunc(allKinds(), func(k *kind) bool { return at(&k.page) == 0 })
	slices.SortFunc(out, func(a, b *kind) int { return cmp.Compare(at(&a.page), at(&b.page)) })
	return out
}

// lessons returns the bullets under the table of verdicts.
func (p *page) lessons() []string {
	var out []string
	for _, k := range inPlace(func(c *pageText) int { return c.learnedAt }) {
		if n := p.f.Tally[k.number][Proven]; n > 0 {
			if l := k.page.learned(p.f, n); l != "" {
				out = append(out, l)
			}
		}
	}
	switch t := &p.f.Tally; {
	case t.Total(Proven) > 0:
	case t.Total(Refuted)+t.Total(Unproven) > 0:
		out = append(out, "Nothing could be proven; the reasons are above.")
	default:
		out = append(out, "There is no claim "+p.among()+".")
	}
	return out
}

// among says what the findings cover, for a sentence about something they do not contain.
func (p *page) among() string {
	if len(p.Picked) > 0 {
		return "among what the filters picked"
	}
	return "in this run"
}

// paragraphs writes an example of each kind with a lead.
func (p *page) paragraphs() {
	p.folded(func() {
		p.examples(func(t *pageText) *paragraph { return &t.lead }, func(cl *Claim) string { return code(cl.Subject) + ": " + cl.Says(code) })
		p.necessity()
	}, "examples of proven claims")
}

// examples writes, for each kind that has such a paragraph, its highest-ranking proven claim, and says so if
// there is none.
func (p *page) examples(of func(*pageText) *paragraph, says func(*Claim) string) {
	for _, k := range inPlace(func(t *pageText) int { return of(t).at }) {
		t := of(&k.page)
		if e, ok := p.f.example(k.number); ok {
			p.part(func() { p.Line("%s In %s, %s. %s\n", t.before, text(e.Comm), says(&e.Claim), t.after) })
		} else {
			p.Line("%s %s %s.\n", t.before, cmp.Or(t.none, "No claim of this kind is proven"), p.among())
		}
	}
}

// necessity says for each role how many proven claims are of kinds that cannot do without it.
func (p *page) necessity() {
	var parts []string
	for _, info := range schema.Catalogue() {
		var n uint64
		for _, k := range Kinds() {
			if k.Needs.Has(info.Role) {
				n += p.f.Tally[k.Kind][Proven]
			}
		}
		if n > 0 && p.f.Attached.Has(info.Role) {
			parts = append(parts, fmt.Sprintf("%s %d", info.Name, n))
		}
	}
	if len(parts) > 0 {
		p.Line("At least this many of the proven claims need each probe: %s.\n", strings.Join(parts, ", "))
	}
}

// needed returns the names of the kinds of claim that need a role.
func needed(r schema.Role) string {
	var out []string
	for _, k := range Kinds() {
		if (k.Needs | k.Some | k.Of).Has(r) {
			out = append(out, k.Name)
		}
	}
	return strings.Join(out, ", ")
}

// gap sums up all stretches in which events of one role are missing for one reason.
type gap struct {
	first   replay.Window
	more    int    // number of stretches besides the first
	events  uint64 // number of events missing in all of them
	unknown bool   // the number is unknown in some of them
}

// gapsOf groups the stretches, in the order of the first of each group.
func gapsOf(windows []replay.Window) (gaps []gap) {
	for _, w := range windows {
		i := slices.IndexFunc(gaps, func(g gap) bool { return g.first.Why == w.Why && g.first.Role == w.Role })
		if i < 0 {
			i = len(gaps)
			gaps = append(gaps, gap{first: w, more: -1})
		}
		g := &gaps[i]
		g.more++
		if g.unknown = g.unknown || w.Count == 0; g.events > math.MaxUint64-w.Count {
			w.Count = math.MaxUint64 - g.events
		}
		g.events += w.Count
	}
	return gaps
}

func (g *gap) text() string {
	count := plural.Of(g.events, "event")
	switch {
	case g.unknown && g.events > 0:
		count += " and an unknown number more"
	case g.unknown:
		count = "an unknown number of events"
	}
	if g.first.Role != schema.Role_ROLE_UNSPECIFIED {
		count += " of " + g.first.Role.Label()
	}
	where := fmt.Sprintf("from %d ns to %d ns", g.first.First, g.first.Last)
	if g.first.Last == math.MaxUint64 {
		where = fmt.Sprintf("from %d ns to the end", g.first.First)
	}
	if g.more > 0 {
		where = fmt.Sprintf("in %d stretches, the first %s", g.more+1, where)
	}
	return fmt.Sprintf("%s (%s), %s", count, g.first.Why, where)
}
