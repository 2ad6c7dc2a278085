// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// What a trace leaves out, or a kernel seldom does, and what must not be made of it.
// Most of these were proven once, and false.
func TestNotMisled(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(*tape)
		want map[Kind]string
	}{
		{"a symbolic link points elsewhere the second time", func(r *tape) {
			r.open("d/l")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "l", 2, addrD, 6)
			r.rcu(addrC, "f", 90000, addrA, 7)
			r.opened(addrA, addrC, 7, "f")
			r.kill(addrA, addrC, "f")
			r.kill(addrD, addrC, "l")
			r.open("d/l")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "l", 2, addrE, 8)
			r.rcu(addrC, "g", 90000, 0, 0)
			r.alloc(addrC, "g", 90000, addrB, 9)
			r.opened(addrB, addrC, 9, "g")
		}, map[Kind]string{Eviction: "0/0/0"}},
		{"a link without a name of its own, to where the path began", func(r *tape) {
			r.open("d/l")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "l", 2, addrD, 6)
			r.opened(addrA, rootAddr, 5, "x")
			r.kill(addrA, rootAddr, "x")
			r.open("d/l")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "l", 2, addrD, 6)
			r.elsewhere(func() { r.alloc(rootAddr, "y", 90000, addrB, 9) })
			r.opened(addrB, rootAddr, 9, "y")
		}, map[Kind]string{Eviction: "0/0/0"}},
		{"two names exchanged", func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "f", 2, addrA, 6)
			r.opened(addrA, addrC, 6, "f")
			r.kill(addrA, addrC, "f")
			r.alloc(addrC, "g", 90000, addrB, 7)
			r.alloc(addrC, "f", 90000, addrD, 6)
			r.change(func(e *schema.Event) { e.Target = addrB })
			r.on(schema.RoleMove, schema.Enter, addrD, addrC, 6, "f")
			r.on(schema.RoleMove, schema.Exit, addrD, addrC, 6, "g")
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "f", 2, addrB, 7)
			r.opened(addrB, addrC, 7, "f")
		}, map[Kind]string{Eviction: "0/0/1"}},
		{"a rename is lost after the alloc", func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "f", 2, addrA, 6)
			r.opened(addrA, addrC, 6, "f")
			r.kill(addrA, addrC, "f")
			r.alloc(addrC, "g", 90000, addrB, 7)
			r.lose(schema.RoleMove, r.now+100, r.now+200)
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "f", 2, addrB, 7)
			r.opened(addrB, addrC, 7, "f")
		}, map[Kind]string{Eviction: "0/0/1"}},
		{"the exit of one open and the entry of the next are lost", func(r *tape) {
			r.open("d/f")
			r.lose(schema.RoleOpen, r.now+100, r.now+200)
			r.rcu(addrC, "g", 2, addrB, 7)
			r.opened(addrB, addrC, 7, "g")
		}, map[Kind]string{Equality: "0/0/1"}},
		{"and what the first was said to have opened is evicted", func(r *tape) {
			r.open("d/f")
			r.lose(schema.RoleOpen, r.now+100, r.now+200)
			r.now += 1000
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "g", 2, addrB, 7)
			r.opened(addrB, addrC, 7, "g")
			r.kill(addrB, addrC, "g")
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrC, 5)
			r.rcu(addrC, "f", 2, 0, 0)
			r.alloc(addrC, "f", 2, addrA, 6)
			r.opened(addrA, addrC, 6, "f")
		}, map[Kind]string{Eviction: "0/0/1"}},
		{"the exit of one rename and the entry of the next are lost", func(r *tape) {
			r.on(schema.RoleMove, schema.Enter, addrA, rootAddr, 5, "a")
			r.lose(schema.RoleMove, r.now+100, r.now+200)
			r.now += 1000
			r.on(schema.RoleMove, schema.Exit, addrB, rootAddr, 6, "d")
		}, map[Kind]string{Move: "0/0/0"}},
		{"an open within the open allocates", func(r *tape) {
			r.open("/dev/x")
			r.rcu(rootAddr, "dev", 1, addrC, 5)
			r.rcu(addrC, "x", 5, addrA, 6)
			r.open("/fw")
			r.rcu(rootAddr, "fw", 1, 0, 0)
			r.alloc(rootAddr, "fw", 1, addrB, 7)
			r.opened(addrB, rootAddr, 7, "fw")
			r.opened(addrA, addrC, 6, "x")
		}, map[Kind]string{Absence: "0/0/0", Equality: "2/0/0"}},
		{"a dentry that was allocated in vain is killed", func(r *tape) {
			r.open("/f")
			r.rcu(rootAddr, "f", 1, 0, 0)
			r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrC, 0) })
			r.allocOnly("f", 1, addrB)
			r.kill(addrB, rootAddr, "f")
			r.fail(2)
			r.open("/f")
			r.rcu(rootAddr, "f", 1, 0, 0)
			r.alloc(rootAddr, "f", 1, addrA, 5)
			r.opened(addrA, rootAddr, 5, "f")
		}, map[Kind]string{Eviction: "0/0/0"}},
		{"a symbolic link followed with a lookup that is not recorded", func(r *tape) {
			for _, p := range r.header.Probe {
				p.Attached = p.Attached && p.Role != schema.RoleLookupChain
			}
			r.keep = func(role schema.Role) bool { return role != schema.RoleLookupChain }
			r.open("l")
			r.rcu(rootAddr, "l", 0, addrA, 5)
			r.look(schema.RoleLookupChain, rootAddr, "f", 90000, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}, map[Kind]string{Key: "0/0/1"}},
		{"dropped, and no probe sees that", func(r *tape) {
			for _, p := range r.header.Probe {
				p.Attached = p.Attached && p.Role != schema.RoleDrop
			}
			r.keep = func(role schema.Role) bool { return role != schema.RoleDrop }
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrA, 0)
			r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 0, "f")
			r.fail(2)
		}, map[Kind]string{Negative: "0/0/1"}},
		{"freed without that being seen, and allocated by another task", func(r *tape) {
			for _, p := range r.header.Probe {
				p.Uncounted = p.Role == schema.RoleFree
			}
			r.alloc(rootAddr, "f", 90000, addrA, 0)
			r.kill(addrA, rootAddr, "f")
			r.open("g")
			r.rcu(rootAddr, "g", 0, addrA, 0)
			r.fail(2)
		}, map[Kind]string{Negative: "0/0/1"}},
		{"the file is there, and its driver says ENOENT", func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 5)
			r.fail(2)
		}, map[Kind]string{Negative: "0/0/1"}},
		{"made, removed, and made again while it is opened", func(r *tape) {
			r.alloc(rootAddr, "f", 90000, addrA, 0)
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 5, "f")
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 0)
			r.elsewhere(func() { r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 9, "f") })
			r.fail(2)
		}, map[Kind]string{Negative: "0/0/1"}},
		{"one name in two directories, one after the other at an address", func(r *tape) {
			r.hit("f", addrA, 5)
			r.kill(addrA, rootAddr, "f")
			r.elsewhere(func() { r.kill(rootAddr, addrC, "d"); r.alloc(addrC, "e", 90000, rootAddr, 7) })
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}, map[Kind]string{Eviction: "0/0/0"}},
		{"and nobody watched the directories", func(r *tape) {
			r.header.ParentsWatched = false
			r.hit("f", addrA, 5)
			r.kill(addrA, rootAddr, "f")
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}, map[Kind]string{Eviction: "0/0/1"}},
		{"and the second was made where the first had been given back", func(r *tape) {
			r.hit("f", addrA, 5)
			r.kill(addrA, rootAddr, "f")
			r.elsewhere(func() { r.alloc(addrC, "e", 90000, rootAddr, 7) })
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.alloc(rootAddr, "f", 0, addrB, 6)
			r.opened(addrB, rootAddr, 6, "f")
		}, map[Kind]string{Eviction: "0/0/0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, tt.play)
			for k, want := range tt.want {
				if got := f.tally(k); got != want {
					t.Errorf("%s: %s, want %s; doubts %+v", k, got, want, f.Doubts)
				}
			}
		})
	}
}
