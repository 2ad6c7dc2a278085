// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// phased returns the roles of which a trace with the header has entries, and those of which it has exits.
func phased(h *schema.Header) (enters, exits Roles) {
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
	enters, exits := phased(h)
	for _, info := range schema.Catalogue() {
		if (info.Enter == nil || enters.Has(info.Role)) && (info.Exit == nil || info.Exit.Later || exits.Has(info.Role)) {
			whole |= RolesOf(info.Role)
		}
	}
	return whole, vague
}

// paired returns the roles whose calls have an entry and an exit in a trace with the header.
func paired(h *schema.Header) (paired Roles) {
	enters, exits := phased(h)
	both := enters & exits
	for _, info := range schema.Catalogue() {
		if info.Enter != nil && info.Exit != nil && (!info.Exit.Later || exits.Has(info.Role)) && (!h.Imported() || both.Has(info.Role)) {
			paired |= RolesOf(info.Role)
		}
	}
	return paired
}
