// SPDX-License-Identifier: Apache-2.0

package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// contradictedCases lead every kind of claim to a dentry whose events contradict each other. Each case has
// another event, or something else that the event shows.
var contradictedCases = []cellCase{
	contradiction(Key, "a directory was inserted twice", func(r *tape) {
		r.alloc(rootAddr, "d", 90000, addrA, 5)
		r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 5, "d")
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}),
	contradiction(Key, "the last lookup returned another name", func(r *tape) {
		r.open("f")
		r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) {
			e.Parent, e.Name, e.NameLen, e.NameAddr, e.Hash = rootAddr, "f", 1, pathAddr, schema.HashName(rootAddr, "f")
		})
		r.put(schema.RoleLookupRCU, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "z") })
		r.fail(13)
	}),
	contradiction(Equality, "the open returns another name", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "g")
	}),
	contradiction(Negative, "inserted under another parent than it is found under", func(r *tape) {
		r.alloc(addrA, "f", 90000, addrB, 0)
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrB, 0)
		r.fail(2)
	}),
	contradiction(Creation, "the inode goes to a dentry of another name", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 0)
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "g")
		r.opened(addrB, rootAddr, 6, "g")
	}),
	contradiction(Eviction, "the one that was killed had another inode", func(r *tape) {
		r.hit("f", addrA, 5)
		r.inodes[addrA] = 7
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.alloc(rootAddr, "f", 0, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}),
	contradiction(Delete, "the one that was killed has another name", func(r *tape) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.kill(addrA, rootAddr, "z")
	}),
	contradiction(Move, "a rename of another name", func(r *tape) {
		r.hit("f", addrA, 5)
		r.move(addrA, rootAddr, 5, "x", "y")
	}),
	contradiction(HardLink, "the first was opened by a lookup of another name", func(r *tape) {
		r.open("f")
		r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) {
			e.Parent, e.Name, e.NameLen, e.NameAddr = rootAddr, "q", 1, pathAddr
		})
		r.put(schema.RoleLookupRCU, schema.Exit, func(e *schema.Event) { fillDentry(e, addrA, rootAddr, 5, "f") })
		r.opened(addrA, rootAddr, 5, "f")
		r.hit("l", addrB, 5)
	}),
	contradiction(Race, "the one that was faster is in another directory at the next sight", func(r *tape) {
		r.racing(func() {
			r.alloc(rootAddr, "f", 90000, addrE, 7)
			r.on(schema.RoleDrop, schema.Enter, addrE, addrA, 7, "f")
			r.on(schema.RoleInsert, schema.Exit, addrE, rootAddr, 7, "f")
		}, func() {})
	}),
}

func contradiction(k Kind, name string, play func(*tape)) cellCase {
	return cellCase{name, k, []*Reason{Contradicted}, play}
}

func look(r *tape, role schema.Role, d, parent, inode uint64, name string) {
	r.look(role, parent, name, 90000, d, inode)
}

