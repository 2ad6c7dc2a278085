// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Pick is the set of reasons why an open or another path call is shown in full, if a page has no room for
// all.
type Pick uint8

// The reasons, in order of priority for the room on a page.
const (
	PickAsked     Pick = 1 << iota // it was asked for
	PickRefuted                    // the first in its program with a claim refuted for a certain reason
	PickUnproven                   // the first with a claim unproven for a certain reason
	PickSlow                       // one of the slowest
	PickFailed                     // the first of its operation that failed with a certain errno
	PickRestarted                  // one of the first whose walk came back to a component before the one it was at
	PickCourse                     // the first of its course: the same functions in the same order, with the same outcome
	PickFew                        // an open of a program that has at most maxFew
)

// The most opens of one program that are picked for a reason; as many of its other path calls may be.
const (
	maxAsked     = 64
	maxDoubtful  = 16
	maxErrnos    = 8
	maxRestarted = 3
	maxSlow      = 3
	maxCourses   = 16
	maxFew       = 8
)

// picks lists the reasons in that order, each in words: beside the open, and as a rule.
var picks = []struct {
	why        Pick
	word, rule string
}{
	{PickAsked, "asked for", "those asked for by --select, 64 at most"},
	{PickRefuted, "refuted", "the first with a claim refuted for each reason"},
	{PickUnproven, "unproven", "the first with a claim unproven for each reason"},
	{PickSlow, "slowest", "the 3 slowest"},
	{PickFailed, "failed", "the first with each errno"},
	{PickRestarted, "walked a component again", "the first 3 whose walk came back to an earlier component"},
	{PickCourse, "new sequence of events", "the first with each of 16 sequences of events"},
	{PickFew, "few opens", "all if there are at most 8"},
}

// words returns the reasons in words, for the summary of an open.
func (why Pick) words() string {
	var out []string
	for _, p := range picks {
		if why&p.why != 0 {
			out = append(out, p.word)
		}
	}
	return strings.Join(out, ", ")
}

// first returns the reason with the highest priority.
func (why Pick) first() Pick { return why & -why }

// picked holds the reasons for which opens of a program, or its other path calls, have been picked so far.
type picked struct {
	asked, restarted int
	failures         []failure
	slow             []*Item // the slowest is last
	courses          []course
	doubts           []doubtful
}

// failure is an operation and the error it returned.
type failure struct {
	op    string
	errno int
}

// doubtful is a reason why claims of a kind are not proven.
type doubtful struct {
	kind Kind
	why  *Reason
}

// pick keeps a walk if there is a reason for it before the walk is judged; otherwise it returns nil.
func (c *collector) pick(p *Program, w *walk, made purpose) *Item {
	if !p.kept || c.Bare {
		return nil
	}
	var why Pick
	of := p.picked(made.op)
	if c.isAsked(w, made.id) && of.asked < maxAsked {
		of.asked++
		why |= PickAsked
	}
	if failed := (failure{made.op, w.exit().Errno()}); failed.errno != 0 && len(of.failures) < maxErrnos && !slices.Contains(of.failures, failed) {
		of.failures = append(of.failures, failed)
		why |= PickFailed
	}
	if c.again && of.restarted < maxRestarted {
		of.restarted++
		why |= PickRestarted
	}
	if len(of.courses) < maxCourses {
		if course := w.course(); !slices.Contains(of.courses, course) {
			of.courses = append(of.courses, course)
			why |= PickCourse
		}
	}
	if len(of.slow) < maxSlow || w.took() > of.slow[0].Took {
		why |= PickSlow
	}
	if made.op == "" && p.Ended <= maxFew {
		why |= PickFew
	}
	if why == 0 {
		return nil
	}
	it := c.item(p, w, made, why)
	if it != nil && why&PickSlow != 0 {
		c.slower(p, of, it)
	}
	return it
}

// picked returns the picked of the program's opens, if op is empty, or of its other path calls.
func (p *Program) picked(op string) *picked {
	if op == "" {
		return &p.opens
	}
	return &p.calls
}

// slower adds a call to the slowest ones, and lets go of the call that no longer is one of them.
func (c *collector) slower(p *Program, of *picked, it *Item) {
	i, _ := slices.BinarySearchFunc(of.slow, it.Took, func(s *Item, took uint64) int {
		if s.Took < took {
			return -1
		}
		return 1
	})
	of.slow = slices.Insert(of.slow, i, it)
	if len(of.slow) <= maxSlow {
		return
	}
	out := of.slow[0]
	of.slow = slices.Delete(of.slow, 0, 1)
	if out.Why &^= PickSlow; out.Why != 0 {
		return
	}
	c.letGo(p, out)
}

// few lets go of the opens that were picked in case the program makes only a few.
func (c *collector) few(p *Program) {
	if p.Ended <= maxFew {
		return
	}
	for _, it := range slices.Clone(p.Items) {
		if !it.Open {
			continue
		}
		if it.Why &^= PickFew; it.Why == 0 {
			c.letGo(p, it)
		}
	}
}

