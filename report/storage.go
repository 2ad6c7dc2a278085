// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Storage Kind = 3

var _ = register(kind{
	number: Storage,
	name:   "storage",
	says:   "a name lies inside its dentry exactly when it fits",
	alone:  true,
	needs:  replay.RolesOf(schema.RoleAlloc),
	exits:  replay.RolesOf(schema.RoleAlloc),
	event: func(v *view) {
		if e := v.step.Event; e.Dentry != 0 {
			v.single(storageDoubt(v.layout, e), About{}, e.NameAddr)
		}
	},
	reasons: []*Reason{NoInlineSize, NoNameAddress, WrongPlace},
	tell:    values,
})

// Why a storage claim is not proven.
var (
	NoInlineSize  = &Reason{Unproven, "the size of the inline name is not known", false}
	NoNameAddress = &Reason{Unproven, "the name's address was not recorded", false}
	WrongPlace    = &Reason{Refuted, "length and place of the name do not agree", false}
)

// storageDoubt holds the place of a new dentry's name against its length.
func storageDoubt(l *schema.Layout, e *schema.Event) *Reason {
	switch {
	case l.GetInlineNameSize() == 0:
		return NoInlineSize
	case e.NameAddr == 0:
		return NoNameAddress
	case inline(l, e) != (e.NameLen < l.InlineNameSize):
		return WrongPlace
	}
	return nil
}

// inline reports whether the name lies inside its dentry.
func inline(l *schema.Layout, e *schema.Event) bool {
	return e.NameAddr == e.Dentry+uint64(l.GetInlineName())
}
