// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// tries makes the kernel one of 7.2 or later: dentry_kill is entered for a dentry without users, lets go of
// d_lock to get the lock of the inode, and may then find the dentry in use, or dead.
func (r *tape) tries() {
	for _, p := range r.header.Probe {
		if p.Role == schema.RoleKill {
			p.Symbol = "dentry_kill"
		}
	}
}

func (r *tape) free(d uint64) { r.on(schema.RoleFree, schema.Enter, d, rootAddr, 0, "") }

// waiting runs do as a task whose dentry_kill waits for a lock.
func (r *tape) waiting(do func()) {
	tid, comm := r.tid, r.comm
	r.tid, r.comm = 950, "reclaim"
	do()
	r.tid, r.comm = tid, comm
}

// dropCaches runs do as another task inside drop_caches.
func (r *tape) dropCaches(do func()) {
	r.elsewhere(func() {
		r.put(schema.RoleEvict, schema.Enter, func(*schema.Event) {})
		do()
		r.put(schema.RoleEvict, schema.Exit, func(*schema.Event) {})
	})
}

// made opens f, whose dentry is not in the cache and is allocated.
func (r *tape) made(d uint64) {
	r.open("f")
	r.rcu(rootAddr, "f", 0, 0, 0)
	r.alloc(rootAddr, "f", 0, d, 5)
	r.opened(d, rootAddr, 5, "f")
}

// attemptCases are the claims that a mere attempt to kill may leave in doubt.
var attemptCases = []cellCase{
	{"killed, freed and allocated again, on 7.2", Eviction, []*Reason{nil}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.dropCaches(func() { r.kill(addrA, rootAddr, "f"); r.free(addrA) })
		r.made(addrB)
	}},
	{"perhaps killed, and another allocated", Eviction, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.dropCaches(func() { r.kill(addrA, rootAddr, "f") })
		r.made(addrB)
	}},
	{"killed by one of two", Eviction, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.dropCaches(func() {
			r.kill(addrA, rootAddr, "f")
			r.tid++
			r.kill(addrA, rootAddr, "f")
			r.free(addrA)
			r.tid--
		})
		r.made(addrB)
	}},
	{"killed by one and freed by another", Eviction, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.dropCaches(func() { r.kill(addrA, rootAddr, "f") })
		r.waiting(func() { r.free(addrA) })
		r.made(addrB)
	}},
	{"an attempt waits, and another comes", Eviction, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
		r.dropCaches(func() { r.kill(addrA, rootAddr, "f"); r.free(addrA) })
		r.made(addrB)
	}},
	{"an attempt waits, and the file is deleted and another comes", Delete, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
		r.waiting(func() { r.free(addrA) })
	}},
	{"deleted and freed, and no kill but the one that waited", Delete, []*Reason{MissedEnd}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.waiting(func() { r.free(addrA) })
	}},
	{"an attempt on the other one waits", HardLink, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.hit("f", addrA, 5)
		r.hit("g", addrB, 5)
	}},
	{"the one that waited has freed the other one", HardLink, nil, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.hit("f", addrA, 5)
		r.waiting(func() { r.free(addrA) })
		r.hit("g", addrB, 5)
	}},
	{"the other one was freed, and its kill began before it was watched", HardLink, nil, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.waiting(func() { r.free(addrA) })
		r.hit("g", addrB, 5)
	}},
	{"nothing tells which kills were none", HardLink, []*Reason{NotAttached}, func(r *tape) {
		r.tries()
		for _, p := range r.header.Probe {
			p.Attached = p.Attached && p.Role != schema.RoleFree
		}
		r.hit("f", addrA, 5)
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.hit("f", addrA, 5)
		r.hit("g", addrB, 5)
	}},
	{"freed inside the open by the one that waited", Negative, []*Reason{MissedEnd}, func(r *tape) {
		r.tries()
		r.elsewhere(func() { r.alloc(rootAddr, "f", 90000, addrA, 5) })
		r.waiting(func() { r.kill(addrA, rootAddr, "f") })
		r.elsewhere(func() { r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f") })
		r.open("f")
		r.look(schema.RoleLookupChain, rootAddr, "f", 0, addrA, 0)
		r.waiting(func() { r.free(addrA) })
		r.fail(2)
	}},
	{"hit, deleted, killed and freed, on 7.2", Delete, []*Reason{nil}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
		r.free(addrA)
	}},
	{"hit, deleted and perhaps killed", Delete, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
	}},
	{"hit, deleted and killed by one of two", Delete, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f"); r.free(addrA) })
	}},
	{"the loser was perhaps killed", Race, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.racing(func() { r.alloc(rootAddr, "f", 90000, addrE, 7) }, func() {})
	}},
	{"perhaps killed inside the open", Negative, []*Reason{MaybeKilled}, func(r *tape) {
		r.tries()
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		r.kill(addrB, rootAddr, "f")
		r.fail(2)
	}},
	{"killed and freed inside the open", Negative, []*Reason{nil}, func(r *tape) {
		r.tries()
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		r.kill(addrB, rootAddr, "f")
		r.free(addrB)
		r.fail(2)
	}},
}

// A dentry to which somebody takes a reference was not killed before.
func TestAttemptThatDidNotKill(t *testing.T) {
	play(t, []scenario{
		{"found by the rcu-walk, taken while dentry_kill waits", func(r *tape) {
			r.tries()
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 5)
			r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
			r.opened(addrA, rootAddr, 5, "f")
			r.hit("f", addrA, 5)
		}, map[Kind]string{Equality: "2/0/0", Eviction: "0/0/0"}},
		{"held open by another task, unlinked and made again", func(r *tape) {
			r.tries()
			r.hit("f", addrA, 5)
			r.dropCaches(func() { r.kill(addrA, rootAddr, "f") })
			r.elsewhere(func() { r.hit("f", addrA, 5) })
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.made(addrB)
		}, map[Kind]string{Eviction: "0/0/0", Delete: "0/0/1"}},
		{"killed once after that", func(r *tape) {
			r.tries()
			r.hit("f", addrA, 5)
			r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
			r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
			r.dropCaches(func() { r.kill(addrA, rootAddr, "f"); r.free(addrA) })
			r.made(addrB)
		}, map[Kind]string{Eviction: "1/0/0"}},
		{"a race for the reference that an rcu-walk lost", func(r *tape) {
			r.tries()
			r.hit("f", addrA, 5)
			r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
			r.rcu(rootAddr, "f", 90000, addrA, 5)
			r.elsewhere(func() { r.free(addrA) })
			r.made(addrB)
		}, map[Kind]string{Eviction: "1/0/0"}},
	})
}
