// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// An overflow of the watch set makes uncertain what is said about the dentries that found no room, and
// nothing else, before, after or beside them.
func TestUnwatchedDentriesOnlyAreInDoubt(t *testing.T) {
	unwatched := func(e *schema.Event) { e.Facts |= schema.FactUnwatched }
	f := taped(t, &schema.Footer{Lost: 3}, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		if err := r.w.Loss(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_UNWATCHED, Role: schema.RoleLookupRCU,
			Count: 3, FirstNs: r.now, LastNs: r.now}); err != nil {
			t.Fatal(err)
		}
		r.open("d/g")
		r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) {
			e.Parent, e.Name, e.NameLen, e.NameAddr, e.Hash = rootAddr, "d", 1, pathAddr, schema.HashName(rootAddr, "d")
		})
		r.put(schema.RoleLookupRCU, schema.Exit, func(e *schema.Event) {
			fillDentry(e, addrB, rootAddr, 6, "d")
			unwatched(e)
		})
		r.rcu(addrB, "g", 2, addrC, 7)
		r.put(schema.RoleOpen, schema.Exit, func(e *schema.Event) {
			e.Ret = 0xffff888700000000
			fillDentry(e, addrC, addrB, 7, "g")
			unwatched(e)
		})
		r.on(schema.RoleDelete, schema.Enter, addrC, addrB, 7, "g")
		r.kill(addrC, addrB, "g")
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
	})
	for k, want := range map[Kind]string{Equality: "2/0/1", Key: "2/0/1", Delete: "0/0/1", Hash: "4/0/0", Prefix: "4/0/0"} {
		if got := f.tally(k); got != want {
			t.Errorf("%s: %s, want %s", k, got, want)
		}
	}
	for _, d := range f.Doubts {
		if d.Claim.Why != Unwatched && d.Claim.Kind != Delete {
			t.Errorf("%s of %s: %s", d.Claim.Kind, d.Claim.Subject, d.Reason())
		}
	}
	if f.Lost != 3 || len(f.Windows) != 1 || !strings.Contains(f.Windows[0].Why, "watch set full") {
		t.Errorf("lost %d, windows %+v", f.Lost, f.Windows)
	}
}

// The dentry that found no room may have died unseen and be another one at the same address, even if a
// later event of it was watched.
func TestAnUnwatchedDentryStaysInDoubt(t *testing.T) {
	f := taped(t, &schema.Footer{}, func(r *tape) {
		for _, fact := range []schema.Fact{schema.FactUnwatched, 0} {
			r.open("f")
			r.rcu(rootAddr, "f", 0, addrA, 5)
			r.put(schema.RoleOpen, schema.Exit, func(e *schema.Event) {
				e.Ret = 0xffff888700000000
				fillDentry(e, addrA, rootAddr, 5, "f")
				e.Facts |= fact
			})
		}
		r.kill(addrA, rootAddr, "f")
		r.on(schema.RoleFree, schema.Enter, addrA, rootAddr, 0, "f")
		r.open("f") // allocated again, and watched
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
	})
	if got := f.tally(Equality); got != "1/0/2" {
		t.Errorf("equality: %s, want 1/0/2", got)
	}
	if got := f.tally(Eviction); got != "0/0/1" {
		t.Errorf("eviction of a dentry that may have been evicted before: %s, want 0/0/1", got)
	}
}
