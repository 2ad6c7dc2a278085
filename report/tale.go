// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// tale is what the report remembers of a dentry.
type tale struct {
	missing  uint64    // exit of an open that returned ENOENT and left it in the cache without inode
	comm     string    // the program that opened it last
	equal    *Item     // the open whose equality claim a later lookup would lengthen
	claim    int       // index of the claim in equal.Claims
	deletion *deletion // the last d_delete of it, if what became of it is not told yet
	killer   killer
	dir      *replay.Object // the directory it was looked up in
}

func taleOf(d *replay.Object) *tale {
	if t, ok := d.Tag.(*tale); ok {
		return t
	}
	t := &tale{}
	d.Tag = t
	return t
}

// lookups are the roles that look a name up in the hash table.
var lookups = replay.RolesOf(schema.RoleLookup, schema.RoleLookupRCU, schema.RoleLookupChain)

func isLookup(r schema.Role) bool { return lookups.Has(r) }

// What a role is, as far as it is told differently.
func isPath(r schema.Role) bool { return r == schema.RoleOpen || r == schema.RoleExec } // its key is a path
func begins(r schema.Role) bool { return r == schema.RoleAlloc }
func frees(r schema.Role) bool  { return r == schema.RoleFree }
