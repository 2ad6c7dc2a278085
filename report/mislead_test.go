// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// misleading are recordings in which something could be mistaken for something else.
var misleading = []scenario{
	{"a symbolic link points elsewhere the second time", func(r *tape) {
		r.open("d/l")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "l", 2, addrD, 6)
		r.rcu(addrC, "f", 90000, addrA, 7)
		r.opened(addrA, addrC, 7, "f")
		r.elsewhere(func() { r.kill(addrA, addrC, "f") })
		r.elsewhere(func() { r.kill(addrD, addrC, "l") })
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
		r.elsewhere(func() { r.kill(addrA, rootAddr, "x") })
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
		r.elsewhere(func() { r.kill(addrA, addrC, "f") })
		r.alloc(addrC, "g", 90000, addrB, 7)
		r.alloc(addrC, "f", 90000, addrD, 6)
		r.change(func(e *schema.Event) { e.Target = addrB })
		r.on(schema.RoleMove, schema.Enter, addrD, addrC, 6, "f")
		r.on(schema.RoleMove, schema.Exit, addrD, addrC, 6, "g")
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "f", 2, addrB, 7)
		r.opened(addrB, addrC, 7, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"a rename is lost after the alloc", func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "f", 2, addrA, 6)
		r.opened(addrA, addrC, 6, "f")
		r.elsewhere(func() { r.kill(addrA, addrC, "f") })
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
	}, map[Kind]string{Equality: "0/0/0", Key: "0/0/1"}},
	{"and what the first was said to have opened is evicted", func(r *tape) {
		r.open("d/f")
		r.lose(schema.RoleOpen, r.now+100, r.now+200)
		r.now += 1000
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "g", 2, addrB, 7)
		r.opened(addrB, addrC, 7, "g")
		r.elsewhere(func() { r.kill(addrB, addrC, "g") })
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "f", 2, 0, 0)
		r.alloc(addrC, "f", 2, addrA, 6)
		r.opened(addrA, addrC, 6, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
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
	}, map[Kind]string{Negative: "1/0/0"}},
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
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.elsewhere(func() { r.kill(rootAddr, addrC, "d"); r.alloc(addrC, "e", 90000, rootAddr, 7) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"and nobody watched the directories", func(r *tape) {
		r.header.ParentsWatched = false
		r.hit("f", addrA, 5)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}, map[Kind]string{Eviction: "0/0/1"}},
	{"and the second was made where the first had been given back", func(r *tape) {
		r.hit("f", addrA, 5)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.elsewhere(func() { r.alloc(addrC, "e", 90000, rootAddr, 7) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"a d_lookup that found another dentry is lost", func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() {
			r.kill(addrA, rootAddr, "f")
			r.alloc(rootAddr, "f", 90000, addrB, 0)
		})
		r.lose(schema.RoleLookup, r.now+100, r.now+200)
		r.now += 1000
		r.fail(2)
	}, map[Kind]string{Negative: "0/0/1"}},
	{"the same with the probe not attached", func(r *tape) {
		for _, p := range r.header.Probe {
			p.Attached = p.Attached && p.Role != schema.RoleLookupChain
		}
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() {
			r.kill(addrA, rootAddr, "f")
			r.alloc(rootAddr, "f", 90000, addrB, 0)
		})
		r.fail(2)
	}, map[Kind]string{Negative: "0/0/1"}},
	{"a lookup that is lost before the open matters to nobody", func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 0) })
		r.lose(schema.RoleLookup, r.now+100, r.now+200)
		r.lose(schema.RoleLookupChain, r.now+100, r.now+200)
		r.now += 1000
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
	}, map[Kind]string{Negative: "1/0/0"}},
	{"made and removed while held open: unhashed, with its inode", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() {
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 9, "f")
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 9, "f")
		})
		r.fail(2)
	}, map[Kind]string{Negative: "0/0/1"}},
	{"made, removed and made again", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrA, 0)
		r.elsewhere(func() {
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 9, "f")
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 9, "f")
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 10, "f")
		})
		r.fail(2)
	}, map[Kind]string{Negative: "0/0/1"}},
	{"d_delete entered before the open returned, and done after the close: the inode is another one", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.elsewhere(func() { r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f") })
		r.opened(addrA, rootAddr, 5, "f")
		r.hit("g", addrB, 5)
	}, map[Kind]string{HardLink: "0/0/0"}},
	{"the same, and that delete is lost", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.lose(schema.RoleDelete, r.now+100, r.now+200)
		r.now += 1000
		r.opened(addrA, rootAddr, 5, "f")
		r.hit("g", addrB, 5)
	}, map[Kind]string{HardLink: "0/0/1"}},
	{"removed, made again in the same dentry, and its old inode is another file's", func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 6, "f")
		r.hit("g", addrB, 5)
	}, map[Kind]string{HardLink: "0/0/0"}},
	{"a file made again in the dentry of one that was removed", func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 6, "f")
		r.hit("f", addrA, 6)
		r.hit("g", addrB, 6)
	}, map[Kind]string{HardLink: "1/0/0"}},
	{"two dentries of one name, the first never hashed, are no hard link", func(r *tape) {
		r.open("f")
		r.look(schema.RoleLookup, rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 5, "f")
		r.opened(addrA, rootAddr, 5, "f")
		r.made(addrB)
	}, map[Kind]string{HardLink: "0/0/0"}},
	{"another directory came to the address of the first inside the open", func(r *tape) {
		r.elsewhere(func() { r.alloc(addrC, "f", 90000, addrA, 0) })
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "f", 2, addrA, 0)
		r.elsewhere(func() {
			r.kill(addrA, addrC, "f")
			r.free(addrA)
			r.kill(addrC, rootAddr, "d")
			r.free(addrC)
			r.alloc(rootAddr, "d", 90000, addrC, 9)
		})
		r.fail(2)
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 9)
		r.rcu(addrC, "f", 2, 0, 0)
		r.alloc(addrC, "f", 2, addrB, 0)
		r.fail(2)
	}, map[Kind]string{Eviction: "0/0/0"}},
	{"a lookup that failed, and a dentry allocated after the first was thrown away", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrF)
		r.kill(addrF, rootAddr, "f")
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) })
		r.look(schema.RoleLookup, rootAddr, "f", 0, addrE, 7)
		r.opened(addrE, rootAddr, 7, "f")
	}, map[Kind]string{Race: "0/0/0"}},
	{"an old dentry put back into the hash table (d_exact_alias)", func(r *tape) {
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) })
		r.elsewhere(func() { r.on(schema.RoleDrop, schema.Enter, addrE, rootAddr, 7, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrF)
		r.on(schema.RoleInsert, schema.Exit, addrE, rootAddr, 7, "f")
		r.kill(addrF, rootAddr, "f")
		r.opened(addrE, rootAddr, 7, "f")
	}, map[Kind]string{Race: "0/0/0"}},
}

// What a trace leaves out, or a kernel seldom does, is not misread. Most of these claims were once proven,
// and false.
func TestNotMisled(t *testing.T) {
	play(t, misleading)
}

// scenario is a recording, with how many claims of some kinds in it are proven, refuted and unproven.
type scenario struct {
	name string
	play func(*tape)
	want map[Kind]string
}

func play(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, tt := range scenarios {
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
