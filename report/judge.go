// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// lives are the roles that change a dentry, or show that it has ended: a claim on one
// wants all that happened to it, where they are recorded at all.
var lives = replay.RolesOf(schema.RoleLookupChain, schema.RoleAlloc, schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete, schema.RoleDrop,
	schema.RoleKill, schema.RoleFree, schema.RoleMove)

// begin starts a claim of the kind whose operands lie between two times. Its
// verdict is Proven when nothing is known against it yet: every role it needs was
// attached, its missed hits would be known, and none was lost in the window.
//
// The claim is the collector's: it is good until the next one begins.
func (c *collector) begin(k Kind, subject string, first, last uint64) *Claim {
	c.terms = c.terms[:0]
	c.claim = Claim{Kind: k, Verdict: Proven, Subject: subject}
	cl := &c.claim
	needs := kindTable[k].Needs
	if missing := needs &^ c.f.Attached; missing != 0 {
		cl.unproven(notAttached + roleNames(missing))
	} else if vague := needs & c.uncounted; vague != 0 {
		cl.unproven(notCounted + roleNames(vague))
	} else if w, hit := c.state.Losses.Touched(first, last, needs|lives); hit {
		cl.unproven(lossReason(w))
	}
	return cl
}

func lossReason(w replay.Window) string {
	if w.Count == 0 {
		return lostSomehow + w.Why
	}
	return fmt.Sprintf("%s%d (%s)", lostEvents, w.Count, w.Why)
}

func roleNames(set replay.Roles) string {
	out := ""
	for _, info := range schema.Catalogue() {
		if set.Has(info.Role) {
			if out != "" {
				out += ", "
			}
			out += info.Name
		}
	}
	return out
}

// uncertain says why it is in doubt that all events of a dentry are of one dentry;
// empty where it is not.
func uncertain(d *replay.Object) string {
	switch {
	case d.Broken != "":
		return d.Broken
	case d.Unwatched != 0:
		return notWatched
	}
	return ""
}

const notWatched = "the watch set had no room for the dentry: its end may not have been seen"

// unproven and refuted give a verdict unless a doubt came first.
func (cl *Claim) unproven(reason string) {
	if cl.Verdict == Proven {
		cl.Verdict, cl.Reason = Unproven, reason
	}
}

func (cl *Claim) refuted(reason string) {
	if cl.Verdict == Proven {
		cl.Verdict, cl.Reason = Refuted, reason
	}
}

// term adds an operand.
func (c *collector) term(label string, value uint64, e uint64, comm string) {
	c.terms = append(c.terms, Term{Label: label, Value: value, Event: e, Comm: comm})
}

// label names the probe an event was read at, in the kernel's own words.
func (c *collector) label(r schema.Role, p schema.Phase) string { return c.f.Label(r, p) }

// emit counts the claim, and keeps it with the item if that is kept.
func (c *collector) emit(p *Program, it *Item, cl *Claim) {
	c.count(p, cl)
	if it != nil {
		it.Claims = append(it.Claims, c.own(cl))
	}
}

func (c *collector) count(p *Program, cl *Claim) {
	c.f.Tally.add(cl.Kind, cl.Verdict)
	if p != nil {
		p.Tally.add(cl.Kind, cl.Verdict)
	}
	if c.watch != nil {
		c.watch(Ruling{cl.Kind, cl.Verdict, cl.Reason})
	}
	if cl.Verdict != Proven {
		c.doubt(cl)
	}
}

// doubt keeps a claim that is not proven, or counts it with one like it.
func (c *collector) doubt(cl *Claim) {
	for i := range c.f.Doubts {
		d := &c.f.Doubts[i]
		if d.Claim.Kind == cl.Kind && d.Claim.Verdict == cl.Verdict && d.Claim.Subject == cl.Subject && d.Claim.Reason == cl.Reason {
			d.Count++
			return
		}
	}
	if len(c.f.Doubts) < maxDoubts {
		c.f.Doubts = append(c.f.Doubts, Doubt{c.own(cl), 1})
	}
}

// own returns the claim with terms of its own.
func (c *collector) own(cl *Claim) Claim {
	out := *cl
	out.Terms = slices.Clone(c.terms)
	return out
}
