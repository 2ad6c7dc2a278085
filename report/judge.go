// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// begin starts a claim of the kind whose operands lie between two times. Its
// verdict is Proven when nothing is known against it yet: every role it needs was
// attached and no event of those roles was lost in the window.
func (c *collector) begin(k Kind, subject string, first, last uint64) Claim {
	c.terms = c.terms[:0]
	cl := Claim{Kind: k, Verdict: Proven, Subject: subject}
	needs := kindTable[k].Needs
	if missing := needs &^ c.f.Attached; missing != 0 {
		cl.unproven("probe not attached: " + roleNames(missing))
	} else if w, hit := c.state.Losses.Touched(first, last, needs); hit {
		cl.unproven(lossReason(w))
	}
	return cl
}

func lossReason(w replay.Window) string {
	if w.Count == 0 {
		return "events missing in the window: " + w.Why
	}
	return fmt.Sprintf("events lost in the window: %d (%s)", w.Count, w.Why)
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

// Label is the kernel symbol that played the role in this run and which side of it
// was recorded, e.g. "__d_alloc return"; the role's name where none was attached.
func (f *Findings) Label(r schema.Role, p schema.Phase) string {
	at := Probe{r, p}
	if s, ok := f.Symbols[at]; ok {
		return s
	}
	return r.Label() + phaseWord(p)
}

func phaseWord(p schema.Phase) string {
	if p == schema.Exit {
		return " return"
	}
	return " entry"
}

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
	if cl.Verdict != Proven && len(c.f.Examples) < maxExamples {
		c.f.Examples = append(c.f.Examples, c.own(cl))
	}
}

// own returns the claim with terms of its own.
func (c *collector) own(cl *Claim) Claim {
	out := *cl
	out.Terms = slices.Clone(c.terms)
	return out
}

// alone judges what one event proves or refutes by itself. No loss touches it.
func (c *collector) alone(s *replay.Step) {
	e := s.Event
	switch e.Role {
	case schema.RoleLookup, schema.RoleLookupRCU, schema.RoleLookupChain:
		if e.Phase == schema.Enter {
			c.hash(s)
		}
	case schema.RoleInsert:
		c.hash(s)
		c.bucket(s)
	case schema.RoleAlloc:
		if e.Phase == schema.Exit && e.Dentry != 0 {
			c.storage(s)
		}
	}
}

// hash recomputes qstr.hash of a lookup's key or of an inserted dentry.
func (c *collector) hash(s *replay.Step) {
	e := s.Event
	if e.Parent == 0 || e.Parent == e.Dentry {
		return
	}
	c.f.Hashes++
	p := c.program(e)
	v, why := Proven, ""
	switch {
	case c.layout.NameHash != schema.NameHash_NAME_HASH_WORD64_LE:
		v, why = Unproven, "this kernel's name hash is not known"
	case e.Facts&schema.FactParentOpHash != 0:
		v, why = Unproven, "the filesystem has its own hash (d_op->d_hash)"
	case e.Facts&schema.FactNameUnreadable != 0 || e.NameCut():
		v, why = Unproven, "the name could not be read whole"
	case schema.HashName(e.Parent, e.Name) != e.Hash:
		v, why = Refuted, fmt.Sprintf("recomputed %d, the kernel has %d", schema.HashName(e.Parent, e.Name), e.Hash)
	}
	c.single(p, s, Hash, v, why, "hash", uint64(e.Hash))
}

// bucket finds the hash bucket of an insert from the hash alone.
func (c *collector) bucket(s *replay.Step) {
	e := s.Event
	if e.Bucket == 0 {
		return
	}
	v, why := Proven, ""
	if c.layout.DentryHashtable == 0 || c.layout.DHashShift == 0 {
		v, why = Unproven, "dentry_hashtable or d_hash_shift is not known"
	} else if (e.Bucket-c.layout.DentryHashtable)/8 != uint64(e.Hash)>>c.layout.DHashShift {
		v, why = Refuted, "the bucket is not the one the hash selects"
	}
	c.single(c.program(e), s, Bucket, v, why, "bucket", e.Bucket)
}

// storage holds the place of a new dentry's name against its length.
func (c *collector) storage(s *replay.Step) {
	e := s.Event
	inside := e.NameAddr == e.Dentry+uint64(c.layout.InlineName)
	v, why := Proven, ""
	switch {
	case c.layout.InlineNameSize == 0:
		v, why = Unproven, "the size of the inline name is not known"
	case e.NameAddr == 0:
		v, why = Unproven, "the name's address was not recorded"
	case inside != (e.NameLen < c.layout.InlineNameSize):
		v, why = Refuted, "length and place of the name do not agree"
	}
	c.single(c.program(e), s, Storage, v, why, "name", e.NameAddr)
}

// single counts a claim that stands on one event.
func (c *collector) single(p *Program, s *replay.Step, k Kind, v Verdict, why, what string, value uint64) {
	if v == Proven {
		c.f.Tally.add(k, v)
		p.Tally.add(k, v)
		return
	}
	c.terms = c.terms[:0]
	c.term(what+" at "+c.label(s.Event.Role, s.Event.Phase), value, s.Event.ID, s.Event.Comm)
	cl := Claim{Kind: k, Verdict: v, Reason: why, Subject: s.Event.Name, Object: ref(s.Object)}
	c.count(p, &cl)
}
