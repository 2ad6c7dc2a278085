// SPDX-License-Identifier: Apache-2.0

package report

import "github.com/dtrec/dtrec/schema"

// lifeCases are cases about the lives of dentries.
var lifeCases = []cellCase{
	{"killed and allocated again", Eviction, []*Reason{nil}, func(r *tape) {
		r.open("/f")
		r.rcu(rootAddr, "f", 1, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("/f")
		r.rcu(rootAddr, "f", 1, 0, 0)
		r.alloc(rootAddr, "f", 1, addrB, 5)
		r.opened(addrB, rootAddr, 5, "f")
	}},
	{"the directories were not watched", Eviction, []*Reason{OtherDirectory}, func(r *tape) {
		r.header.ParentsWatched = false
		r.hit("f", addrA, 5)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 5)
		r.opened(addrB, rootAddr, 5, "f")
	}},
	{"where case is folded, a dentry allocated for another spelling", Eviction, []*Reason{OtherName}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("F")
		r.rcu(rootAddr, "F", 0, 0, 0)
		r.alloc(rootAddr, "F", 0, addrB, 5)
		r.opened(addrB, rootAddr, 5, "F")
		r.open("f")
		r.folded("f", "F", addrB, 5)
		r.opened(addrB, rootAddr, 5, "F")
	}},
	{"hit, deleted and killed", Delete, []*Reason{nil}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
	}},
	{"hit by another task, deleted and killed", Delete, []*Reason{nil}, func(r *tape) {
		r.elsewhere(func() { r.hit("f", addrA, 5) })
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "f")
	}},
	{"alive at the end, and nothing shows what d_delete left", Delete, []*Reason{LeftUnseen}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
	}},
	{"deleted, with an inode that cannot be read when d_delete returns", Delete, []*Reason{LeftUnseen}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactInodeUnknown })
		r.on(schema.RoleDelete, schema.Exit, addrA, rootAddr, 0, "f")
	}},
	{"renamed after it was killed", Move, []*Reason{AfterItsEnd}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.kill(addrA, rootAddr, "f")
		r.move(addrA, rootAddr, 5, "f", "g")
	}},
	{"opened after it was killed, with the inode of another", HardLink, []*Reason{AfterItsEnd}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.open("g")
		r.rcu(rootAddr, "g", 0, addrB, 5)
		r.elsewhere(func() { r.kill(addrB, rootAddr, "g") })
		r.opened(addrB, rootAddr, 5, "g")
	}},
	{"another name", Move, []*Reason{nil}, func(r *tape) { r.move(addrA, rootAddr, 5, "f", "g") }},
	{"the same name again", Move, []*Reason{Unmoved}, func(r *tape) { r.move(addrA, rootAddr, 5, "f", "f") }},
	{"a new name that could not be read", Move, []*Reason{CutName}, func(r *tape) {
		r.changeExit(func(e *schema.Event) { e.Name = "" })
		r.move(addrA, rootAddr, 5, "f", "g")
	}},
	{"two names, one inode", HardLink, []*Reason{nil}, func(r *tape) { r.hit("f", addrA, 5); r.hit("g", addrB, 5) }},
	{"opened by its descriptor alone, and nothing shows that it is a name", HardLink, []*Reason{NameUnseen}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.open("/proc/self/fd/4")
		r.opened(addrB, rootAddr, 5, "g")
	}},
	{"a file without a name, as O_TMPFILE makes it", HardLink, nil, func(r *tape) {
		r.open(".")
		r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactUnhashed })
		r.opened(addrA, rootAddr, 5, "#16")
		r.hit("g", addrB, 5)
	}},
	{"a disconnected alias, as a file handle makes it", HardLink, nil, func(r *tape) {
		r.hit("f", addrA, 5)
		r.open("/proc/self/fd/4")
		r.opened(addrB, addrB, 5, "/")
		r.hit("f", addrA, 5)
	}},
	{"another was renamed over the first, and a descriptor holds it", HardLink, nil, func(r *tape) {
		r.hit("f", addrA, 5)
		r.hit("h", addrC, 7)
		r.change(func(e *schema.Event) { e.Target = addrA })
		r.move(addrC, rootAddr, 7, "h", "f")
		r.hit("g", addrB, 5)
	}},
	{"the first was dropped", HardLink, nil, func(r *tape) {
		r.hit("f", addrA, 5)
		r.elsewhere(func() { r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 5, "f") })
		r.hit("g", addrB, 5)
	}},
	{"the first changed places with another", HardLink, []*Reason{nil}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.hit("h", addrC, 7)
		r.change(func(e *schema.Event) { e.Target, e.Facts = addrA, schema.FactExchange })
		r.move(addrC, rootAddr, 7, "h", "f")
		r.hit("g", addrB, 5)
	}},
	{"and nothing says that it did, but that it was inserted again", HardLink, []*Reason{nil}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.hit("h", addrC, 7)
		r.change(func(e *schema.Event) { e.Target = addrA })
		r.on(schema.RoleMove, schema.Enter, addrC, rootAddr, 7, "h")
		r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 5, "h")
		r.on(schema.RoleInsert, schema.Exit, addrC, rootAddr, 7, "f")
		r.on(schema.RoleMove, schema.Exit, addrC, rootAddr, 7, "f")
		r.hit("g", addrB, 5)
	}},
	{"the first was killed", HardLink, nil, func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleKill, schema.Enter, addrA, rootAddr, 5, "f")
		r.hit("g", addrB, 5)
	}},
	{"the first was deleted", HardLink, nil, func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.hit("g", addrB, 5)
	}},
	{"the first one's address was handed out again", HardLink, []*Reason{MissedEnd}, func(r *tape) {
		r.hit("f", addrA, 5)
		r.alloc(rootAddr, "zzz", 90000, addrA, 7)
		r.hit("g", addrB, 5)
	}},
}

// racing opens f, whose dentry another thread may allocate in the meantime. The open then discards its own.
func (r *tape) racing(meanwhile, then func()) {
	r.open("f")
	r.rcu(rootAddr, "f", 0, 0, 0)
	r.elsewhere(meanwhile)
	r.allocOnly("f", 0, addrF)
	r.rcu(rootAddr, "f", 0, addrE, 7)
	r.kill(addrF, rootAddr, "f")
	r.elsewhere(then)
	r.opened(addrC, rootAddr, 7, "f")
}

// racingAbove opens d/f, and has another thread do the same with d.
func (r *tape) racingAbove() {
	r.open("d/f")
	r.rcu(rootAddr, "d", 0, 0, 0)
	r.elsewhere(func() { r.alloc(rootAddr, "d", 90000, addrE, 7) })
	r.allocOnly("d", 0, addrF)
	r.kill(addrF, rootAddr, "d")
	r.rcu(addrE, "f", 2, addrB, 6)
	r.opened(addrB, addrE, 6, "f")
}
