// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Phased returns the roles of which a trace with the header has entries, and those of which it has exits.
func Phased(h *schema.Header) (enters, exits Roles) {
	for _, p := range h.GetProbe() {
		if !p.Attached {
			continue
		}
		for _, phase := range p.Phases() {
			switch phase {
			case schema.Enter:
				enters |= RolesOf(p.Role)
			case schema.Exit:
				exits |= RolesOf(p.Role)
			}
		}
	}
	return enters, exits
}

// Recorded returns the roles that a trace with the header holds, each in all its phases,
// and those of which hits may be missing that nobody has counted.
func Recorded(h *schema.Header) (whole, vague Roles) {
	for _, p := range h.GetProbe() {
		if p.Attached && p.Uncounted {
			vague |= RolesOf(p.Role)
		}
	}
	enters, exits := Phased(h)
	return RolesWhere(func(r schema.RoleInfo) bool {
		return (r.Enter == nil || enters.Has(r.Role)) && (r.Exit == nil || r.Exit.Later || exits.Has(r.Role))
	}), vague
}

// paired returns the roles whose calls have an entry and an exit in a trace with the header.
func paired(h *schema.Header) Roles {
	enters, exits := Phased(h)
	return RolesWhere(func(r schema.RoleInfo) bool {
		return r.Enter != nil && r.Exit != nil && (!r.Exit.Later || exits.Has(r.Role)) && (!h.Imported() || (enters & exits).Has(r.Role))
	})
}