// contradicting are recordings whose events do not fit together, each with the reason that is expected.
var contradicting = []struct {
	name string
	want string // suffix of the reason of the last open's equality; empty: it is proven
	play func(*tape)
}{
	{"nothing changes", "", func(r *tape) { look(r, schema.RoleLookup, addrB, rootAddr, 6, "f") }},
	{"another name", "it has another name, and no event before gave it that", func(r *tape) { r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 6, "g") }},
	{"another name at a lookup of that", "it has another name, and no event before gave it that", func(r *tape) { look(r, schema.RoleLookupRCU, addrB, rootAddr, 6, "g") }},
	{"another parent", "it has another parent, and no event before moved it there", func(r *tape) { look(r, schema.RoleLookupChain, addrB, addrA, 6, "f") }},
	{"another inode", "it has another inode, and no event before gave it that", func(r *tape) { look(r, schema.RoleLookup, addrB, rootAddr, 7, "f") }},
	{"no inode", "it has no inode, and no event before took it", func(r *tape) { look(r, schema.RoleLookup, addrB, rootAddr, 0, "f") }},
	{"another inode without losing the first", "it has another inode, and no event before gave it that", func(r *tape) {
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 7, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
	}},
	{"inserted twice", "it was inserted a second time, and no event before took it out", func(r *tape) {
		r.on(schema.RoleDrop, schema.Enter, addrB, rootAddr, 6, "f")
		r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 6, "f")
		r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 6, "f")
	}},
	{"a lookup of another name", "a lookup of another name or parent returned it", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen = rootAddr, "z", 1 })
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "f") })
	}},
	{"a lookup in another directory", "a lookup of another name or parent returned it", func(r *tape) {
		r.put(schema.RoleLookupRCU, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen = addrA, "f", 1 })
		r.put(schema.RoleLookupRCU, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "f") })
	}},
	{"another filesystem", "it is on another filesystem", func(r *tape) {
		for _, dev := range []uint32{8, 9} {
			r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen, e.FSType, e.Dev = addrB, "x", 1, "ext4", dev })
			r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) {})
		}
	}},
	{"the root of a filesystem, and in a directory", "it has another parent, and no event before moved it there", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen, e.Facts = addrB, "x", 1, schema.FactParentIsRoot })
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) {})
	}},
	{"its directory is younger than it", "its directory was allocated after it", func(r *tape) {
		r.elsewhere(func() { r.allocOnly("d", 90000, rootAddr) })
		look(r, schema.RoleLookup, addrB, rootAddr, 6, "f")
	}},
	{"moved, but to another name than it has then", "it has another name, and no event before gave it that", func(r *tape) {
		r.move(addrB, rootAddr, 6, "f", "h")
		look(r, schema.RoleLookup, addrB, rootAddr, 6, "f")
	}},
	{"moved to another place than that of the one it displaced", "it was moved, and not to where the dentry was whose place it took", func(r *tape) {
		look(r, schema.RoleLookup, addrC, rootAddr, 8, "g")
		r.change(func(e *schema.Event) { e.Target = addrC })
		r.move(addrB, rootAddr, 6, "f", "h")
		r.move(addrB, rootAddr, 6, "h", "f")
	}},
	{"another inode, read by the task that gave it that later", "it has another inode, and no event before gave it that", func(r *tape) {
		look(r, schema.RoleLookupRCU, addrB, rootAddr, 7, "f")
		r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 6, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 7, "f")
		r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 7, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
	}},
	{"another inode, and still when nothing could change it", "it has another inode, and no event before gave it that", func(r *tape) {
		r.elsewhere(func() { look(r, schema.RoleLookupRCU, addrB, rootAddr, 7, "f") })
		r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 7, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 7, "f")
		r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 7, "f")
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
	}},
	{"a lookup of another name, and then an inode", "a lookup of another name or parent returned it", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen = rootAddr, "z", 1 })
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "f") })
		r.elsewhere(func() {
			r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 6, "f")
			r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
		})
	}},
	{"a lookup of another name, and then a move to a third", "a lookup of another name or parent returned it", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen = rootAddr, "z", 1 })
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "f") })
		r.elsewhere(func() {
			r.move(addrB, rootAddr, 6, "f", "h")
			r.move(addrB, rootAddr, 6, "h", "f")
		})
	}},
	{"another name and inode, and then a move", "it has another name, and no event before gave it that", func(r *tape) {
		look(r, schema.RoleLookup, addrB, rootAddr, 7, "h")
		r.elsewhere(func() {
			r.move(addrB, rootAddr, 6, "f", "h")
			r.move(addrB, rootAddr, 6, "h", "f")
		})
	}},

	{"moved there and back", "", func(r *tape) {
		r.move(addrB, rootAddr, 6, "f", "h")
		look(r, schema.RoleLookup, addrB, rootAddr, 6, "h")
		r.move(addrB, rootAddr, 6, "h", "f")
	}},
	{"read by a lookup while it was moved there", "", func(r *tape) {
		r.elsewhere(func() { look(r, schema.RoleLookupRCU, addrB, rootAddr, 6, "h") })
		r.tid = 901
		r.move(addrB, rootAddr, 6, "f", "h")
		r.move(addrB, rootAddr, 6, "h", "f")
		r.tid = 100
	}},
	{"read by a lookup that was interrupted for two moves", "", func(r *tape) {
		r.elsewhere(func() { look(r, schema.RoleLookupRCU, addrB, rootAddr, 6, "h") })
		r.tid = 901
		r.move(addrB, rootAddr, 6, "f", "g")
		r.move(addrB, rootAddr, 6, "g", "h")
		r.move(addrB, rootAddr, 6, "h", "f")
		r.tid = 100
	}},
	{"read by a lookup, and moved there twice since its task went on", "it has another name, and no event before gave it that", func(r *tape) {
		r.elsewhere(func() {
			look(r, schema.RoleLookupRCU, addrB, rootAddr, 6, "h")
			look(r, schema.RoleLookupRCU, addrC, rootAddr, 7, "k")
		})
		r.tid = 901
		r.move(addrB, rootAddr, 6, "f", "g")
		r.move(addrB, rootAddr, 6, "g", "h")
		r.move(addrB, rootAddr, 6, "h", "f")
		r.tid = 100
	}},
	{"found before it was moved, and read after", "", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) { e.Parent, e.Name, e.NameLen = rootAddr, "f", 1 })
		r.elsewhere(func() { r.move(addrB, rootAddr, 6, "f", "h") })
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "h") })
		r.elsewhere(func() { r.move(addrB, rootAddr, 6, "h", "f") })
	}},
	{"deleted and made again, and seen by a lookup before that was told", "", func(r *tape) {
		r.on(schema.RoleDelete, schema.Enter, addrB, rootAddr, 6, "f")
		look(r, schema.RoleLookup, addrB, rootAddr, 0, "f")
		r.elsewhere(func() { look(r, schema.RoleLookupRCU, addrB, rootAddr, 6, "f") })
		r.on(schema.RoleInstantiate, schema.Exit, addrB, rootAddr, 6, "f")
	}},
	{"case is folded", "", func(r *tape) {
		r.put(schema.RoleLookup, schema.Enter, func(e *schema.Event) {
			e.Parent, e.Name, e.NameLen, e.Facts = rootAddr, "F", 1, schema.FactParentOpHash
		})
		r.put(schema.RoleLookup, schema.Exit, func(e *schema.Event) { fillDentry(e, addrB, rootAddr, 6, "f") })
	}},
	{"another name, where a rename may be lost", "1 (ring buffer full)", func(r *tape) {
		r.lose(schema.RoleMove, r.now+100, r.now+200)
		look(r, schema.RoleLookup, addrB, rootAddr, 6, "g")
		look(r, schema.RoleLookup, addrB, rootAddr, 6, "f")
	}},
}

