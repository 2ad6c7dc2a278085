// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// What the comparison knows of roles beside the catalogue. No role is named elsewhere.
var (
	asks    = replay.RolesThat(schema.Asks)                                // for a name in the cache
	begins  = replay.RolesThat(schema.Begins)                              // a dentry's life
	ends    = replay.RolesThat(schema.Ends | schema.Frees | schema.Leaves) // belong to the end of one
	kills   = replay.RolesThat(schema.Ends)
	inserts = replay.RolesOf(schema.RoleInsert)
	makes   = replay.RolesOf(schema.RoleInstantiate) // give a name an inode
	moves   = replay.RolesOf(schema.RoleMove)        // give a dentry another name
	evicts  = replay.RolesOf(schema.RoleEvict)       // empty the caches
	execs   = replay.RolesOf(schema.RoleExec)
	exits   = replay.RolesOf(schema.RoleExit)
	opens   = replay.RolesOf(schema.RoleOpen)

	walks      = asks | begins | inserts                                               // find a component or make it
	changes    = replay.Changes() | replay.RolesOf(schema.RoleUnlink)                  // change what the cache has of a name
	paths      = replay.RolesThat(schema.Walks) &^ execs                               // a path begins
	encloses   = replay.RolesWhere(func(r schema.RoleInfo) bool { return r.Op != "" }) // all that the thread does until it returns is one call
	creates    = makes | replay.RolesOf(schema.RoleMkdir, schema.RoleMknod, schema.RoleSymlink, schema.RoleLink)
	answers    = encloses&^opens | replay.RolesOf(schema.RoleUnlink)                           // return an int that says what came of it
	decides    = makes | moves | evicts | replay.RolesOf(schema.RoleDelete, schema.RoleUnlink) // outside of those: make a call what it is
	standalone = execs | exits | replay.RolesOf(schema.RoleFork)                               // are a call on their own
	nameless   = evicts | exits | replay.RolesOf(schema.RoleFork)                              // are of no name
)

// called is what calls are called by what decides them, but for operations, which have a name.
var called = [roles]string{
	0:                      "lookup",
	schema.RoleUnlink:      "unlink",
	schema.RoleMove:        "rename",
	schema.RoleInstantiate: "create", // mkdir, mknod, symlink, link
	schema.RoleDelete:      "delete", // without vfs_unlink: rmdir
	schema.RoleEvict:       "drop_caches",
	schema.RoleExec:        "exec",
	schema.RoleFork:        "fork",
	schema.RoleExit:        "exit",
}

func kindName(r schema.Role) string {
	info, _ := r.Info()
	return cmp.Or(info.Op, called[r])
}

// kindSet is a set of kinds of claim.
type kindSet uint32

func (s kindSet) has(k report.Kind) bool { return s>>k&1 != 0 }

// judging says how claims are compared, by kind.
type judging struct {
	calls kindSet // with the call they are made of
	lines kindSet // where refuted, with the event they stand on: one that is merely unproven is no matter of the program
}

// judgingOf returns what can be compared of two runs: not what rests on a role that only one
// of them recorded, nor what is decided by a later call.
func judgingOf(a, b probes) (j judging) {
	var inOne replay.Roles
	for ph := range a {
		inOne |= a[ph] ^ b[ph]
	}
	for _, k := range report.Kinds() {
		switch {
		case k.Alone:
			j.lines |= 1 << k.Kind
		case (k.Needs|k.Some)&inOne == 0 && !k.Later:
			j.calls |= 1 << k.Kind
		}
	}
	return j
}
