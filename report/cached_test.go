// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/schema"

var _ = tested(kindTest{
	proven: func(r *tape) { // l is of everyKind
		r.open("d/l")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "l", 2, addrD, 6)
		r.opened(addrD, addrA, 6, "l")
	},
	cases: []cellCase{
		{"by the ref-walk that started over", Cached, []*Reason{nil}, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.rcu(addrA, "f", 2, 0, 0)
			r.look(schema.RoleLookupChain, rootAddr, "d", 0, addrA, 5)
			r.look(schema.RoleLookupChain, addrA, "f", 2, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"a missing name", Cached, []*Reason{nil}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 0)
			r.fail(2)
		}},
		{"one component was allocated", Cached, nil, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.rcu(addrA, "f", 2, 0, 0)
			r.alloc(addrA, "f", 2, addrB, 6)
			r.opened(addrB, addrA, 6, "f")
		}},
		{"one was not found", Cached, nil, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.rcu(addrA, "f", 2, 0, 0)
			r.fail(2)
		}},
		{"what a link leads to was not found", Cached, nil, func(r *tape) {
			r.open("l")
			r.rcu(rootAddr, "l", 0, addrA, 5)
			r.rcu(rootAddr, "x", 90000, 0, 0)
			r.fail(2)
		}},
		{"the name could not be read whole", Cached, []*Reason{CutName}, func(r *tape) {
			r.change(func(e *schema.Event) { e.NameLen = 9000 })
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}},
		{"more events than are looked at", Cached, []*Reason{TooManyEvents}, func(r *tape) {
			r.open("f")
			for range maxWalkSteps {
				r.rcu(rootAddr, "f", 0, addrB, 6)
			}
			r.opened(addrB, rootAddr, 6, "f")
		}},
	},
})
