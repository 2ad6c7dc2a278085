// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// lives are the roles that change a dentry. A claim on a dentry needs all events of these roles, as far as
// they are recorded at all.
var lives = replay.ChangeRoles()

// view holds what a claim is made from.
type view struct {
	*collector
	kind *kind
	p    *Program     // the program the claim belongs to
	it   *Item        // the item that shows the claim; nil: none
	step *replay.Step // the current event; nil for an open
	w    *walk        // the open or other walk
	// walked are the roles of w and, if it ended with its operation, of that operation; none if w is nil.
	walked replay.Roles

	enter, exit *schema.Event // of the open or walk, or of the current call; the exit may be that of the operation
	subject     string        // the path, or the name of the dentry

	parts
}

// parts holds what one claim is made from. judge clears it, so a kind that sets parts must make the claim.
type parts struct {
	at       span
	also     replay.Roles   // needed in addition to kind.needs
	one, two *replay.Object // the dentry that the claim is about, and the other one; nil: none
}

// span is where the operands of a claim lie, in ns since boot: from walk to last for what it says of opens
// and lookups, from first to last for what it says of the lives of dentries.
type span struct{ first, walk, last uint64 }

// whole returns a span that starts at the same time for both.
func whole(first, last uint64) span { return span{first, first, last} }

// judge makes the claim that the view describes.
//
//  1. The claim is proven if every role it needs was attached, missed hits of these roles would be
//     known, and no event of them was lost in the claim's window.
//  2. The first test that fails gives the reason why it is not proven.
//  3. Its operands are gathered. A proven claim is only counted if nobody is told of it and it
//     leaves nothing for later.
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

// begin starts a claim that needs some roles. It is Proven if nothing speaks against it so far.
func (c *collector) begin(k *kind, needs replay.Roles, subject string, at span) *Claim {
	cl := c.draft(k, subject)
	cl.doubt(c.unsettled(needs, at))
	return cl
}

// draft returns a proven claim without operands. It belongs to the collector and is valid until the next
// one.
func (c *collector) draft(k *kind, subject string) *Claim {
	c.terms = c.terms[:0]
	cl := c.drafts.next()
	*cl = Claim{Kind: k.number, Verdict: Proven, Subject: subject}
	return cl
}

// unsettled returns why a claim that needs some roles cannot be proven, whatever it says; nil: it can.
func (c *collector) unsettled(needs replay.Roles, at span) (*Reason, About) {
	if c.state.Objects.KillsMayFail() && needs.Has(schema.RoleKill) {
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
	} else if c.state.Losses.HasWindow(min(at.first, at.walk), at.last) {
		if w, hit := c.touched(needs, at); hit {
			return EventsLost, About{Text: lossReason(w)}
		}
	}
	return nil, About{}
}

// unmade counts a claim without making it, and returns true, if nothing speaks against it and nobody is
// told of it.
func (c *collector) unmade(p *Program, k *kind, why *Reason) bool {
	if why != nil || !c.Bare || c.Each != nil {
		return false
	}
	if !c.mute {
		c.add(p, k.number, Proven, nil, "")
	}
	return true
}

func (c *collector) touched(needs replay.Roles, at span) (replay.Window, bool) {
	if w, hit := c.state.Losses.FindWindow(at.first, at.last, lives); hit {
		return w, hit
	}
	return c.state.Losses.FindWindow(at.walk, at.last, needs|replay.RolesOf(schema.RoleLookupChain))
}

func lossReason(w replay.Window) string {
	if w.Count == 0 {
		return "an unknown number (" + w.Why + ")"
	}
	return strconv.FormatUint(w.Count, 10) + " (" + w.Why + ")"
}

// doubt gives the claim a reason and its verdict, unless the claim already has one.
func (cl *Claim) doubt(why *Reason, about About) {
	if cl.Verdict == Proven && why != nil {
		cl.Verdict, cl.Why, cl.About = why.Verdict, why, about
	}
}

// Reason returns in words why the claim is unproven or refuted; empty if it is proven.
func (cl *Claim) Reason() string { return cl.Why.about(cl.About, false) }

