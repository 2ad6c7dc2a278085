// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Storage Kind = 3

var _ = register(func() kind {
	return kind{
		number: Storage,
		name:   "storage",
		says:   "a name lies inside its dentry exactly when it fits",
		alone:  true,
		needs:  replay.RolesOf(schema.RoleAlloc),
		exits:  replay.RolesOf(schema.RoleAlloc),
		event: func(v *view) {
			if e := v.step.Event; e.Dentry != 0 {
				v.single(e, storageDoubt(v.layout, e), About{}, e.NameAddr)
			}
		},
		reasons: []*Reason{NoInlineSize, NoNameAddress, WrongPlace},
		tell:    values,
		beside: func(p *page, e *schema.Event) string {
			l := p.f.Header.GetLayout()
			verdict := p.verdict(storageDoubt(l, e), About{})
			if inline(l, e) {
				return fmt.Sprintf("; storage %s: %#x − %#x = %#x = %d, offset of %s, and %d < %d", verdict,
					e.NameAddr, e.Dentry, l.GetInlineName(), l.GetInlineName(), code(l.GetInlineNameField()), e.NameLen, l.GetInlineNameSize())
			}
			return fmt.Sprintf("; storage %s: outside the dentry, since %d ≥ %d", verdict, e.NameLen, l.GetInlineNameSize())
		},
	}
})

// Why a storage claim is not proven.
var (
	NoInlineSize  = &Reason{Unproven, "the size of the inline name is not known", false}
	NoNameAddress = &Reason{Unproven, "the name's address was not recorded", false}
	WrongPlace    = &Reason{Refuted, "where the name lies does not agree with its length", false}
)

// storageDoubt compares where the name of a new dentry lies with its length.
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
