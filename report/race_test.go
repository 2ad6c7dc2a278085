// SPDX-License-Identifier: Apache-2.0

package report

var _ = tested(kindTest{
	proven: func(r *tape) { // also gives an eviction, as everyKind has killed n
		r.open("d/n")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "n", 2, 0, 0)
		r.elsewhere(func() { r.alloc(addrA, "n", 9000, addrE, 7) })
		r.allocOnly("n", 2, addrF)
		r.rcu(addrA, "n", 2, addrE, 7)
		r.kill(addrF, addrA, "n")
		r.opened(addrE, addrA, 7, "n")
	},
	cases: []cellCase{
		{"one of two allocs is killed", Race, []*Reason{nil}, func(r *tape) {
			r.racing(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) }, func() {})
		}},
		{"one of two allocs of a directory is killed", Race, []*Reason{nil}, func(r *tape) { r.racingAbove() }},
		{"the other alloc was not recorded", Race, []*Reason{WinnerUnknown}, func(r *tape) { r.racing(func() {}, func() {}) }},
		{"the other one's address was handed out again", Race, []*Reason{MissedEnd}, func(r *tape) {
			r.racing(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) }, func() { r.alloc(rootAddr, "zzz", 90000, addrE, 8) })
		}},
		{"a rename gave the other one the name", Race, []*Reason{Renamed}, func(r *tape) {
			r.racing(func() {
				r.alloc(rootAddr, "g", 90000, addrE, 7)
				r.move(addrE, rootAddr, 7, "g", "f")
			}, func() {})
		}},
		{"it was there before the open looked", Race, nil, func(r *tape) {
			r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) })
			r.racing(func() {}, func() {})
		}},
	},
})
