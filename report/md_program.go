// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/report/md"
	"github.com/dtrec/dtrec/schema"
)

// sections returns the programs that have a section: the built-in ones in the order in which they ran, then
// those with the most opens.
func (f *Findings) sections() []*Program {
	out := slices.DeleteFunc(slices.Clone(f.Programs), func(prog *Program) bool {
		return len(prog.Items) == 0 && len(prog.Claims) == 0 && len(prog.Source) == 0 && prog.Opens == 0
	})
	opens := func(prog *Program) uint64 {
		if len(prog.Source) > 0 {
			return math.MaxUint64
		}
		return prog.Opens
	}
	slices.SortStableFunc(out, func(a, b *Program) int { return cmp.Compare(opens(b), opens(a)) })
	return out
}

// sayPrograms writes links to the sections of the programs.
func (p *page) sayPrograms() {
	for i, prog := range p.f.sections() {
		before := md.Literal(", ")
		if i == 0 {
			before = ": "
		}
		if !p.part(func() { p.Put(before+"[%s](#p%d)", text(prog.Comm), i+1) }) {
			p.Put(" …")
			break
		}
	}
}

// programs writes a table of the built-in programs, then a section for each program, each with its share of
// the room.
func (p *page) programs() {
	progs := p.f.sections()
	p.part(func() { p.builtIn(progs) })
	p.room -= 200 // for the last line
	for i, share := range p.shares(progs) {
		all := p.room
		p.room = share
		if !p.part(func() { p.program(progs[i], i+1) }) {
			p.part(func() { p.untold(progs[i], i+1) })
		}
		p.room += all - share
	}
	if p.f.Omitted > 0 {
		atLeast := ""
		if p.f.MorePrograms {
			atLeast = "At least "
		}
		p.Line("%s%d more programs are counted in the verdicts but not shown: `dtrec top --by program FILE`\n", atLeast, p.f.Omitted)
	}
}

// shares divides the room among the programs. None gets more than it needs, and what one does not need goes
// to the others.
func (p *page) shares(progs []*Program) []int {
	room, out, order := p.room, make([]int, len(progs)), make([]int, len(progs))
	for i, prog := range progs {
		order[i] = i
		out[i] = p.measure(func() { p.program(prog, i+1) }) + 100
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(out[a], out[b]) })
	for n, i := range order {
		out[i] = min(out[i], room/(len(order)-n))
		room -= out[i]
	}
	return out
}

func (p *page) heading(prog *Program, n int) {
	ext := md.Literal("")
	if len(prog.Source) > 0 {
		ext = ".c"
	}
	p.Line("<a id=\"p%d\"></a>\n\n### %s"+ext, n, text(prog.Comm))
}

// untold writes the section of a program for which there is no more room.
func (p *page) untold(prog *Program, n int) {
	p.heading(prog, n)
	p.Line("%s, %s, failed: %d%s. The page has no room for more of it.\n", prog.processesText(), prog.opensText(), prog.Failed, prog.ends())
}

// program writes the section of a program, with as many folded parts as there is room for. If they do not
// all fit, the claims across opens get at most half of the room.
func (p *page) program(prog *Program, n int) {
	room := p.room
	chosen, claims := p.chosen(prog, math.MaxInt), room
	if p.measure(func() { p.section(prog, n, chosen, claims) }) > room {
		claims = max(0, min(room/2, room-p.restOf(prog, n, 0)))
		chosen = p.chosen(prog, room-p.restOf(prog, n, claims))
	}
	p.section(prog, n, chosen, claims)
}

// restOf returns how many bytes of a section are not calls, if the claims across opens may take so many.
func (p *page) restOf(prog *Program, n, claims int) int {
	return 100 + p.measure(func() {
		p.section(prog, n, nil, claims)
		if !p.Brief {
			p.rule(prog, prog.Items, nil) // an upper bound: for the chosen items it writes no more
			p.otherCalls(prog, prog.Items)
		}
	})
}

