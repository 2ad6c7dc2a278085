// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// asked returns the header of a recording that was not asked for some roles.
func asked(h *schema.Header, without ...schema.Role) *schema.Header {
	for _, p := range h.Probe {
		if slices.Contains(without, p.Role) {
			p.Attached, p.Error = false, schema.NotAskedFor
		}
	}
	return h
}

// A role that one recording was not asked for is no difference; one note names all of them.
func TestNotAskedFor(t *testing.T) {
	ops, left := scene(standard), []schema.Role{schema.RoleUnlink, schema.RoleLookupChain}
	a, whole := record(t, here(), 1, ops), record(t, there(), 2, ops)
	b := rewritten(t, whole, asked(there().Header(), left...), func(e *schema.Event) bool { return !slices.Contains(left, e.Role) })
	for _, r := range []*Result{compare(t, a, b), compare(t, b, a)} {
		if out := text(t, r); r.Count() != 0 || !strings.Contains(out, "was recorded without lookup_chain, unlink, which were not asked for: left out\n") {
			t.Error(out)
		}
	}
}

// Where only one run recorded walks, two lookups of a name are not told from one that was repeated.
func TestLookupsWithoutWalks(t *testing.T) {
	const twice = "stat( walk(/d lookup_rcu(d lookup_rcu)* walk)* stat) stat( walk(/d lookup_rcu(d lookup_rcu)* walk)* stat)"
	a := operationsOf(t, here().Header(), twice)
	b := operationsOf(t, asked(there().Header(), schema.RoleStat, schema.RoleWalk), "lookup_rcu(d lookup_rcu)* lookup_rcu(d lookup_rcu)*")
	r := compare(t, a, b)
	if r.Count() != 0 || !slices.ContainsFunc(r.Excused, func(e Excuse) bool { return e.Why == whyTwice }) {
		t.Error(text(t, r))
	}
	c := operationsOf(t, asked(there().Header(), schema.RoleStat, schema.RoleWalk), "lookup_rcu(other lookup_rcu)* lookup_rcu(d lookup_rcu)*")
	if r := compare(t, a, c); r.Count() == 0 {
		t.Errorf("another name is no difference:\n%s", text(t, r))
	}
}
