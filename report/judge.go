// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// lives are the roles that change a dentry: a claim on one wants all that happened to it, where they are recorded at all.
var lives = replay.Changes()

// view is what a claim is being made of.
type view struct {
	*collector
	kind *kind
	p    *Program     // whose claim it is
	it   *Item        // where it is shown; nil: nowhere
	step *replay.Step // the event at hand; nil for an open
	w    *walk        // the open, or another walk
	// walked are its roles, and of a walk that ended with its operation that of this; none where w is nil.
	walked replay.Roles

	enter, exit *schema.Event // of the open or walk, or of the call at hand; the exit may be the operation's
	subject     string        // the path, or the name of the dentry

	parts
}

// parts are what one claim is made of. judge clears them: a kind that sets one makes the
// claim.
type parts struct {
	at       span
	also     replay.Roles   // needed beside what the kind needs
	one, two *replay.Object // the dentry it is about, and the other one; nil: none
}

// span is where the operands of a claim lie, nanoseconds since boot: what it says of
// opens and lookups from walk to last, of the lives of dentries from first to last.
type span struct{ first, walk, last uint64 }

// whole is a span of which everything is said from its first time on.
func whole(first, last uint64) span { return span{first, first, last} }

// judge makes the claim that the view is of.
//
//  1. It is proven if every role it needs was attached, its missed hits would be known,
//     and none was lost in its window.
//  2. Of what speaks against it the first is the reason.
//  3. Its operands are gathered. Where nobody is told of them, it is proven and leaves nothing for later, it is counted.
func (v *view) judge() {
	c, k := v.collector, v.kind
	why, about := c.unsettled(v.needed(), v.at)
	for i := 0; i < len(k.fails) && why == nil; i++ {
		why, about = k.fails[i].fails(v)
	}
	if k.then == nil && c.unmade(v.p, k, why) {
		v.parts = parts{}
		return
	}
	cl := c.draft(k, v.subject)
	cl.doubt(why, about)
	cl.Object, cl.Other = ref(v.one), ref(v.two)
	for i := range k.shows {
		k.shows[i].show(v)
	}
	if k.fill != nil {
		k.fill(v, cl)
	}
	kept := false
	if k.across {
		c.across(v.p, cl)
	} else {
		kept = c.emit(v.p, v.it, cl)
	}
	if k.then != nil {
		k.then(v, cl, kept)
	}
	v.parts = parts{}
}

// begin starts a claim of the kind that needs some roles. Its verdict is Proven when
// nothing is known against it yet.
func (c *collector) begin(k *kind, needs replay.Roles, subject string, at span) *Claim {
	cl := c.draft(k, subject)
	cl.doubt(c.unsettled(needs, at))
	return cl
}

// draft returns a claim that is proven. It is the collector's: it is good until the next one.
func (c *collector) draft(k *kind, subject string) *Claim {
	c.terms = c.terms[:0]
	cl := c.drafts.next()
	*cl = Claim{Kind: k.number, Verdict: Proven, Subject: subject}
	return cl
}

// unsettled is why a claim that needs some roles cannot be proven, whatever it says; nil: it can.
func (c *collector) unsettled(needs replay.Roles, at span) (*Reason, About) {
	if c.state.Objects.Tries() && needs.Has(schema.RoleKill) {
		needs |= replay.RolesOf(schema.RoleFree) // without it no kill is certain
	}
	if missing := needs &^ c.attached; missing != 0 {
		return NotAttached, About{Text: missing.String()}
	} else if needs&c.logged != 0 {
		return FromLog, About{}
	} else if vague := needs & c.uncounted; vague != 0 {
		if c.f.Header.Imported() {
			return FromText, About{}
		}
		return NotCounted, About{Text: vague.String()}
	} else if c.state.Losses.Any(min(at.first, at.walk), at.last) {
		if w, hit := c.touched(needs, at); hit {
			return EventsLost, About{Text: lossReason(w)}
		}
	}
	return nil, About{}
}

// unmade counts a claim with nothing against it without making it, where nobody is told of it, which it reports.
func (c *collector) unmade(p *Program, k *kind, why *Reason) bool {
	if why != nil || !c.bare || c.each != nil {
		return false
	}
	if !c.mute {
		c.add(p, k.number, Proven, nil, "")
	}
	return true
}

func (c *collector) touched(needs replay.Roles, at span) (replay.Window, bool) {
	if w, hit := c.state.Losses.Touched(at.first, at.last, lives); hit {
		return w, hit
	}
	return c.state.Losses.Touched(at.walk, at.last, needs|replay.RolesOf(schema.RoleLookupChain))
}

func lossReason(w replay.Window) string {
	if w.Count == 0 {
		return "an unknown number (" + w.Why + ")"
	}
	return strconv.FormatUint(w.Count, 10) + " (" + w.Why + ")"
}

// doubt gives the reason's verdict unless one came first.
func (cl *Claim) doubt(why *Reason, about About) {
	if cl.Verdict == Proven && why != nil {
		cl.Verdict, cl.Why, cl.About = why.Verdict, why, about
	}
}

