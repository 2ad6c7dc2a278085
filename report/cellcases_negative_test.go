// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/schema"

// negativeCases are the claims on a missing name.
func negativeCases() []cellCase {
	missing := func(name string, why Why, between func(*tape)) cellCase {
		return cellCase{name, Negative, []Why{why}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrB, 0)
			between(r)
			r.fail(2)
		}}
	}
	return []cellCase{
		missing("inserted without inode", NoDoubt, func(*tape) {}),
		missing("a name in a symbolic link, for which there is none", NoDentry, func(r *tape) { r.rcu(addrC, "g", 90000, 0, 0) }),
		{"a name in a symbolic link, inserted without inode", Negative, []Why{NoDoubt}, func(r *tape) {
			r.open("l")
			r.rcu(rootAddr, "l", 0, addrA, 5)
			r.rcu(rootAddr, "f", 90000, 0, 0)
			r.alloc(rootAddr, "f", 90000, addrB, 0)
			r.fail(2)
		}},
		{"a symbolic link in which the last name is there", Negative, []Why{HasInode}, func(r *tape) {
			r.open("l")
			r.rcu(rootAddr, "l", 0, addrA, 5)
			r.rcu(rootAddr, "f", 90000, addrB, 6)
			r.fail(2)
		}},
		missing("its address was handed out inside the open", MissedEnd, func(r *tape) {
			r.elsewhere(func() { r.alloc(rootAddr, "zzz", 90000, addrB, 5) })
		}),
		missing("killed inside the open", KilledInside, func(r *tape) { r.kill(addrB, rootAddr, "f") }),
		missing("a rename took its place", MovedAway, func(r *tape) {
			r.change(func(e *schema.Event) { e.Target = addrB })
			r.elsewhere(func() { r.on(schema.RoleMove, schema.Enter, addrE, rootAddr, 7, "a") })
		}),
		{"killed before the open, and still found by an rcu-walk", Negative, []Why{AfterItsEnd}, func(r *tape) {
			r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0); r.kill(addrA, rootAddr, "f") })
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 0)
			r.fail(2)
		}},
		{"where case is folded, the dentry of another spelling", Negative, []Why{OtherName}, func(r *tape) {
			r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
			r.open("F")
			r.folded("F", "f", addrA, 0)
			r.fail(2)
		}},
		missing("dropped", Dropped, func(r *tape) { r.on(schema.RoleDrop, schema.Enter, addrB, rootAddr, 0, "f") }),
		missing("given an inode", GotInode, func(r *tape) { r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 9, "f") }),
		missing("found with an inode", HasInode, func(r *tape) { r.rcu(rootAddr, "f", 0, addrB, 9) }),
		{"no dentry for it", Negative, []Why{NoDentry}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.fail(2)
		}},
		{"older than the recording", Negative, []Why{OlderDentry}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrB, 0)
			r.fail(2)
		}},
		{"more events than are looked at, and a name missing", Negative, []Why{TooManyEvents}, func(r *tape) {
			r.open("d/f")
			for range maxWalkSteps {
				r.rcu(rootAddr, "d", 0, addrA, 5)
			}
			r.rcu(addrA, "f", 2, 0, 0)
			r.fail(2)
		}},
		{"another task's dentry of the name was faster", Negative, []Why{Overtaken}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrC, 0) })
			r.allocOnly("f", 0, addrB)
			r.kill(addrB, rootAddr, "f")
			r.fail(2)
		}},
		{"never inserted", Negative, []Why{NeverInserted}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.allocOnly("f", 0, addrB)
			r.fail(2)
		}},
		{"inserted with an inode", Negative, []Why{InsertedPositive}, func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrB, 9)
			r.fail(2)
		}},
	}
}
