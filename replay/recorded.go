// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Recorded returns the roles that a trace with the header holds, each in all its phases,
// and those of which hits may be missing that nobody has counted.
func Recorded(h *schema.Header) (whole, vague Roles) {
	var enter, exit Roles
	for _, p := range h.GetProbe() {
		if !p.Attached {
			continue
		}
		switch p.Phase {
		case schema.Enter:
			enter |= RolesOf(p.Role)
		case schema.Exit:
			exit |= RolesOf(p.Role)
		}
		if p.Uncounted {
			vague |= RolesOf(p.Role)
		}
	}
	for _, info := range schema.Catalogue() {
		if (info.Enter == nil || enter.Has(info.Role)) && (info.Exit == nil || info.Exit.Later || exit.Has(info.Role)) {
			whole |= RolesOf(info.Role)
		}
	}
	return whole, vague
}

// paired returns the roles whose calls have an entry and an exit in a trace with the header.
func paired(h *schema.Header) Roles {
	var enters, exits, paired Roles
	for _, p := range h.GetProbe() {
		switch {
		case p.Attached && p.Phase == schema.Enter:
			enters |= RolesOf(p.Role)
		case p.Attached && p.Phase == schema.Exit:
			exits |= RolesOf(p.Role)
		}
	}
	both := enters & exits
	for _, info := range schema.Catalogue() {
		if info.Enter != nil && info.Exit != nil && (!info.Exit.Later || exits.Has(info.Role)) && (!h.Imported() || both.Has(info.Role)) {
			paired |= RolesOf(info.Role)
		}
	}
	return paired
}
