// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

const targetAddr = pathAddr + 4096 // the second path of an operation on two paths

// walks enters a walk of the path, whose name is at the given address.
func (r *tape) walks(role schema.Role, path string, at uint64) {
	r.put(role, schema.Enter, func(e *schema.Event) {
		e.Name, e.NameLen, e.NameAddr, e.Start, e.DirFD = path, uint32(len(path)), at, rootAddr, schema.ATFDCWD
	})
}

// came returns from a walk with a dentry, or with an errno.
func (r *tape) came(role schema.Role, d, parent, inode uint64, name string, errno int) {
	r.put(role, schema.Exit, func(e *schema.Event) { fillDentry(e, d, parent, inode, name); e.Ret = uint64(-int64(errno)) })
}

// within runs do inside an operation, which then returns an errno.
func (r *tape) within(role schema.Role, errno int, do func()) {
	r.put(role, schema.Enter, func(*schema.Event) {})
	do()
	r.put(role, schema.Exit, func(e *schema.Event) { e.Ret = uint64(-int64(errno)) })
}

// stat asks for f, which exists or is missing.
func (r *tape) stat(errno int, d, inode uint64) {
	r.within(schema.RoleStat, errno, func() {
		r.walks(schema.RoleWalk, "f", pathAddr)
		r.rcu(rootAddr, "f", 0, d, inode)
		if errno != 0 {
			d = 0
		}
		r.came(schema.RoleWalk, d, rootAddr, inode, "f", errno)
	})
}

// unlink removes d/f, or finds that it is missing.
func (r *tape) unlink(errno int, inode uint64) {
	r.within(schema.RoleUnlinkat, errno, func() {
		r.walks(schema.RoleWalkParent, "d/f", pathAddr)
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.came(schema.RoleWalkParent, addrA, rootAddr, 5, "d", 0)
		r.look(schema.RoleLookup, addrA, "f", 2, addrB, inode)
	})
}

// rename renames d/f to d/g; either name may be missing.
func (r *tape) rename(errno int, old, new uint64) {
	r.within(schema.RoleRename, errno, func() {
		for _, path := range []struct {
			name string
			at   uint64
		}{{"d/f", pathAddr}, {"d/g", targetAddr}} {
			r.walks(schema.RoleWalkParent, path.name, path.at)
			r.rcu(rootAddr, path.name[:1], int(path.at-pathAddr), addrA, 5)
			r.came(schema.RoleWalkParent, addrA, rootAddr, 5, "d", 0)
		}
		r.look(schema.RoleLookup, addrA, "f", 2, addrB, old)
		r.look(schema.RoleLookup, addrA, "g", 4098, addrC, new)
	})
}

// proven is what n proven claims must come to.
func proven(n int) []*Reason { return make([]*Reason, n) }

var _ = tested(kindTest{
	proven: func(r *tape) {},
	cases: []cellCase{
		{"stat of a missing name", Negative, proven(1), func(r *tape) { r.stat(2, addrB, 0) }},
		{"stat of a missing name", Absence, proven(2), func(r *tape) { r.stat(2, addrB, 0) }},
		{"stat", Key, proven(1), func(r *tape) { r.stat(0, addrB, 6) }},
		{"stat", Start, proven(1), func(r *tape) { r.stat(0, addrB, 6) }},
		{"stat", Cached, proven(1), func(r *tape) { r.stat(0, addrB, 6) }},
		{"stat that started over", Restart, proven(1), func(r *tape) {
			r.within(schema.RoleStat, 0, func() {
				r.walks(schema.RoleWalk, "f", pathAddr)
				r.rcu(rootAddr, "f", 0, addrB, 6)
				r.look(schema.RoleLookupChain, rootAddr, "f", 0, addrB, 6)
				r.came(schema.RoleWalk, addrB, rootAddr, 6, "f", 0)
			})
		}},
		{"a walk in no operation", Key, proven(1), func(r *tape) {
			r.walks(schema.RoleWalk, "f", pathAddr)
			r.rcu(rootAddr, "f", 0, addrB, 6)
			r.came(schema.RoleWalk, addrB, rootAddr, 6, "f", 0)
		}},
		{"a walk to a parent in no operation", Key, nil, func(r *tape) {
			r.walks(schema.RoleWalkParent, "d/f", pathAddr)
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.came(schema.RoleWalkParent, addrA, rootAddr, 5, "d", 0)
		}},
		{"unlink", Key, proven(1), func(r *tape) { r.unlink(0, 6) }},
		{"unlink of a missing name", Negative, proven(1), func(r *tape) { r.unlink(2, 0) }},
		{"unlink of a name that is there", Negative, nil, func(r *tape) { r.unlink(2, 6) }},
		{"unlink, whose parent is missing", Negative, proven(1), func(r *tape) {
			r.within(schema.RoleUnlinkat, 2, func() {
				r.walks(schema.RoleWalkParent, "d/f", pathAddr)
				r.rcu(rootAddr, "d", 0, addrA, 0)
				r.came(schema.RoleWalkParent, 0, 0, 0, "", 2)
			})
		}},
		{"unlink that was tried again", Key, proven(1), func(r *tape) {
			r.within(schema.RoleUnlinkat, 0, func() {
				for range 2 {
					r.walks(schema.RoleWalkParent, "f", pathAddr)
					r.came(schema.RoleWalkParent, rootAddr, rootAddr, 1, "/", 0)
					r.look(schema.RoleLookup, rootAddr, "f", 0, addrB, 6)
				}
			})
		}},
		{"rename", Key, proven(2), func(r *tape) { r.rename(0, 6, 0) }},
		{"rename of a missing name", Negative, proven(1), func(r *tape) { r.rename(2, 0, 7) }},
		{"rename of a missing name to one that is missing", Negative, proven(2), func(r *tape) { r.rename(2, 0, 0) }},
		{"the exit of the operation was lost", Key, []*Reason{EventsLost}, func(r *tape) {
			r.put(schema.RoleUnlinkat, schema.Enter, func(*schema.Event) {})
			r.walks(schema.RoleWalkParent, "f", pathAddr)
			r.came(schema.RoleWalkParent, rootAddr, rootAddr, 1, "/", 0)
			r.look(schema.RoleLookup, rootAddr, "f", 0, addrB, 6)
			r.lose(schema.RoleUnlinkat, r.now, r.now+1)
			r.now += 10
			r.on(schema.RoleInsert, schema.Exit, addrC, rootAddr, 6, "g")
		}},
	},
})

// The second path of an operation is not mistaken for names that a symbolic link led to.
func TestTwoPathsAreTwoWalks(t *testing.T) {
	said := ""
	f := taped(t, &schema.Footer{}, func(r *tape) { r.rename(0, 6, 0) })
	e, ok := f.example(Key)
	if ok {
		said = e.Claim.Says(code)
	}
	if !ok || strings.Contains(said, "outside the path") {
		t.Errorf("the walk of one says %q", said)
	}
}
