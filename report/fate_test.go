// SPDX-License-Identifier: Apache-2.0

package report

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// fate is a recording with what its claims of one kind say.
type fate struct {
	name string
	kind Kind
	play func(*tape)
	said []string // in order: the verdict, and words from the sentence
}

func told(t *testing.T, fates []fate) {
	t.Helper()
	for _, tt := range fates {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, tt.play)
			said := f.said(tt.kind)
			if len(said) != len(tt.said) {
				t.Fatalf("%d claims: %q", len(said), said)
			}
			for i, want := range tt.said {
				verdict, words, _ := strings.Cut(want, " ")
				if !strings.HasPrefix(said[i], verdict+" ") || !strings.Contains(said[i], words) || strings.Contains(said[i], "no dentry") {
					t.Errorf("it says %q, want %q", said[i], want)
				}
			}
		})
	}
}

// said returns what every kept claim of a kind says, each preceded by its verdict.
func (f *Findings) said(k Kind) (out []string) {
	for _, p := range f.Programs {
		claims := p.Claims
		for _, it := range p.Items {
			claims = append(claims, it.Claims...)
		}
		for i := range claims {
			if cl := &claims[i]; cl.Kind == k {
				out = append(out, cl.Verdict.String()+" "+cl.Says(code)+" "+cl.Reason())
			}
		}
	}
	return out
}

// missing opens a name that does not exist: a dentry without an inode is allocated for it.
func (r *tape) missing(then func()) {
	r.open("f")
	r.rcu(rootAddr, "f", 0, 0, 0)
	r.alloc(rootAddr, "f", 0, addrA, 0)
	then()
	r.fail(2)
}

// missingNames are opens of names that do not exist, with what is said about the names.
var missingNames = []fate{
	{"it stays", Negative, func(r *tape) { r.missing(func() {}) },
		[]string{"proven `f` entered the cache as D"}},
	{"it is killed in the same call, as in memory", Negative, func(r *tape) { r.missing(func() { killA(r) }) },
		[]string{"proven not kept: killed at #7"}},
	{"it is dropped in the same call", Negative, func(r *tape) {
		r.missing(func() { r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 0, "f") })
	}, []string{"proven not kept: dropped at #7"}},
	{"the filesystem inserts none, as where case is folded", Negative, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		killA(r)
		r.fail(2)
	}, []string{"proven did not enter the cache"}},
	{"the same, and another thread has allocated the name in another directory", Negative, func(r *tape) {
		r.elsewhere(func() { r.alloc(addrC, "f", 90000, addrB, 0) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		killA(r)
		r.fail(2)
	}, []string{"proven not inserted, killed at #9"}},
	{"the same, and another thread's was over before", Negative, func(r *tape) {
		r.elsewhere(func() { r.allocOnly("f", 90000, addrB); r.kill(addrB, rootAddr, "f") })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		killA(r)
		r.fail(2)
	}, []string{"proven not inserted, killed at #9"}},
	{"the same, and another thread's for the name is not over", Negative, func(r *tape) {
		r.elsewhere(func() { r.allocOnly("f", 90000, addrB) })
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		killA(r)
		r.fail(2)
	}, []string{"unproven one that another thread allocated at #2 may have come first"}},
	{"it was cached before the recording began", Negative, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrA, 0)
		r.fail(2)
	}, []string{"proven `f` is in the cache as D"}},
	{"a directory of the path is missing", Negative, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, 0, 0)
		r.alloc(rootAddr, "d", 0, addrA, 0)
		r.fail(2)
	}, []string{"proven `d` entered the cache as D"}},
	{"the directory was removed", Negative, func(r *tape) {
		r.open("d")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.opened(addrC, rootAddr, 5, "d")
		r.on(schema.RoleDrop, schema.Enter, addrC, rootAddr, 5, "d")
		r.open("f")
		r.rcu(addrC, "f", 0, 0, 0)
		r.fail(2)
	}, []string{"proven the last lookup of `f` returned NULL, and nothing was allocated for it: __d_lookup_rcu return NULL (#8); do_filp_open return −2 (ENOENT) (#9); the directory D2 0xffff888100001180 was out of the hash table at #5"}},
	{"permission is denied", Negative, func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.fail(13)
	}, nil},
	{"it must not exist, and does", Negative, func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, addrC, 5)
		r.fail(17)
	}, nil},
	{"it is made afterwards, on the same dentry", Creation, func(r *tape) {
		r.missing(func() {})
		r.open("f")
		r.look(schema.RoleLookup, rootAddr, "f", 0, addrA, 0)
		r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 5, "f")
		r.opened(addrA, rootAddr, 5, "f")
	}, []string{"proven no inode at #10, inode 0x5 at #11"}},
}

