// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// What a proven claim says about its operands is true.
func TestSaidOfTheOperands(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind Kind
		play func(*tape)
		with string
		not  string
	}{
		{"a file that was deleted did not enter the cache without inode", Negative, func(r *tape) {
			r.made(addrA)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 0)
			r.fail(2)
		}, "without inode since d_delete: ", "entered the cache"},
		{"an open that missed a name whose dentry had an inode is no earlier one", Negative, func(r *tape) {
			r.made(addrA)
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 5)
			r.fail(2)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 0)
			r.fail(2)
		}, "is in the cache", "earlier"},
		{"an open of another name, which a rename gave up since, is no earlier one", Negative, func(r *tape) {
			r.made(addrA)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 0)
			r.fail(2)
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 9, "f")
			r.move(addrA, rootAddr, 9, "f", "g")
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 9, "g")
			r.open("g")
			r.rcu(rootAddr, "g", 0, addrA, 0)
			r.fail(2)
		}, "is in the cache", "earlier"},
		{"lookups that were lost are not counted", Absence, func(r *tape) {
			r.open("l")
			r.rcu(rootAddr, "l", 0, addrA, 5)
			r.rcu(rootAddr, "l", 90000, addrA, 5)
			r.lose(schema.RoleLookupRCU, r.now+100, r.now+200)
			r.now += 1000
			r.fail(40)
		}, "ELOOP", "lookups of names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, tt.play)
			e, ok := f.example(tt.kind)
			if said := e.Claim.Says(code); !ok || !strings.Contains(said, tt.with) || strings.Contains(said, tt.not) {
				t.Errorf("%v, it says: %s", ok, said)
			}
		})
	}
}
