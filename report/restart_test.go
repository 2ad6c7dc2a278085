// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/schema"

var _ = tested(kindTest{
	proven: func(r *tape) { // the dentry of l is that of everyKind
		r.open("d/l")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.look(schema.RoleLookupChain, rootAddr, "d", 0, addrA, 5)
		r.look(schema.RoleLookupChain, addrA, "l", 2, addrD, 6)
		r.opened(addrD, addrA, 6, "l")
	},
	cases: []cellCase{
		{"the first component is looked up again by __d_lookup", Restart, []*Reason{nil}, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.rcu(addrA, "f", 2, addrB, 6)
			r.look(schema.RoleLookupChain, rootAddr, "d", 0, addrA, 5)
			r.look(schema.RoleLookupChain, addrA, "f", 2, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"a walk that goes on in ref-walk", Restart, nil, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.look(schema.RoleLookupChain, addrA, "f", 2, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"d_lookup looks the last component up for a create", Restart, nil, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.look(schema.RoleLookup, rootAddr, "f", 0, 0, 0)
			r.fail(2)
		}},
		{"the name could not be read whole", Restart, []*Reason{CutName}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 6)
			r.change(func(e *schema.Event) { e.NameLen = 9000 })
			r.look(schema.RoleLookupChain, rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}},
		{"more events than are looked at", Restart, []*Reason{TooManyEvents}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 6)
			r.look(schema.RoleLookupChain, rootAddr, "f", 0, addrB, 6)
			for range maxWalkSteps {
				r.rcu(rootAddr, "f", 0, addrB, 6)
			}
			r.opened(addrB, rootAddr, 6, "f")
		}},
	},
})
