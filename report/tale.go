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
var lookups = having(schema.Asks)

// having is the roles that have a trait.
func having(t schema.Trait) (roles replay.Roles) {
	for _, info := range schema.Catalogue() {
		if info.Traits&t != 0 {
			roles |= replay.RolesOf(info.Role)
		}
	}
	return roles
}