func TestWhatBecomesOfAMissingName(t *testing.T) {
	told(t, missingNames)
}

func TestWhatBecomesOfADeletedDentry(t *testing.T) {
	remove := func(r *tape, left uint64, facts schema.Fact) {
		r.hit("f", addrA, 5)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.changeExit(func(e *schema.Event) { e.Facts |= facts })
		r.on(schema.RoleDelete, schema.Exit, addrA, rootAddr, left, "f")
	}
	told(t, []fate{
		{"it is left without inode", Delete, func(r *tape) { remove(r, 0, 0); r.hit("g", addrB, 6) },
			[]string{"proven without inode at #6, alive at #10, the last event"}},
		{"somebody holds it", Delete, func(r *tape) { remove(r, 5, schema.FactUnhashed); r.hit("g", addrB, 6) },
			[]string{"proven out of the hash table with its inode at #6, since somebody held it, alive at #10"}},
		{"somebody holds it, and lets go", Delete, func(r *tape) { remove(r, 5, schema.FactUnhashed); r.kill(addrA, rootAddr, "f") },
			[]string{"proven since somebody held it, killed at #7"}},
		{"it is killed at once", Delete, func(r *tape) { remove(r, 0, 0); r.kill(addrA, rootAddr, "f") },
			[]string{"proven without inode at #6, killed at #7"}},
		{"its exit shows it untouched, and it leaves the hash table later", Delete, func(r *tape) {
			remove(r, 5, 0)
			r.on(schema.RoleDrop, schema.Enter, addrA, rootAddr, 5, "f")
			r.change(func(e *schema.Event) { e.Facts |= schema.FactUnhashed })
			r.kill(addrA, rootAddr, "f")
		}, []string{"proven (__dentry_kill entry, #8 by prog); killed at #8 "}},
		{"the name is made again", Delete, func(r *tape) {
			remove(r, 0, 0)
			r.on(schema.RoleInstantiate, schema.Exit, addrA, rootAddr, 7, "f")
		}, []string{"proven without inode at #6, given an inode again at #7"}},
		{"an older recording, and a lookup finds it without inode", Delete, func(r *tape) {
			r.hit("f", addrA, 5)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.elsewhere(func() { r.rcu(rootAddr, "f", 0, addrA, 0) })
		}, []string{"proven without inode at #7, alive at #7"}},
		{"an older recording, and it is killed out of the hash table with its inode", Delete, func(r *tape) {
			r.hit("f", addrA, 5)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.change(func(e *schema.Event) { e.Inode, e.Facts = 5, e.Facts|schema.FactUnhashed })
			r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		}, []string{"proven since somebody held it, killed at #6"}},
		{"it was never hit, but allocated by the walk to it", Delete, func(r *tape) {
			r.alloc(rootAddr, "f", 90000, addrA, 5)
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.on(schema.RoleDelete, schema.Exit, addrA, rootAddr, 0, "f")
		}, []string{"proven __d_alloc return, #2"}},
	})
}

func killA(r *tape) { r.kill(addrA, rootAddr, "f") }

func madeAgain(r *tape) { r.made(addrE) }

// beneath opens /d/f, where both d and f are new.
func beneath(r *tape, d, f uint64) {
	r.open("/d/f")
	r.rcu(rootAddr, "d", 1, 0, 0)
	r.alloc(rootAddr, "d", 1, d, 7)
	r.rcu(d, "f", 3, 0, 0)
	r.alloc(d, "f", 3, f, 8)
	r.opened(f, d, 8, "f")
}