// term adds an operand.
func (c *collector) term(label string, value uint64, e uint64, comm string) {
	c.terms = append(c.terms, Term{Label: label, Value: value, Event: e, Comm: comm})
}

// label returns the name of the probe that read an event, as the kernel calls the function.
func (c *collector) label(r schema.Role, p schema.Phase) string { return c.f.Label(r, p) }

// emit counts the claim. If its item is kept and there is room, it keeps the claim with the item and
// returns true.
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
	return c.keepClaim(it, cl, c.terms) && it.Why&^(PickSlow|PickFew) != 0 // an item picked only as slow or few may be dropped
}

// keepClaim keeps the claim with the item and returns true if there is room.
func (c *collector) keepClaim(it *Item, cl *Claim, terms []Term) bool {
	if !c.take(cl.cost(len(terms))) {
		it.Unshown++
		return false
	}
	it.Claims = append(it.Claims, cl.with(terms))
	return true
}

// cost returns the approximate size in bytes of a kept claim with that many operands.
func (cl *Claim) cost(terms int) int {
	size := claimBytes + termBytes*terms + nameCost*len(cl.Subject)
	if cl.Detail != nil {
		size += cl.Detail.bytes()
	}
	return size
}

// across counts a claim on a dentry, not on one open, and keeps it with the program if there is room.
func (c *collector) across(p *Program, cl *Claim) {
	if c.mute {
		return
	}
	c.count(p, cl)
	if !p.kept || c.Bare {
		return
	}
	if len(p.Claims) < maxClaims {
		p.Claims = append(p.Claims, cl.with(c.terms))
	} else {
		p.Unlisted++
	}
}

func (c *collector) count(p *Program, cl *Claim) {
	if c.add(p, cl.Kind, cl.Verdict, cl.Why, cl.About.Text); !c.Bare {
		c.show(p, cl)
	}
	if c.Each != nil {
		cl.Terms = c.terms
		c.Each(cl)
		cl.Terms = nil
	}
	if cl.Verdict != Proven {
		c.remember(cl)
	}
}

// add counts a verdict.
func (c *collector) add(p *Program, k Kind, v Verdict, why *Reason, about string) {
	c.f.Tally[k][v]++
	if p != nil {
		p.Tally[k][v]++
	}
	if c.Follow != nil {
		c.moment.Rulings = append(c.moment.Rulings, Ruling{k, v, why, about})
	}
}

// remember keeps a claim that is not proven, or counts it with those of its kind that are not proven for
// the same reason. The events that the reason is about may differ.
func (c *collector) remember(cl *Claim) {
	for i := range c.f.Doubts {
		d := &c.f.Doubts[i]
		if d.Claim.Kind == cl.Kind && d.Claim.Why == cl.Why && d.Claim.About.Text == cl.About.Text {
			d.add(cl)
			return
		}
	}
	if len(c.f.Doubts) < maxDoubts {
		c.f.Doubts = append(c.f.Doubts, Doubt{Claim: cl.with(c.terms), Count: 1, Subjects: []string{cl.Subject}})
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

// Reason returns in words why the claims are unproven or refuted; "…" stands for an event that differs from
// claim to claim.
func (d *Doubt) Reason() string { return d.Claim.Why.about(d.Claim.About, d.several) }

// with returns a copy of the claim with a copy of the operands.
func (cl *Claim) with(terms []Term) Claim {
	out := *cl
	out.Terms = terms
	return out.Clone()
}

// single counts a claim that rests on one event alone: the current event or its entry. Losses do not affect
// it.
func (v *view) single(e *schema.Event, why *Reason, about About, value uint64) {
	c, k := v.collector, v.kind
	if c.mute {
		return
	}
	p := c.program(e)
	if why == nil && c.Each == nil {
		c.f.Tally[k.number][Proven]++
		p.Tally[k.number][Proven]++
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

// values returns the text of a claim that rests on one event.
func values(cl *Claim, _ func(string) string) string {
	out := ""
	for _, t := range cl.Terms {
		out += fmt.Sprintf("%s %d (#%d)", t.Label, t.Value, t.Event)
	}
	return out
}