// A contradiction is named with its event, wherever it occurs. It is not one if an event explains it, or a
// lost event may explain it.
func TestContradictions(t *testing.T) {
	for _, tt := range contradicting {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, func(r *tape) {
				r.alloc(rootAddr, "f", 90000, addrB, 6)
				tt.play(r)
				r.hit("f", addrB, 6)
			})
			var got []string
			for _, d := range f.Doubts {
				if d.Claim.Kind == Equality {
					got = append(got, d.Reason())
				}
			}
			if tt.want == "" {
				if f.tally(Equality) != "1/0/0" {
					t.Errorf("%s: %q", f.tally(Equality), got)
				}
			} else if f.tally(Equality) != "0/0/1" || !strings.HasSuffix(got[0], tt.want) {
				t.Errorf("%s: %q, want %q", f.tally(Equality), got, tt.want)
			}
		})
	}
}

// Handmade traces, each with a few events that cannot all be about one dentry, or with a loss record whose
// window is reversed.
func TestTracesThatContradictThemselves(t *testing.T) {
	for name, want := range map[string]string{
		"H01-delete-chain-reused":       "delete: the events contradict each other: at #11 it has another name, and no event before gave it that",
		"H02-equality-other-name":       "equality: the events contradict each other: at #10 it has another name, and no event before gave it that",
		"H03-lookup-returns-other-name": "equality: the events contradict each other: at #3 a lookup of another name or parent returned it",
		"H13-loss-window-inverted":      "equality: events lost in the window: 3 (ring buffer full; its record ends before it begins)",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", "contradictions", name+".pb"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range collect(t, b).Doubts {
			got = append(got, d.Claim.Kind.String()+": "+d.Reason())
		}
		if !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// No recording of a working kernel contradicts itself.
func TestNoRecordingContradictsItself(t *testing.T) {
	for name, m := range wholeTraces(t) {
		if _, err := Judge(m, Options{Each: func(cl *Claim) {
			if cl.Why == Contradicted {
				t.Errorf("%s: %s of %q: %s", name, cl.Kind, cl.Subject, cl.Reason())
			}
		}}); err != nil {
			t.Fatal(err)
		}
	}
}
