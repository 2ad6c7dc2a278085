// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

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
		if e.Bucket != 0 {
			v, why := bucketVerdict(c.layout, e)
			c.single(s, Bucket, v, why, e.Bucket)
		}
	case schema.RoleAlloc:
		if e.Phase == schema.Exit && e.Dentry != 0 {
			v, why := storageVerdict(c.layout, e)
			c.single(s, Storage, v, why, e.NameAddr)
		}
	}
}

func (c *collector) hash(s *replay.Step) {
	if e := s.Event; e.Parent != 0 && e.Parent != e.Dentry {
		c.f.Hashes++
		v, why := hashVerdict(c.layout, e)
		c.single(s, Hash, v, why, uint64(e.Hash))
	}
}

// single counts a claim that stands on one event.
func (c *collector) single(s *replay.Step, k Kind, v Verdict, why string, value uint64) {
	p := c.program(s.Event)
	if v == Proven {
		c.f.Tally.add(k, v)
		p.Tally.add(k, v)
		return
	}
	c.terms = c.terms[:0]
	c.term(k.String()+" at "+c.label(s.Event.Role, s.Event.Phase), value, s.Event.ID, s.Event.Comm)
	c.count(p, &Claim{Kind: k, Verdict: v, Reason: why, Subject: s.Event.Name, Object: ref(s.Object)})
}

// hashVerdict recomputes qstr.hash from the parent's address and the name.
func hashVerdict(l *schema.Layout, e *schema.Event) (Verdict, string) {
	switch {
	case l.GetNameHash() != schema.NameHash_NAME_HASH_WORD64_LE:
		return Unproven, "this kernel's name hash is not known"
	case e.Facts&schema.FactParentOpHash != 0:
		return Unproven, "the filesystem has its own hash (d_op->d_hash)"
	case e.Facts&schema.FactNameUnreadable != 0 || e.NameCut():
		return Unproven, "the name could not be read whole"
	}
	if h := schema.HashName(e.Parent, e.Name); h != e.Hash {
		return Refuted, fmt.Sprintf("recomputed %d, the kernel has %d", h, e.Hash)
	}
	return Proven, ""
}

// bucketVerdict finds the bucket of an insert from the hash alone.
func bucketVerdict(l *schema.Layout, e *schema.Event) (Verdict, string) {
	if l.GetDentryHashtable() == 0 || l.GetDHashShift() == 0 {
		return Unproven, "dentry_hashtable or d_hash_shift is not known"
	}
	off := e.Bucket - l.DentryHashtable
	if off >= 8<<(32-l.DHashShift) {
		return Unproven, "another dentry stood before it in the chain by then"
	}
	if off%8 != 0 || off/8 != uint64(e.Hash)>>l.DHashShift {
		return Refuted, "the bucket is not the one the hash selects"
	}
	return Proven, ""
}

// storageVerdict holds the place of a new dentry's name against its length.
func storageVerdict(l *schema.Layout, e *schema.Event) (Verdict, string) {
	switch {
	case l.GetInlineNameSize() == 0:
		return Unproven, "the size of the inline name is not known"
	case e.NameAddr == 0:
		return Unproven, "the name's address was not recorded"
	case inline(l, e) != (e.NameLen < l.InlineNameSize):
		return Refuted, "length and place of the name do not agree"
	}
	return Proven, ""
}

// inline reports whether the name lies inside its dentry.
func inline(l *schema.Layout, e *schema.Event) bool {
	return e.NameAddr == e.Dentry+uint64(l.GetInlineName())
}
