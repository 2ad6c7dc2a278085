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
	case schema.RoleMove:
		c.hash(s)
	case schema.RoleInsert:
		c.hash(s)
		if e.Bucket != 0 {
			why := bucketDoubt(c.layout, e)
			c.single(s, Bucket, why, "", e.Bucket)
		}
	case schema.RoleAlloc:
		if e.Phase == schema.Exit && e.Dentry != 0 {
			why := storageDoubt(c.layout, e)
			c.single(s, Storage, why, "", e.NameAddr)
		}
	}
}

func (c *collector) hash(s *replay.Step) {
	if e := s.Event; e.Parent != 0 && e.Parent != e.Dentry {
		why, what := hashDoubt(c.layout, e)
		c.single(s, Hash, why, what, uint64(e.Hash))
	}
}

// single counts a claim that stands on one event.
func (c *collector) single(s *replay.Step, k Kind, why Why, what string, value uint64) {
	p := c.program(s.Event)
	if why == NoDoubt && c.each == nil {
		c.f.Tally.add(k, Proven)
		p.Tally.add(k, Proven)
		return
	}
	c.terms = c.terms[:0]
	c.claim = Claim{Kind: k, Verdict: Proven, Subject: s.Event.Name, Object: ref(s.Object)}
	c.term(k.String()+" at "+c.label(s.Event.Role, s.Event.Phase), value, s.Event.ID, s.Event.Comm)
	c.claim.doubt(why, what)
	c.count(p, &c.claim)
}

// hashDoubt recomputes qstr.hash from the parent's address and the name. What fills
// the reason's text.
func hashDoubt(l *schema.Layout, e *schema.Event) (why Why, what string) {
	switch {
	case e.Role == schema.RoleHash && !e.NameCut() && schema.HashName(e.Parent, e.Name) == e.Hash:
		return NoDoubt, "" // which hash the kernel has is not known; that it came to this one, is
	case e.Role == schema.RoleHash && e.NameCut():
		return CutName, ""
	case l.GetNameHash() != schema.NameHash_NAME_HASH_WORD64_LE:
		return NoNameHash, ""
	case e.Facts&schema.FactParentOpHash != 0:
		return OwnHash, ""
	case e.Facts&schema.FactNameUnreadable != 0 || e.NameCut():
		return CutName, ""
	}
	if h := schema.HashName(e.Parent, e.Name); h != e.Hash {
		return WrongHash, fmt.Sprintf("%d, the kernel has %d", h, e.Hash)
	}
	return NoDoubt, ""
}

// bucketDoubt finds the bucket of an insert from the hash alone.
func bucketDoubt(l *schema.Layout, e *schema.Event) Why {
	if l.GetDentryHashtable() == 0 || l.GetDHashShift() == 0 {
		return NoHashTable
	}
	off := e.Bucket - l.DentryHashtable
	if off >= 8<<(32-l.DHashShift) {
		return NotChainHead
	}
	if off%8 != 0 || off/8 != uint64(e.Hash)>>l.DHashShift {
		return WrongBucket
	}
	return NoDoubt
}

// storageDoubt holds the place of a new dentry's name against its length.
func storageDoubt(l *schema.Layout, e *schema.Event) Why {
	switch {
	case l.GetInlineNameSize() == 0:
		return NoInlineSize
	case e.NameAddr == 0:
		return NoNameAddress
	case inline(l, e) != (e.NameLen < l.InlineNameSize):
		return WrongPlace
	}
	return NoDoubt
}

// inline reports whether the name lies inside its dentry.
func inline(l *schema.Layout, e *schema.Event) bool {
	return e.NameAddr == e.Dentry+uint64(l.GetInlineName())
}
