// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"

	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// Without is a source as it would be had the roles not been recorded: their probes
// are not attached and their events not there. The others keep their ids.
func Without(s Source, roles ...schema.Role) Source {
	h := proto.CloneOf(s.Header())
	for _, p := range h.Probe {
		if slices.Contains(roles, p.Role) && p.Attached {
			p.Attached, p.Error = false, "left out by --without"
		}
	}
	return &ablated{s, h, RolesOf(roles...)}
}

type ablated struct {
	Source
	header *schema.Header
	roles  Roles
}

func (a *ablated) Header() *schema.Header { return a.header }

func (a *ablated) Next() (schema.Record, error) {
	for {
		rec, err := a.Source.Next()
		if e, ok := rec.(*schema.Event); !ok || !a.roles.Has(e.Role) {
			return rec, err
		}
	}
}