// section writes what a program is and did, the open that shows most, the other chosen items, folded, and
// what is learned from them.
func (p *page) section(prog *Program, n int, chosen []*Item, claims int) {
	p.heading(prog, n)
	if len(prog.Source) > 0 {
		p.Fence("c", prog.Source)
	}
	if prog.Stdout != "" {
		p.Line("stdout")
		p.Fence("", strings.Split(strings.TrimSuffix(prog.Stdout, "\n"), "\n"))
	}
	if len(p.Picked) > 0 {
		p.Line("picked %s, failed: %d; in the whole run: %s%s.", prog.opensText(), prog.Failed, prog.processesText(), prog.ends())
	} else {
		p.Line("%s, %s, failed: %d%s.", prog.processesText(), prog.opensText(), prog.Failed, prog.ends())
	}
	key, _ := p.f.key(prog)
	p.rule(prog, chosen, key)
	p.otherCalls(prog, chosen)
	p.Line("")
	if key != nil {
		p.keyOpen(key)
	}
	for _, it := range chosen {
		p.foldedItem(it)
	}
	if prog.Beyond > 0 && !prog.toldByCall() {
		p.Line("At least %d more events of this program, outside any open, are not shown.\n", prog.Beyond)
	}
	p.across(prog, claims)
	if lines := prog.chains(key); len(lines) > 0 && p.part(func() { p.Fence("", lines) }) {
		p.Line("")
	}
	if l := prog.learned(key); l != "" {
		p.Line("Learned: %s\n", l)
	}
}

// across writes the claims on dentries, not on one open, for which there is room.
func (p *page) across(prog *Program, room int) {
	if len(prog.Claims) == 0 {
		return
	}
	rest := p.room - min(room, p.room)
	p.room -= rest
	p.folded(func() {
		for i := range prog.Claims {
			if !p.part(func() { p.claim(&prog.Claims[i]) }) {
				p.Line("- … %d more claims on dentries, across opens, for which the page has no room", len(prog.Claims)-i)
				break
			}
		}
		if prog.Unlisted > 0 {
			p.Line("- … %d more claims on dentries, across opens", prog.Unlisted)
		}
		p.Line("")
	}, "claims on dentries, across opens: %d", uint64(len(prog.Claims))+prog.Unlisted)
	p.room += rest
}

// folded writes a part that opens with a click.
func (p *page) folded(write func(), summary md.Literal, args ...any) {
	p.Line("<details><summary>"+summary+"</summary>\n", args...)
	write()
	p.Line("</details>\n")
}

// toldByCall reports whether what the program did outside any open is shown by path call. For a built-in
// program it is shown as runs of events.
func (prog *Program) toldByCall() bool {
	return len(prog.Source) == 0 && slices.ContainsFunc(prog.Items, func(it *Item) bool { return it.Op != "" })
}

// chosen returns the items of a program for which there is room, those picked for the better reasons first.
// For a built-in program they are in order of time.
func (p *page) chosen(prog *Program, room int) (out []*Item) {
	if p.Brief {
		return nil
	}
	calls := prog.toldByCall()
	items := slices.DeleteFunc(slices.Clone(prog.Items), func(it *Item) bool { return calls && it.stretch() || !calls && it.Op != "" })
	slices.SortStableFunc(items, func(a, b *Item) int {
		if a.Why.first() == PickSlow && b.Why.first() == PickSlow {
			return cmp.Compare(b.Took, a.Took)
		}
		return cmp.Compare(a.Why.first()-1, b.Why.first()-1)
	})
	for _, it := range items {
		if size := p.measure(func() { p.foldedItem(it) }); size <= room {
			room -= size
			out = append(out, it)
		}
	}
	if len(prog.Source) > 0 {
		slices.SortFunc(out, func(a, b *Item) int { return cmp.Compare(a.Steps[0].Event.ID, b.Steps[0].Event.ID) })
	}
	return out
}

// foldedItem writes an item: an open, another path call, or a run of events outside any open.
func (p *page) foldedItem(it *Item) {
	events := uint64(it.events) + it.More
	if it.Op != "" {
		p.folded(func() { p.open(it) }, "%s #%d, <code>%s</code>: %s; %s", md.Literal(it.Op), it.ID, md.Element(it.Path), came(it), it.Why.words())
	} else if it.Open {
		p.folded(func() { p.open(it) }, "open %d of this program, <code>%s</code>%s: %s, %d events; %s", it.N, md.Element(it.Path), toExecute(it), came(it), events, it.Why.words())
	} else {
		p.folded(func() { p.open(it) }, "outside any open%s: %s%s", it.walks(), plural.Of(events, "event"), alike(it.Alike))
	}
}

func alike(n int) md.Literal {
	if n == 0 {
		return ""
	}
	return md.Literal(", and " + plural.Of(uint64(n), "more run") + " of the same functions with the same outcome")
}