// letGo takes a call out of the section of its program, and gives back what it took of the budget.
func (c *collector) letGo(p *Program, out *Item) {
	for i := range out.Steps {
		c.room += stepBytes + nameCost*len(out.Steps[i].Event.Name)
	}
	for i := range out.Claims {
		c.room += out.Claims[i].cost(len(out.Claims[i].Terms))
	}
	p.Items = slices.DeleteFunc(p.Items, func(it *Item) bool { return it == out })
}

// course is a hash of what happened: equal for the same functions in the same order, with the same outcome.
// It starts as emptyCourse.
type course uint64

const emptyCourse course = 14695981039346656037 // FNV-1a

func (h *course) add(e *schema.Event) {
	what := uint64(e.Role)<<24 | uint64(e.Phase)<<16 | uint64(e.Errno())<<1&0xfffe
	if e.Dentry != 0 {
		what |= 1
	}
	*h = (*h ^ course(what)) * 1099511628211
}

func (w *walk) course() course {
	h := emptyCourse
	for i := range w.steps {
		h.add(&w.steps[i].ev)
	}
	return h
}

func (it *Item) course() course {
	h := emptyCourse
	for i := range it.Steps {
		h.add(&it.Steps[i].Event)
	}
	return h
}

// unlike drops runs of events outside any open that are like an earlier one, and counts them there.
func unlike(items []*Item) []*Item {
	first := make(map[course]*Item)
	var out []*Item
	for _, it := range items {
		if it.stretch() && it.More == 0 && len(it.Claims) == 0 {
			of := it.course()
			if same, ok := first[of]; ok {
				same.Alike++
				continue
			}
			first[of] = it
		}
		out = append(out, it)
	}
	return out
}

// isAsked reports whether Options.Select asks for the walk, which was made for an operation that began at
// an event. A word of Select that does is taken out of Findings.Unmet.
func (c *collector) isAsked(w *walk, began uint64) (is bool) {
	for _, what := range c.Select {
		if w.is(what, began) {
			is = true
			c.f.Unmet = slices.DeleteFunc(c.f.Unmet, func(unmet string) bool { return unmet == what })
		}
	}
	return is
}

// is reports whether what, a word of Options.Select, asks for the walk.
func (w *walk) is(what string, began uint64) bool {
	if id, ok := strings.CutPrefix(what, "#"); ok {
		n, err := strconv.ParseUint(id, 10, 64)
		return err == nil && (n == began || slices.ContainsFunc(w.steps, func(s walkStep) bool { return s.ev.ID == n }))
	}
	if seq, ok := strings.CutPrefix(what, "D"); ok {
		if n, err := strconv.ParseUint(seq, 10, 64); err == nil {
			return slices.ContainsFunc(w.steps, func(s walkStep) bool { return s.obj != nil && s.obj.Seq == n })
		}
	}
	path := w.enter().Name
	return path == what || path[strings.LastIndexByte(path, '/')+1:] == what
}

// drafts holds the claims of a walk that is not picked yet, each in the place where it was made. Their
// details belong to their kinds and are valid until the kind's next claim.
type drafts struct {
	on      bool
	claims  []Claim // the first n are drafts; the next claim is made in the one after them
	n       int
	doubted bool   // at least one of them is not proven
	terms   []Term // room for their operands
}

// begin drops the claims, and returns the room for the operands of the next claim.
func (d *drafts) begin(on bool) []Term {
	d.on, d.n, d.doubted = on, 0, false
	if d.terms == nil {
		d.terms = make([]Term, 0, draftTerms)
	}
	return d.terms
}

const draftTerms = 512

// next returns the place where the next claim is to be made.
func (d *drafts) next() *Claim {
	if d.n == len(d.claims) {
		d.claims = append(d.claims, Claim{})
	}
	return &d.claims[d.n]
}

// add takes the claim that was made last, and returns the room for the operands of the next claim.
func (d *drafts) add(cl *Claim, terms []Term) []Term {
	if !d.on {
		return terms
	}
	cl.Terms = terms[:len(terms):len(terms)]
	d.n++
	d.doubted = d.doubted || cl.Verdict != Proven
	return terms[len(terms):]
}

// moveTo keeps the claims with the item.
func (d *drafts) moveTo(c *collector, it *Item) {
	for i := range d.claims[:d.n] {
		c.keepClaim(it, &d.claims[i], d.claims[i].Terms)
	}
}

// doubted returns the reasons to pick a call for its claims.
func (p *picked) doubted(d *drafts) (why Pick) {
	if !d.doubted {
		return 0
	}
	for i := range d.claims[:d.n] {
		why |= p.doubt(&d.claims[i])
	}
	return why
}

// doubt returns the reason to pick the call of a claim, which is that the claim is the first not proven for
// its reason; 0: none.
func (p *picked) doubt(cl *Claim) Pick {
	of := doubtful{cl.Kind, cl.Why}
	if cl.Verdict == Proven || len(p.doubts) >= maxDoubtful || slices.Contains(p.doubts, of) {
		return 0
	}
	p.doubts = append(p.doubts, of)
	if cl.Verdict == Refuted {
		return PickRefuted
	}
	return PickUnproven
}
