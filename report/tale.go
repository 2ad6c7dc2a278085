// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

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