// Reason is why the claim is unproven or refuted, in words; empty when proven.
func (cl *Claim) Reason() string { return cl.Why.about(cl.About, false) }

// term adds an operand.
func (c *collector) term(label string, value uint64, e uint64, comm string) {
	c.terms = append(c.terms, Term{Label: label, Value: value, Event: e, Comm: comm})
}

// label names the probe an event was read at, in the kernel's own words.
func (c *collector) label(r schema.Role, p schema.Phase) string { return c.f.Label(r, p) }

// emit counts the claim, and keeps it with the item if that is kept and there is room,
// which it reports.
func (c *collector) emit(p *Program, it *Item, cl *Claim) (kept bool) {
	if c.mute {
		return false
	}
	c.count(p, cl)
	if it == nil {
		c.terms = c.drafts.add(cl, c.terms)
		return false
	}
	it.Why |= p.picked(it.Op).doubt(cl)
	return c.keepClaim(it, cl, c.terms) && it.Why&^(PickSlow|PickFew) != 0 // others may be let go
}

// keepClaim keeps the claim with the item if there is room, which it reports.
func (c *collector) keepClaim(it *Item, cl *Claim, terms []Term) bool {
	if !c.take(cl.cost(len(terms))) {
		it.Unshown++
		return false
	}
	own := *cl
	own.Terms = terms
	it.Claims = append(it.Claims, own.Clone())
	return true
}

// cost is about what a kept claim takes, with so many operands.
func (cl *Claim) cost(terms int) int {
	size := claimBytes + termBytes*terms + nameCost*len(cl.Subject)
	if cl.Detail != nil {
		size += cl.Detail.bytes()
	}
	return size
}

// across gives its verdict on a claim about a dentry, not about one open.
func (c *collector) across(p *Program, cl *Claim) {
	if c.mute {
		return
	}
	c.count(p, cl)
	if !p.kept || c.bare {
		return
	}
	if len(p.Claims) < maxClaims {
		p.Claims = append(p.Claims, c.own(cl))
	} else {
		p.Unlisted++
	}
}

func (c *collector) count(p *Program, cl *Claim) {
	if c.add(p, cl.Kind, cl.Verdict, cl.Why, cl.About.Text); !c.bare {
		c.show(p, cl)
	}
	if c.each != nil {
		cl.Terms = c.terms
		c.each(cl)
		cl.Terms = nil
	}
	if cl.Verdict != Proven {
		c.remember(cl)
	}
}

// add counts a ruling.
func (c *collector) add(p *Program, k Kind, v Verdict, why *Reason, about string) {
	c.f.Tally.add(k, v)
	if p != nil {
		p.Tally.add(k, v)
	}
	if c.follow != nil {
		c.moment.Rulings = append(c.moment.Rulings, Ruling{k, v, why, about})
	}
}

// remember keeps a claim that is not proven, or counts it with those of its kind that are
// not for the same reason: an event it is about may be another.
func (c *collector) remember(cl *Claim) {
	for i := range c.f.Doubts {
		d := &c.f.Doubts[i]
		if d.Claim.Kind == cl.Kind && d.Claim.Why == cl.Why && d.Claim.About.Text == cl.About.Text {
			d.add(cl)
			return
		}
	}
	if len(c.f.Doubts) < maxDoubts {
		c.f.Doubts = append(c.f.Doubts, Doubt{Claim: c.own(cl), Count: 1, Subjects: []string{cl.Subject}})
	}
}

func (d *Doubt) add(cl *Claim) {
	d.Count++
	d.several = d.several || cl.About.Event != d.Claim.About.Event
	switch {
	case slices.Contains(d.Subjects, cl.Subject):
	case len(d.Subjects) < maxSubjects:
		d.Subjects = append(d.Subjects, cl.Subject)
	default:
		d.Others = true
	}
}

// Reason is why the claims are unproven or refuted, in words; "…" is an event, another one
// in each.
func (d *Doubt) Reason() string { return d.Claim.Why.about(d.Claim.About, d.several) }

// own returns the claim with operands of its own.
func (c *collector) own(cl *Claim) Claim {
	out := *cl
	out.Terms = c.terms
	return out.Clone()
}

// single counts a claim that stands on one event alone, the one at hand or its entry. No loss touches it.
func (v *view) single(e *schema.Event, why *Reason, about About, value uint64) {
	c, k := v.collector, v.kind
	if c.mute {
		return
	}
	p := c.program(e)
	if why == nil && c.each == nil {
		c.f.Tally.add(k.number, Proven)
		p.Tally.add(k.number, Proven)
		return
	}
	cl := c.draft(k, e.Name)
	if e == v.step.Event {
		cl.Object = ref(v.step.Object)
	}
	c.term(k.name+" at "+c.label(e.Role, e.Phase), value, e.ID, e.Comm)
	cl.doubt(why, about)
	c.count(p, cl)
}

// values spells a claim on one event.
func values(cl *Claim, _ func(string) string) string {
	out := ""
	for _, t := range cl.Terms {
		out += fmt.Sprintf("%s %d (#%d)", t.Label, t.Value, t.Event)
	}
	return out
}
