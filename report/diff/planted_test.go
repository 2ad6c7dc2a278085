// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A change of a single event is found in the call to which the event belongs.
func TestPlantedInOneEvent(t *testing.T) {
	in := func(role schema.Role, phase schema.Phase, name string) func(*schema.Event) bool {
		return func(e *schema.Event) bool { return e.Role == role && e.Phase == phase && e.Name == name }
	}
	for _, test := range []struct {
		name string
		at   func(*schema.Event) bool // the first event for which it is true is changed
		to   func(*schema.Event)
		want []string
	}{
		{"a wrong hash", in(schema.RoleLookupRCU, schema.Enter, "b.h"), func(e *schema.Event) { e.Hash++ },
			[]string{`@@ cat, open "/usr/src/b.h"`, `-  lookup_rcu "b.h"`, `+  lookup_rcu "b.h" path+9 in D3 → NULL, hash refuted`}},
		{"a wrong bucket", in(schema.RoleInsert, schema.Exit, "b.h"), func(e *schema.Event) { e.Bucket += 8 }, []string{`+  insert "b.h"`, `bucket refuted`}},
		{"a name in the wrong place", in(schema.RoleAlloc, schema.Exit, "b.h"), func(e *schema.Event) { e.NameAddr += 8 }, []string{`name at +64, storage refuted`}},
		{"a mount", in(schema.RoleLookupRCU, schema.Exit, "src"), func(e *schema.Event) { e.Facts |= schema.FactMountpoint },
			[]string{`+  lookup_rcu "src" path+5 in D2 → D3 positive, mountpoint`}},
		{"another error", func(e *schema.Event) bool { return e.Role == schema.RoleOpen && e.Errno() == 2 }, func(e *schema.Event) { e.Ret = ^uint64(12) },
			[]string{`@@ cat, open "/usr/src/none.h": ENOENT → EACCES, #`, `→ −13 (EACCES)`}},
		{"other flags", in(schema.RoleOpen, schema.Enter, "/usr/src/b.h"), func(e *schema.Event) { e.Flags |= 0x800 },
			[]string{`flags 0x8000`, `flags 0x8800`}},
		{"another filesystem", in(schema.RoleOpen, schema.Exit, "b.h"), func(e *schema.Event) { e.FSType = "xfs" }, []string{`on ext4`, `on xfs`}},
		{"a negative dentry", in(schema.RoleInsert, schema.Exit, "b.h"), func(e *schema.Event) { e.Inode = 0 }, []string{`-  insert "b.h" in D3 D4 positive`, `+  insert "b.h" in D3 D4 negative`}},
		{"another parent", in(schema.RoleLookupRCU, schema.Enter, "b.h"), func(e *schema.Event) {
			e.Parent += 192
			e.Hash = schema.HashName(e.Parent, e.Name)
		}, []string{`-  lookup_rcu "b.h" path+9 in D3 → NULL`, `+  lookup_rcu "b.h" path+9 in D5 → NULL`}},
		{"a name from elsewhere", in(schema.RoleAlloc, schema.Enter, "b.h"), func(e *schema.Event) { e.NameAddr += 1 << 20 },
			[]string{`-  alloc "b.h" path+9`, `+  alloc "b.h" elsewhere`}},
		{"an unlink that fails", func(e *schema.Event) bool { return e.Role == schema.RoleUnlink && e.Phase == schema.Exit }, func(e *schema.Event) { e.Ret = ^uint64(0) },
			[]string{`@@ sh, unlink "usr/src/new.h"`, `→ 0`, `→ −1 (EPERM)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := record(t, here(), 1, scene(standard)), record(t, there(), 2, scene(standard))
			done := false
			b = copied(t, b, there().Header(), func(w *schema.Writer, e *schema.Event) error {
				if !done && test.at(e) {
					done = true
					test.to(e)
				}
				return w.Append(e)
			}, &schema.Footer{EndedBy: "command"})
			r := compare(t, a, b)
			out := text(t, r)
			if !done || r.Count() != 1 {
				t.Fatalf("want one difference:\n%s", out)
			}
			rest := out
			for _, want := range test.want {
				i := strings.Index(rest, want)
				if i < 0 {
					t.Fatalf("%q is not there, or not in its place:\n%s", want, out)
				}
				rest = rest[i:]
			}
		})
	}
}

// A missing event is one step less and nothing else.
func TestStepsMissing(t *testing.T) {
	whole := record(t, there(), 2, scene(standard))
	for _, role := range []schema.Role{schema.RoleInsert, schema.RoleDelete, schema.RoleInstantiate} {
		done := false
		b := rewritten(t, whole, there().Header(), func(e *schema.Event) bool {
			if !done && e.Role == role && e.Comm != "init" {
				done = true
				return false
			}
			return true
		})
		r := compare(t, record(t, here(), 1, scene(standard)), b)
		out := text(t, r)
		if r.Count() != 1 || !strings.Contains(out, "  "+role.Label()+" ") {
			t.Errorf("%s:\n%s", role.Label(), out)
		}
	}
}
