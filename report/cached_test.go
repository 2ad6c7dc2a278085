// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

var _ = tested(kindTest{
	proven: func(r *tape) { // the dentry of l is that of everyKind
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
		{"it stopped on the way", Cached, []*Reason{nil}, func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 0)
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

// The part of the path that is said to be answered ends where the walk did.
func TestCachedIsWhatWasLookedUp(t *testing.T) {
	for _, test := range []struct {
		path string
		ends []int // ends of the components that were looked up
		want string
	}{
		{"/a/b/c", []int{2}, "/a"}, {"/a/b/c", []int{2, 4}, "/a/b"}, {"/a/b/c", []int{2, 4, 6}, "/a/b/c"}, {"a/b/", []int{1, 3}, "a/b/"}, {"a/b/..", []int{1, 3}, "a/b/.."},
	} {
		v := &view{collector: &collector{}, enter: &schema.Event{Name: test.path}}
		for _, end := range test.ends {
			v.rows = append(v.rows, row{end: end})
		}
		if got := test.path[:v.lookedUp()]; got != test.want {
			t.Errorf("%s, ends %v: %s, want %s", test.path, test.ends, got, test.want)
		}
	}
}
