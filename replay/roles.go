// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// Roles is a set of roles.
type Roles uint64

// RolesOf returns the set of the given roles.
func RolesOf(roles ...schema.Role) Roles {
	var s Roles
	for _, r := range roles {
		s |= 1 << r
	}
	return s
}

// The roles by what they do, mostly to a dentry; see schema.Trait.
var (
	beginRoles   = RolesThat(schema.TraitBegins)
	endRoles     = RolesThat(schema.TraitEnds)
	freeRoles    = RolesThat(schema.TraitFrees)
	holdRoles    = RolesThat(schema.TraitHolds)
	unhashRoles  = RolesThat(schema.TraitUnhashes)
	lookupRoles  = RolesThat(schema.TraitLooksUp)
	pathKeyRoles = RolesThat(schema.TraitWalks)
	openRoles    = RolesOf(schema.RoleOpen)  // what is looked up until they return belongs to them
	evictRoles   = RolesOf(schema.RoleEvict) // what the thread kills until they return, they killed

	rcuRoles = RolesOf(schema.RoleLookupRCU) // those of lookupRoles that run in rcu-walk

	reclaimRoles = unhashRoles | endRoles | freeRoles
	changeRoles  = beginRoles | reclaimRoles | RolesOf(schema.RoleInsert, schema.RoleInstantiate, schema.RoleDelete, schema.RoleMove)
)

// callRoles are the roles whose entry begins a path call, or a walk in one: walkRoles, which walk a path,
// and the roles of operations, inside which the walks happen.
var (
	walkRoles = RolesWhere(func(r schema.RoleInfo) bool { return r.Exit != nil && r.Traits&schema.TraitWalks != 0 })
	callRoles = walkRoles | RolesWhere(func(r schema.RoleInfo) bool { return r.Exit != nil && r.Op != "" })
)

// WalkRoles returns the roles without which a trace does not show every path call: a call whose operation has
// no probe appears as a walk.
func WalkRoles() Roles { return walkRoles }

// ClassRoles returns the roles whose events tell the class of a call, and for what a filesystem was asked.
func ClassRoles() Roles { return classRoles }

// maxRole bounds the roles that a set, or a table by role, has room for.
const maxRole = 64

// slotOf returns the index of a role in a table by role; 0, the unspecified role, for one beyond the table.
func slotOf(r schema.Role) uint32 {
	if uint32(r) < maxRole {
		return uint32(r)
	}
	return 0
}

// RolesThat returns the roles of the catalogue that have one of the traits.
func RolesThat(t schema.Trait) Roles {
	return RolesWhere(func(r schema.RoleInfo) bool { return r.Traits&t != 0 })
}

// RolesWhere returns the roles of the catalogue for which is returns true.
func RolesWhere(match func(schema.RoleInfo) bool) (s Roles) {
	for r := schema.RoleOpen; r < schema.RoleEnd; r++ {
		if info, _ := r.Info(); match(info) {
			s |= RolesOf(r)
		}
	}
	return s
}

// ChangeRoles returns the roles that change a dentry, or show that it has ended.
func ChangeRoles() Roles { return changeRoles }

// With returns the set with r added, if r is less than maxRole.
func (s Roles) With(r schema.Role) Roles {
	if r >= 0 && r < maxRole {
		s |= 1 << r
	}
	return s
}

// Has reports whether the set holds r.
func (s Roles) Has(r schema.Role) bool { return uint32(r) < maxRole && s&(1<<uint32(r)) != 0 }

// outlineStateRoles are the roles that the state of an outline looks at, see NewOutline.
var outlineStateRoles = callRoles | RolesOf(schema.RoleExec, schema.RoleExit)

// tookRoles are the roles whose exits may say when their entry was (TOOK).
var tookRoles = RolesWhere(func(r schema.RoleInfo) bool { return r.Exit != nil && r.Exit.Columns.Has(schema.ColumnTook) })

// reactions holds what the state does with an event of a role, besides pairing it and following its dentry.
var reactions = [maxRole]*reaction{
	schema.RoleKill: {after: (*State).onKill},
	schema.RoleMove: {after: (*State).onMove},
	schema.RoleExec: {before: (*State).onExec},
	schema.RoleExit: {after: (*State).abandon},
}

type reaction struct {
	before func(*State, *schema.Event) // before its thread is looked up
	after  func(*State, *thread)       // when its call and dentry are known; the thread is nil if it is in no call
}

// String lists the names of the roles.
func (s Roles) String() string { return strings.Join(s.Names(), ", ") }

// Names returns the names of the roles, in the order of the catalogue.
func (s Roles) Names() (names []string) {
	for _, info := range schema.Catalogue() {
		if s.Has(info.Role) {
			names = append(names, info.Name)
		}
	}
	return names
}

// RolesByPhase returns the roles of which a trace with the header has entries, and those of which it has exits.
func RolesByPhase(h *schema.Header) (enters, exits Roles) {
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

// RecordedRoles returns the roles that a trace with the header has in all their phases, and those that may have
// missed hits without a count.
func RecordedRoles(h *schema.Header) (whole, vague Roles) {
	for _, p := range h.GetProbe() {
		if p.Attached && p.Uncounted {
			vague |= RolesOf(p.Role)
		}
	}
	enters, exits := RolesByPhase(h)
	return RolesWhere(func(r schema.RoleInfo) bool {
		return (r.Enter == nil || enters.Has(r.Role)) && (r.Exit == nil || r.Exit.Later || exits.Has(r.Role))
	}), vague
}

// MissingRoles returns those of the roles whose events a trace with the header does not have in all phases, and
// those of the others that may have missed hits without a count.
func MissingRoles(h *schema.Header, of Roles) (unattached, uncounted Roles) {
	whole, vague := RecordedRoles(h)
	if _, exits := RolesByPhase(h); !exits.Has(schema.RoleDelete) { // the entry does not show whether the dentry stays
		whole &^= RolesOf(schema.RoleDelete)
	}
	return of &^ whole, of & whole & vague
}

// pairedRoles returns the roles whose calls have an entry and an exit in a trace with the header.
func pairedRoles(h *schema.Header) Roles {
	enters, exits := RolesByPhase(h)
	return RolesWhere(func(r schema.RoleInfo) bool {
		return r.Enter != nil && r.Exit != nil && (!r.Exit.Later || exits.Has(r.Role)) && (!h.Imported() || (enters & exits).Has(r.Role))
	})
}

// WithoutRoles returns the header as if the roles had not been recorded: their probes are not attached.
func WithoutRoles(h *schema.Header, roles Roles) *schema.Header {
	if roles == 0 {
		return h
	}
	h = proto.CloneOf(h)
	for _, p := range h.Probe {
		if roles.Has(p.Role) && p.Attached {
			p.Attached, p.Error = false, "left out by --without"
		}
	}
	return h
}
