// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/schema"

// from makes the next open start at a directory.
func (r *tape) from(start uint64, dirfd int32) {
	r.change(func(e *schema.Event) { e.Start, e.DirFD = start, dirfd })
}

var _ = tested(kindTest{
	proven: func(r *tape) { // the dentry of l is that of everyKind
		r.from(rootAddr, schema.ATFDCWD)
		r.open("d/l")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "l", 2, addrD, 6)
		r.opened(addrD, addrA, 6, "l")
	},
	cases: []cellCase{
		{"a descriptor's directory", Start, []*Reason{nil}, func(r *tape) {
			r.from(addrA, 7)
			r.open("./f")
			r.rcu(addrA, "f", 2, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"a descriptor's directory as the root, RESOLVE_IN_ROOT", Start, []*Reason{nil}, func(r *tape) {
			r.change(func(e *schema.Event) { e.Start, e.DirFD, e.How = addrA, 7, schema.LookupInRoot })
			r.open("/f")
			r.rcu(addrA, "f", 1, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"another directory than the root", Start, []*Reason{StartElsewhere}, func(r *tape) {
			r.from(rootAddr, schema.ATFDCWD)
			r.open("/f")
			r.rcu(addrA, "f", 1, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"above it", Start, nil, func(r *tape) {
			r.from(addrA, schema.ATFDCWD)
			r.open("../f")
			r.rcu(rootAddr, "f", 3, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}},
		{"where it started was not recorded", Start, nil, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}},
	},
})
