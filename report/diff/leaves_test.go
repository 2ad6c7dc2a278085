// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// Where one call ends and the next begins must not depend on which buffers the kernel used for their paths.
func TestLeaves(t *testing.T) {
	const buffer = 0xffff888300000020
	looked := line{role: schema.RoleLookupRCU, flags: inPath, at: 4, name: name{text: "dir"}}
	for _, tt := range []struct {
		what   string
		then   []line
		off    uint64
		lookup string
		want   bool
	}{
		{"the same component again", nil, 4, "dir", false},
		{"the next component", nil, 8, "f", false},
		{"the next one behind slashes and dots", nil, 4 + 3 + 5, "f", false},
		{"the buffer holds another path", nil, 4, "oth", true},
		{"inside the last component", nil, 5, "ir", true},
		{"an earlier component: the walk is another", nil, 0, "top", true},
		{"a buffer close behind", nil, 192, "f", true},
		{"a buffer in front", nil, ^uint64(0) - 191, "f", true},
		{"the next component, of a directory not in the cache before", []line{{role: schema.RoleInsert}}, 8, "f", false},
		{"something was made of it", []line{{role: schema.RoleInsert}}, 4, "dir", true},
	} {
		u := call{path: buffer, lines: append([]line{looked}, tt.then...)}
		if got := u.leaves(&schema.Event{Role: schema.RoleLookupRCU, NameAddr: buffer + tt.off, Name: tt.lookup}); got != tt.want {
			t.Errorf("%s: leaves is %v", tt.what, got)
		}
	}
}

// A name near the buffer of the path, but not in it, is not part of the path, however close it is.
func TestNameBehindThePath(t *testing.T) {
	const buffer = 0xffff888300000020
	u := call{digest: digest{kind: schema.RoleOpen}, path: buffer, length: 6, lines: []line{{role: schema.RoleOpen, name: name{text: "d/link"}}}}
	for off, want := range map[uint64]flags{0: inPath, 2: inPath, 6: elsewhere, 192: elsewhere} {
		if got, _ := u.nameAt(&schema.Event{Role: schema.RoleLookupRCU, NameAddr: buffer + off}); got != want {
			t.Errorf("%d bytes behind: %d, want %d", off, got, want)
		}
	}
	_, first := u.nameAt(&schema.Event{Role: schema.RoleLookupRCU, NameAddr: buffer + 500})
	_, second := u.nameAt(&schema.Event{Role: schema.RoleLookupRCU, NameAddr: buffer + 900})
	if first != second {
		t.Errorf("two links' texts are told apart by %d and %d bytes: their distance is the slab's choice", first, second)
	}
}
