// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/proto"
)

// Without returns the header as it would be had the roles not been recorded: their
// probes are not attached.
func Without(h *schema.Header, roles Roles) *schema.Header {
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
