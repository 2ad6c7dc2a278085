// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// A layered filesystem looks up a name in the filesystems beneath it, with the new dentry's own copy of the
// name. This is not a symbolic link: it does not lead the walk elsewhere, it is not a missing name of the
// path, and it changes nothing about what the names of the path came to.
func TestLookupBeneath(t *testing.T) {
	const own = int(addrA + 56 - pathAddr) // offset of D1's copy of the name
	missing := func(meanwhile func(*tape)) func(*tape) {
		return func(r *tape) {
			r.open("f")
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.allocOnly("f", 0, addrA)
			meanwhile(r)
			r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 0, "f")
			r.fail(2)
		}
	}
	below := func(r *tape) {
		r.rcu(addrC, "f", own, 0, 0)
		r.alloc(addrC, "f", own, addrB, 0)
	}
	for _, tt := range []struct {
		name string
		play func(*tape)
		want map[Kind]string
	}{
		{"beneath", missing(below), map[Kind]string{Key: "1/0/0", Negative: "1/0/0", Prefix: "1/0/0"}},
		{"a link's name elsewhere", missing(func(r *tape) { r.rcu(addrC, "f", own+8, 0, 0) }),
			map[Kind]string{Key: "1/0/0", Negative: "0/0/1"}},
		{"the name's memory was given back", missing(func(r *tape) {
			r.kill(addrA, rootAddr, "f")
			below(r)
		}), map[Kind]string{Key: "1/0/0"}},
		{"beneath, another directory", func(r *tape) {
			r.open("d/f")
			r.rcu(rootAddr, "d", 0, addrA, 5)
			r.rcu(addrC, "d", own, addrD, 6)
			r.rcu(addrD, "f", 2, addrB, 7)
			r.opened(addrB, addrD, 7, "f")
		}, map[Kind]string{Key: "0/0/1"}},
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