// evictionCases are recordings in which a dentry ends, with what is said if that is an eviction.
var evictionCases = []fate{
	{"with the directory it is in", Eviction, func(r *tape) {
		beneath(r, addrA, addrB)
		r.dropCaches(func() { r.kill(addrB, addrA, "f"); r.kill(addrA, rootAddr, "d") })
		beneath(r, addrC, addrD)
	}, []string{"unproven was killed at #14 by drop_caches"}}, // the directory may be another one, renamed to this name
	{"the directory was removed and made again", Eviction, func(r *tape) {
		beneath(r, addrA, addrB)
		r.elsewhere(func() { r.kill(addrB, addrA, "f") })
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 7, "d")
		r.kill(addrA, rootAddr, "d")
		beneath(r, addrC, addrD)
	}, nil},
	{"the directory was renamed, and another has its name", Eviction, func(r *tape) {
		beneath(r, addrA, addrB)
		r.move(addrA, rootAddr, 7, "d", "e")
		r.dropCaches(func() { r.kill(addrB, addrA, "f"); r.kill(addrA, rootAddr, "e") })
		beneath(r, addrC, addrD)
	}, nil},
	{"a missing name that ended in its own open", Eviction, func(r *tape) {
		r.missing(func() { r.kill(addrA, rootAddr, "f") })
		madeAgain(r)
	}, nil},
	{"a missing name that was left behind", Eviction, func(r *tape) {
		r.missing(func() {})
		r.kill(addrA, rootAddr, "f")
		madeAgain(r)
	}, []string{"proven was killed at #8"}},
	{"a file that its own process let go of", Eviction, func(r *tape) {
		r.made(addrA)
		r.kill(addrA, rootAddr, "f")
		madeAgain(r)
	}, nil},
	{"the same, which had been hit", Eviction, func(r *tape) {
		r.made(addrA)
		r.hit("f", addrA, 5)
		r.kill(addrA, rootAddr, "f")
		madeAgain(r)
	}, []string{"proven was killed at #12"}},
	{"a file that was deleted", Eviction, func(r *tape) {
		r.made(addrA)
		r.elsewhere(func() {
			r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
			r.kill(addrA, rootAddr, "f")
		})
		madeAgain(r)
	}, nil},
	{"a file that was deleted, whose dentry stayed", Eviction, func(r *tape) {
		r.made(addrA)
		r.on(schema.RoleDelete, schema.Enter, addrA, rootAddr, 5, "f")
		r.on(schema.RoleDelete, schema.Exit, addrA, rootAddr, 0, "f")
		r.dropCaches(func() { r.kill(addrA, rootAddr, "f") })
		madeAgain(r)
	}, []string{"proven by drop_caches"}},
	{"a file out of the hash table", Eviction, func(r *tape) {
		r.made(addrA)
		r.change(func(e *schema.Event) { e.Facts |= schema.FactUnhashed })
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		madeAgain(r)
	}, nil},
	{"a file that a rename took the place of", Eviction, func(r *tape) {
		r.made(addrA)
		r.alloc(rootAddr, "g", 90000, addrE, 6)
		r.change(func(e *schema.Event) { e.Target = addrA })
		r.move(addrE, rootAddr, 6, "g", "f")
		r.elsewhere(func() { r.kill(addrA, rootAddr, "f") })
		r.hit("f", addrE, 6)
	}, nil},
}

func TestWhatIsAnEviction(t *testing.T) {
	told(t, evictionCases)
}

// A failed open says on which filesystem it looked last.
func TestAFailedOpenSaysWhere(t *testing.T) {
	on := func(kind string, dev uint32) func(*tape) {
		return func(r *tape) {
			r.open("f")
			r.change(func(e *schema.Event) { e.FSType, e.Dev = kind, dev })
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.fail(13)
		}
	}
	told(t, []fate{
		{"its type and device", Absence, on("tmpfs", 25), []string{"proven in a directory on `tmpfs` 0:25 (#2)", "proven "}},
		{"two devices, of the directory and of what was made in it", Absence, func(r *tape) {
			r.open("f")
			r.change(func(e *schema.Event) { e.FSType, e.Dev = "ext4", 8 })
			r.rcu(rootAddr, "f", 0, 0, 0)
			r.changeExit(func(e *schema.Event) { e.FSType, e.Dev = "ext4", 9 })
			r.alloc(rootAddr, "f", 0, addrA, 0)
			r.fail(13)
		}, []string{"proven −13 (EACCES) (#7) "}},
		{"a device that the directory was not on before", Absence, func(r *tape) {
			for _, dev := range []uint32{8, 9} {
				r.open("f")
				r.change(func(e *schema.Event) { e.FSType, e.Dev = "ext4", dev })
				r.rcu(rootAddr, "f", 0, 0, 0)
				r.fail(13)
			}
		}, []string{"proven in a directory on `ext4` 0:8 (#2)", "proven ", "proven −13 (EACCES) (#8) ", "proven "}},
		{"its device alone", Absence, on("", 8<<20|1), []string{"proven in a directory on device 8:1 (#2)", "proven "}},
		{"an older recording", Absence, on("", 0), []string{"proven −13 (EACCES) (#4) ", "proven "}},
	})
}

