// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// lives are the roles that change a dentry, or show that it has ended: a claim on one
// wants all that happened to it, where they are recorded at all.
var lives = replay.RolesOf(schema.RoleAlloc, schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete, schema.RoleDrop,
	schema.RoleKill, schema.RoleFree, schema.RoleMove)

// begin starts a claim of the kind whose operands lie between two times. Its
// verdict is Proven when nothing is known against it yet: every role it needs was
// attached, its missed hits would be known, and none was lost in the window.
//
// The claim is the collector's: it is good until the next one begins.
func (c *collector) begin(k Kind, subject string, first, last uint64) *Claim {
	return c.beginWith(k, kindTable[k].Needs, subject, span{first, first, last})
}

// span is where the operands of a claim lie, nanoseconds since boot: what it says of
// opens and lookups from walk to last, of the lives of dentries from first to last.
type span struct{ first, walk, last uint64 }

// beginWith is begin for a claim that needs other roles than all of its kind do, or not
// all of them from the first time on.
func (c *collector) beginWith(k Kind, needs replay.Roles, subject string, at span) *Claim {
	c.terms = c.terms[:0]
	c.claim = Claim{Kind: k, Verdict: Proven, Subject: subject}
	cl := &c.claim
	if c.state.Objects.Tries() && needs.Has(schema.RoleKill) {
		needs |= replay.RolesOf(schema.RoleFree) // without it no kill is certain
	}
	if missing := needs &^ c.attached; missing != 0 {
		cl.doubt(NotAttached, roleNames(missing))
	} else if needs&c.logged != 0 {
		cl.doubt(FromLog, "")
	} else if vague := needs & c.uncounted; vague != 0 {
		cl.doubt(NotCounted, roleNames(vague))
	} else if w, hit := c.touched(needs, at); hit {
		cl.doubt(EventsLost, lossReason(w))
	}
	return cl
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

// doubt gives the reason's verdict unless one came first. What fills the reason's
// text.
func (cl *Claim) doubt(why Why, what string) {
	if cl.Verdict == Proven {
		cl.Verdict, cl.Why, cl.About, cl.Reason = why.Verdict(), why, what, why.about(what)
	}
}

// doubtID is doubt about an event.
func (cl *Claim) doubtID(why Why, id uint64) {
	if cl.Verdict == Proven {
		cl.doubt(why, strconv.FormatUint(id, 10))
		cl.About = ""
	}
}

// alive doubts a claim on a dentry whose end may have gone unseen: not all events at
// its address need be of it.
func (cl *Claim) alive(d *replay.Object) {
	switch {
	case d.Broken != 0:
		cl.doubtID(MissedEnd, d.Broken)
	case d.Unwatched != 0:
		cl.doubtID(Unwatched, d.Unwatched)
	case d.Forgotten:
		cl.doubt(Forgotten, "")
	case d.Contradicted != nil:
		cl.contradicted(d.Contradicted)
	}
}

// contradicted doubts a claim on a dentry that may be two; a change that may have been lost
// is no contradiction.
func (cl *Claim) contradicted(at *replay.Contradiction) {
	switch {
	case cl.Verdict != Proven:
	case at.Over != nil:
		cl.doubt(EventsLost, lossReason(*at.Over))
	default:
		cl.doubt(Contradicted, fmt.Sprintf("at #%d %s", at.Event, at.What))
		cl.About = at.What
	}
}

// followed reports whether all that happened at a dentry's address since its first event
// is known to be of it.
func followed(d *replay.Object) bool {
	return d.Broken == 0 && d.Unwatched == 0 && !d.Forgotten && d.Contradicted == nil
}

// ended doubts a claim on the end of a dentry, or on its going on, which a kill may have
// been or may yet come to be.
func (cl *Claim) ended(d *replay.Object) {
	if d.Attempt != 0 && !d.Ended() {
		cl.doubtID(MaybeKilled, d.Attempt)
	}
}

// before doubts a claim in which a dentry is used by event at that was killed already.
func (cl *Claim) before(d *replay.Object, at uint64) {
	if d.Killed != 0 && d.Killed < at {
		cl.doubtID(AfterItsEnd, d.Killed)
	}
}

// term adds an operand.
func (c *collector) term(label string, value uint64, e uint64, comm string) {
	c.terms = append(c.terms, Term{Label: label, Value: value, Event: e, Comm: comm})
}

// label names the probe an event was read at, in the kernel's own words.
func (c *collector) label(r schema.Role, p schema.Phase) string { return c.f.Label(r, p) }

// emit counts the claim, and keeps it with the item if that is kept and there is room,
// which it reports.
func (c *collector) emit(p *Program, it *Item, cl *Claim) (kept bool) {
	c.count(p, cl)
	if it == nil {
		return false
	}
	if !c.take(claimBytes + termBytes*len(c.terms) + keyBytes*len(cl.Keys) + nameCost*len(cl.Subject)) {
		it.Unshown++
		return false
	}
	it.Claims = append(it.Claims, c.own(cl))
	return true
}

// across gives its verdict on a claim about a dentry, not about one open.
func (c *collector) across(p *Program, cl *Claim) {
	c.count(p, cl)
	if !p.kept {
		return
	}
	if len(p.Claims) < maxClaims {
		p.Claims = append(p.Claims, c.own(cl))
	} else {
		p.Unlisted++
	}
}

func (c *collector) count(p *Program, cl *Claim) {
	c.f.Tally.add(cl.Kind, cl.Verdict)
	if p != nil {
		p.Tally.add(cl.Kind, cl.Verdict)
	}
	c.show(p, cl)
	if c.follow != nil {
		c.moment.Rulings = append(c.moment.Rulings, Ruling{cl.Kind, cl.Verdict, cl.Why, cl.About})
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

// remember keeps a claim that is not proven, or counts it with those of its kind that are
// not for the same reason: an event it is about may be another.
func (c *collector) remember(cl *Claim) {
	for i := range c.f.Doubts {
		d := &c.f.Doubts[i]
		if d.Claim.Kind == cl.Kind && d.Claim.Why == cl.Why && d.Claim.About == cl.About {
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
	if cl.Reason != d.Claim.Reason {
		d.Claim.Reason = cl.Why.about(cmp.Or(cl.About, "…"))
	}
	switch {
	case slices.Contains(d.Subjects, cl.Subject):
	case len(d.Subjects) < maxSubjects:
		d.Subjects = append(d.Subjects, cl.Subject)
	default:
		d.Others = true
	}
}

// own returns the claim with operands of its own.
func (c *collector) own(cl *Claim) Claim {
	out := *cl
	out.Subject = strings.Clone(cl.Subject)
	out.Terms, out.Keys = slices.Clone(c.terms), slices.Clone(cl.Keys)
	return out
}
