// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// negativeCases are cases of claims on a missing name.
var negativeCases = []cellCase{
	notFound("inserted without inode", nil, func(*tape) {}),
	notFound("a name in a symbolic link, for which there is none", nil, func(r *tape) { r.rcu(addrC, "g", 90000, 0, 0) }),
	{"a name in a symbolic link, inserted without inode", Negative, []*Reason{nil}, func(r *tape) {
		r.open("l")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(rootAddr, "f", 90000, 0, 0)
		r.alloc(rootAddr, "f", 90000, addrB, 0)
		r.fail(2)
	}},
	{"a symbolic link in which the last name is there", Negative, []*Reason{HasInode}, func(r *tape) {
		r.open("l")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(rootAddr, "f", 90000, addrB, 6)
		r.fail(2)
	}},
	notFound("its address was handed out inside the open", MissedEnd, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "zzz", 90000, addrB, 5) })
	}),
	notFound("killed inside the open", nil, func(r *tape) { r.kill(addrB, rootAddr, "f") }),
	notFound("a rename took its place", MovedAway, func(r *tape) {
		r.change(func(e *schema.Event) { e.Target = addrB })
		r.elsewhere(func() { r.on(schema.RoleMove, schema.Enter, addrE, rootAddr, 7, "a") })
	}),
	{"killed before the open, and still found by an rcu-walk", Negative, []*Reason{AfterItsEnd}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0); r.kill(addrA, rootAddr, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
	}},
	{"found, and killed meanwhile", Negative, []*Reason{LostMeanwhile}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f"); r.alloc(rootAddr, "f", 90000, addrC, 0) })
		r.fail(2)
	}},
	{"found, and dropped meanwhile", Negative, []*Reason{LostMeanwhile}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() {
			r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 0, "f")
			r.alloc(rootAddr, "f", 90000, addrC, 0)
		})
		r.fail(2)
	}},
	{"found before its insertion was recorded", Negative, []*Reason{nil}, func(r *tape) {
		r.elsewhere(func() { r.allocOnly("f", 90000, addrA) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
		r.elsewhere(func() { r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 0, "f") })
	}},
	{"found, and unhashed by the time the lookup returned", Negative, []*Reason{Unhashed}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactUnhashed })
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
	}},
	{"found while a rename puts another in its place", Negative, []*Reason{MovedAway}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrB, 0) })
		r.change(func(e *schema.Event) { e.Target = addrB })
		r.elsewhere(func() { r.on(schema.RoleMove, schema.Enter, addrE, rootAddr, 7, "a") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 0)
		r.elsewhere(func() { r.on(schema.RoleMove, schema.Exit, addrE, rootAddr, 7, "f") })
		r.fail(2)
	}},
	{"looked up under two directories", Negative, []*Reason{TwoParents}, func(r *tape) {
		r.elsewhere(func() { r.alloc(addrC, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.look(schema.RoleLookup, addrC, "f", 0, addrA, 0)
		r.fail(2)
	}},
	{"found, and not found when the walk began again", Negative, []*Reason{nil}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.look(schema.RoleLookupChain, rootAddr, "f", 0, 0, 0)
		r.fail(2)
	}},
	{"a name of 300 bytes in a symbolic link", Negative, []*Reason{CutName}, func(r *tape) {
		long := strings.Repeat("x", 255)
		r.open("l")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.change(func(e *schema.Event) { e.NameLen = 300 })
		r.rcu(rootAddr, long, 90000, 0, 0)
		r.alloc(rootAddr, long, 90000, addrB, 0)
		r.fail(2)
	}},
	{"another name is looked up beneath, and the dentry of the path's killed", Negative, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		r.rcu(addrC, "ECRYPTFS_x", 90000, 0, 0)
		r.alloc(addrC, "ECRYPTFS_x", 90000, addrB, 0)
		r.kill(addrA, rootAddr, "f")
		r.fail(2)
	}},
	{"where case is folded, the dentry of another spelling", Negative, []*Reason{OtherName}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("F")
		r.folded("F", "f", addrA, 0)
		r.fail(2)
	}},
	{"a lookup found it, and its inode could not be read", Negative, []*Reason{InodeUnread}, func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactInodeUnknown })
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
	}},
	{"inserted, and its inode could not be read", Negative, []*Reason{InodeUnread}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactInodeUnknown })
		r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 0, "f")
		r.fail(2)
	}},
	{"one dentry was allocated for the name, and another inserted", Negative, []*Reason{WhichDentry}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 0, "f")
		r.fail(2)
	}},
	{"a dentry of the name was allocated beside the path", Negative, []*Reason{WhichDentry}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 90000, addrA, 0)
		r.fail(2)
	}},
	notFound("dropped", nil, func(r *tape) { r.on(schema.RoleDrop, schema.Enter, addrB, rootAddr, 0, "f") }),
	notFound("given an inode", GotInode, func(r *tape) { r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 9, "f") }),
	notFound("inserted again by a rename, with the inode that it got meanwhile", MovedAway, func(r *tape) {
		r.elsewhere(func() {
			r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 9, "f")
			r.on(schema.RoleMove, schema.Enter, addrB, rootAddr, 9, "f")
			r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 9, "g")
			r.on(schema.RoleMove, schema.Exit, addrB, rootAddr, 9, "g")
		})
	}),
	notFound("found with an inode", HasInode, func(r *tape) {
		r.elsewhere(func() { r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 9, "f") })
		r.rcu(rootAddr, "f", 0, addrB, 9)
	}),
	{"no dentry for it", Negative, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.fail(2)
	}},
	{"older than the recording", Negative, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 0)
		r.fail(2)
	}},
	{"more events than are looked at, and a name missing", Negative, []*Reason{TooManyEvents}, func(r *tape) {
		r.open("d/f")
		for range maxWalkSteps {
			r.rcu(rootAddr, "d", 0, addrA, 5)
		}
		r.rcu(addrA, "f", 2, 0, 0)
		r.fail(2)
	}},
	{"another task's dentry of the name was faster", Negative, []*Reason{Overtaken}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrC, 0) })
		r.allocOnly("f", 0, addrB)
		r.kill(addrB, rootAddr, "f")
		r.fail(2)
	}},
	{"never inserted", Negative, []*Reason{nil}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrB)
		r.fail(2)
	}},
	{"inserted with an inode", Negative, []*Reason{InsertedPositive}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 9)
		r.fail(2)
	}},
}

// notFound is the case of an open that does not find a name, with events between its insert and its exit.
func notFound(name string, why *Reason, between func(*tape)) cellCase {
	return cellCase{name, Negative, []*Reason{why}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		between(r)
		r.fail(2)
	}}
}