// Claims of the same kind with the same reason are one doubt, with the first of its subjects.
func TestDoubtsAlikeAreOne(t *testing.T) {
	f := taped(t, &schema.Footer{}, func(r *tape) {
		for i, name := range strings.Split("abcde", "") {
			d := addrA + 0xc0*uint64(i)
			r.hit(name, d, uint64(5+i))
			r.on(schema.RoleDelete, schema.Enter, d, rootAddr, uint64(5+i), name)
		}
	})
	v := f.Verdicts()
	var b strings.Builder
	if err := v.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = "\nunproven: delete of a, b, c and others, 5 times: the state in which d_delete left the dentry was not recorded (first #3 #5)\n"
	if len(v.Doubts) != 1 || v.Doubts[0].Count != 5 || len(v.Doubts[0].Subjects) != 5 || !strings.Contains(b.String(), want) {
		t.Errorf("%+v\n%s", v.Doubts, b.String())
	}
}

// A reason names the part of the path that was not looked up, and its event if that is the same for all
// claims. Text from outside is escaped in it, and its own words are not.
func TestReasonsAreEscaped(t *testing.T) {
	f := taped(t, &schema.Footer{}, func(r *tape) {
		r.open("\x1b[31m<b>/f")
		r.rcu(rootAddr, "f", 9, addrA, 5)
		r.opened(addrA, rootAddr, 5, "f")
		for range 2 {
			r.elsewhere(func() { r.allocOnly("g", 90000, addrB) })
			r.open("g")
			r.rcu(rootAddr, "g", 0, 0, 0)
			r.allocOnly("g", 0, addrC)
			r.kill(addrC, rootAddr, "g")
			r.fail(2)
			r.elsewhere(func() { r.kill(addrB, rootAddr, "g") })
		}
	})
	v := f.Verdicts()
	var check, page strings.Builder
	if err := v.WriteText(&check); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&page, f, PageOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, out, looked, event string }{
		{"check", check.String(), `: not looked up: \x1b[31m<b> (#2)`, ", 2 times: the allocated dentry was not inserted, and one that another thread allocated at #… may"},
		{"page", page.String(), `: not looked up: \\x1b\[31m&lt;b\>`, `, 2 times: the allocated dentry was not inserted, and one that another thread allocated at \#… may`},
	} {
		if !strings.Contains(tt.out, tt.looked+"\n") || !strings.Contains(tt.out, tt.event) || strings.Contains(tt.out, "\x1b") {
			t.Errorf("%s has not %q and %q:\n%s", tt.name, tt.looked, tt.event, tt.out)
		}
	}
}

// Cases about which the report once was wrong.
func TestFatesOfCases(t *testing.T) {
	for _, tt := range []struct {
		trace string
		kind  Kind
		tally string
		words string
	}{
		{"mkrm.pb", Delete, "40/0/0", "alive at #954, the last event"},
		{"heldunlink.pb", Delete, "2/0/0", "since somebody held it, killed at #147"},
		{"casef.pb", Negative, "5/0/0", "allocated for `missing`, did not enter the cache"},
		{"casef.pb", Eviction, "0/0/0", ""},
		{"deadcwd.pb", Negative, "4/0/0", "the last lookup of `x` returned NULL, and nothing was allocated for it"},
	} {
		f, _ := caseFindings(t, tt.trace)
		said := strings.Join(f.said(tt.kind), "\n")
		if got := f.tally(tt.kind); got != tt.tally || !strings.Contains(said, tt.words) || strings.Contains(said, "no dentry") || f.Tally.Total(Refuted) > 0 {
			t.Errorf("%s: %s %s, want %s and %q:\n%s", tt.trace, tt.kind, got, tt.tally, tt.words, said)
		}
	}
}
