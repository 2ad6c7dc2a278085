// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Hash Kind = 4

var _ = register(kind{
	number:  Hash,
	name:    "hash",
	says:    "the hash recomputed from parent address and name is the kernel's",
	alone:   true,
	some:    lookups | replay.RolesOf(schema.RoleInsert, schema.RoleMove),
	enters:  lookups | replay.RolesOf(schema.RoleInsert, schema.RoleMove),
	exits:   replay.RolesOf(schema.RoleInsert, schema.RoleMove),
	event:   (*view).hash,
	reasons: []*Reason{CutName, NoNameHash, OwnHash, WrongHash},
	tell:    values,
})

// Why a hash claim is not proven, besides what other kinds have too.
var (
	NoNameHash = &Reason{Unproven, "this kernel's name hash is not known", false}
	OwnHash    = &Reason{Unproven, "the filesystem has its own hash (d_op->d_hash)", false}
	WrongHash  = &Reason{Refuted, "recomputed %s", false}
)

func (v *view) hash() {
	if e := v.step.Event; e.Parent != 0 && e.Parent != e.Dentry {
		why, about := hashDoubt(v.layout, e)
		v.single(why, about, uint64(e.Hash))
	}
}

// hashDoubt recomputes qstr.hash from the parent's address and the name. About fills
// the reason's text.
func hashDoubt(l *schema.Layout, e *schema.Event) (why *Reason, about About) {
	switch {
	case e.Role == schema.RoleHash && !e.NameCut() && schema.HashName(e.Parent, e.Name) == e.Hash:
		return nil, About{} // which hash the kernel has is not known; that it came to this one, is
	case e.Role == schema.RoleHash && e.NameCut():
		return CutName, About{}
	case l.GetNameHash() != schema.NameHash_NAME_HASH_WORD64_LE:
		return NoNameHash, About{}
	case e.Facts&schema.FactParentOpHash != 0:
		return OwnHash, About{}
	case e.Facts&schema.FactNameUnreadable != 0 || e.NameCut():
		return CutName, About{}
	}
	if h := schema.HashName(e.Parent, e.Name); h != e.Hash {
		return WrongHash, About{Text: fmt.Sprintf("%d, the kernel has %d", h, e.Hash)}
	}
	return nil, About{}
}
