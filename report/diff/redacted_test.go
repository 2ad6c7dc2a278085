// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"hash/maphash"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// Every name of a redacted trace looks as if mkstemp(3) had made it, so none is treated as made up.
func TestRedactedNamesAreNotMadeUp(t *testing.T) {
	for _, redacted := range []bool{false, true} {
		h := &schema.Header{Layout: &schema.Layout{}}
		if redacted {
			h.Layout.NameHash = schema.NameHash_NAME_HASH_REDACTED
		}
		n := newNamer(maphash.MakeSeed(), h)
		n.made("/tmp/aB3dE6fG")
		n.made("/tmp/Zx9Yw8Vu")
		a, b := n.of("/tmp/aB3dE6fG", &schema.Event{}), n.of("/tmp/Zx9Yw8Vu", &schema.Event{})
		if a.same(&b) == redacted {
			t.Errorf("redacted %v: by chance %v", redacted, a.same(&b))
		}
	}
}