// walks returns the first path that was walked in a run of events outside any open.
func (it *Item) walks() string {
	for i := range it.Steps {
		if e := &it.Steps[i].Event; e.Role.Is(schema.TraitWalks) && e.Phase == schema.Enter && e.Name != "" {
			return ", " + md.Element(e.Name)
		}
	}
	return ""
}

// key returns the open of a built-in program that shows most, and the claim for which it does: the proven
// claim of the kind that is proven least often in the run. Both are nil if there is none.
func (f *Findings) key(prog *Program) (open *Item, key *Claim) {
	if len(prog.Source) == 0 {
		return nil, nil
	}
	for _, it := range prog.Items {
		for i := range it.Claims {
			cl := &it.Claims[i]
			if cl.Verdict == Proven && table[cl.Kind].lesson != nil && (key == nil || f.Tally[cl.Kind][Proven] < f.Tally[key.Kind][Proven]) {
				open, key = it, cl
			}
		}
	}
	return open, key
}

// short returns the subtraction of a claim, or the events that have the address of its dentry.
func (cl *Claim) short() string {
	if cl.Left.Label != "" {
		return cl.Subtraction()
	}
	var at []string
	for _, t := range cl.Terms {
		if t.Value == cl.Object.Addr {
			at = append(at, fmt.Sprintf("#%d", t.Event))
		}
	}
	return fmt.Sprintf("%s at %s", cl.Object, strings.Join(at, ", "))
}

// builtIn writes a table of the built-in programs and of what each shows.
func (p *page) builtIn(progs []*Program) {
	if !slices.ContainsFunc(progs, func(prog *Program) bool { return len(prog.Source) > 0 }) {
		return
	}
	p.Line("| program | shows that | by | verdicts |\n|---|---|---|---|")
	for i, prog := range progs {
		if len(prog.Source) == 0 {
			continue
		}
		shows, by := "", ""
		if _, key := p.f.key(prog); key != nil {
			shows, by = table[key.Kind].says, key.short()
		}
		p.Line("| [%s](#p%d) | %s | %s | %s |", text(prog.Comm), i+1, shows, by, prog.Tally.words())
	}
	p.Line("")
}

// words returns how many claims got each verdict, without refuted and unproven if there are none.
func (t *Tally) words() string {
	out := fmt.Sprintf("%d proven", t.Total(Proven))
	for _, v := range []Verdict{Refuted, Unproven} {
		if n := t.Total(v); n > 0 {
			out += fmt.Sprintf(", %d %s", n, v)
		}
	}
	return out
}

// chains returns drawings of the program's proven claims, one or two lines each. If the open that shows
// most is drawn, only those across opens are.
func (prog *Program) chains(key *Item) []string {
	var out []string
	for cl, it := range prog.proven(func(it *Item) bool { return key == nil && it.Op == "" }) {
		if draw := table[cl.Kind].draw; draw != nil {
			out = append(out, draw(cl, it)...)
		}
	}
	return out
}

// proven yields the proven claims of some items of a program, and then those across opens, with a nil item.
func (prog *Program) proven(of func(*Item) bool) iter.Seq2[*Claim, *Item] {
	return func(yield func(*Claim, *Item) bool) {
		for _, it := range append(prog.Items[:len(prog.Items):len(prog.Items)], nil) {
			claims := prog.Claims
			if it != nil {
				claims = it.Claims
			}
			for i := range claims {
				if cl := &claims[i]; cl.Verdict == Proven && (it == nil || of(it)) && !yield(cl, it) {
					return
				}
			}
		}
	}
}

// maxLessons bounds the clauses of the Learned line.
const maxLessons = 2

// learned returns a summary of the proven claims of a program: those of the open that shows most, if there
// is one, and those across opens.
func (prog *Program) learned(key *Item) string {
	var out []string
	type news struct {
		kind Kind
		of   Ref
	}
	once := make(map[news]bool)
	for cl, it := range prog.proven(func(it *Item) bool { return key == nil && it.Op == "" || it == key }) {
		what := news{cl.Kind, cl.Object}
		if s := cl.lesson(it); s != "" && !once[what] && len(out) < maxLessons {
			once[what] = true
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "; ") + "."
}

// lesson returns a clause for the Learned line; empty if the claim has no news.
func (cl *Claim) lesson(it *Item) string {
	if lesson := table[cl.Kind].lesson; lesson != nil {
		return lesson(cl, it)
	}
	return ""
}
