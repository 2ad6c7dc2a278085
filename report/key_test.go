// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// inKind returns, for every claim of a kind in a trace of testdata, its subject and what it says, with its
// verdict and without addresses.
func inKind(t *testing.T, name string, k Kind) [][2]string {
	t.Helper()
	r := tracetest.Open(t, filepath.Join("testdata", name))
	var out [][2]string
	if _, err := Judge(r, Options{Each: func(cl *Claim) {
		if cl.Kind == k {
			out = append(out, [2]string{cl.Subject, said(cl)})
		}
	}}); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return out
}

var addresses = regexp.MustCompile(`( D\d+)? 0x[0-9a-f]+`)

// said returns what a claim says, with its verdict and reason, without addresses.
func said(cl *Claim) string {
	s := cl.Verdict.String() + ": " + cl.Says(func(s string) string { return s })
	if cl.Reason() != "" {
		s += " — " + cl.Reason()
	}
	return addresses.ReplaceAllString(s, "$1")
}

// Where a walk stops, nothing is claimed about what it did not look up, and what led it on is named.
func TestKeyOfRealWalks(t *testing.T) {
	for _, tt := range []struct{ trace, path, ends string }{
		{"errs.pb", "/tmp/private/secret", "private under (#312) → D11 (#313); stopped at private: −13 (EACCES) (#314), not looked up: secret"},
		{"errs.pb", "/tmp/private/nothere", "stopped at private: −13 (EACCES) (#320), not looked up: nothere"},
		{"errs.pb", "/tmp/file/x", "file under (#143) → D10 (#144); stopped at file: −20 (ENOTDIR) (#145), not looked up: x"},
		{"errs.pb", "/tmp/newdir/", "tmp under (#299) → D8 (#300); stopped at tmp: −21 (EISDIR) (#301), not looked up: newdir"},
		{"errs.pb", "/tmp/ro/new", "new under (#334) → D20 (#341); stopped at new: −13 (EACCES) (#345)"},
		{"errs.pb", "/tmp/l1", "then lookups of names outside the path, a symbolic link's or a filesystem's own (#189 to #267); stopped there: −40 (ELOOP) (#269)"},
		{"misc.pb", "../../../etc/inside", "proven: after ..: etc under (#136) → D12 (#137); inside under (#138) → D13 (#139)"},
		{"misc.pb", "etc/../etc/inside", "proven: etc under (#148) → D12 (#149); after ..: etc under (#150) → D12 (#151); inside under (#152) → D13 (#153)"},
		{"misc.pb", "up/inside", "up under (#142) → D15 (#145); stopped at up: −18 (EXDEV) (#146), not looked up: inside"},
		{"misc.pb", "/tmp/x/root/etc/inside", "root under (#404) → D22 (#405); after that mount point, in a directory that is not the root of a filesystem: etc under D11 (#406) → D12 (#407); inside under (#408) → D13 (#409)"},
		{"misc.pb", "/tmp/x/root/../root/etc/inside", "root under (#416) → D22 (#417); after ..: root under (#418) → D22 (#419); after that mount point, in a directory that is not the root of a filesystem: etc under D11 (#420) → D12 (#421); inside under (#422) → D13 (#423)"},
		{"misc.pb", "/proc/self/root/tmp/x/root/etc/inside", "— a component was looked up under another dentry than the previous component led to, and nothing recorded leads there"},
		{"linkmount.pb", "/tmp/hz/lmnt/L/nope", "L under (#294) → D12 (#295); after that mount point, in the root of a filesystem: nope under (#296) → D25 (#303); stopped at nope: −2 (ENOENT) (#309)"},
		{"dotdot.pb", "/m/../x", "proven: m under (#2) → D2 (#3); after ..: x under (#4) → D3 (#5)"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			var all []string
			for _, c := range inKind(t, tt.trace, Key) {
				if c[0] == tt.path {
					all = append(all, c[1])
				}
			}
			whole := strings.Join(all, "\n") + "\n"
			if !strings.Contains(whole, tt.ends+"\n") {
				t.Errorf("%s\nwant …%s", whole, tt.ends)
			}
		})
	}
}

// The link is a mount point in another mount namespace: nothing says that what the open returned is mounted
// there.
func TestEqualityAtALinkThatIsAMountPoint(t *testing.T) {
	const want = "unproven: D1 is one dentry: (do_filp_open return, #286); its allocation was not recorded — the last component is a mount point, and the open returned another dentry"
	list := inKind(t, "linkmount.pb", Equality)
	if !slices.Contains(list, [2]string{"/tmp/hz/lmnt/L", want}) {
		t.Errorf("%q\nwant %q", list, want)
	}
}

// keyOf plays a recording with one open, and returns what its key claim says.
func keyOf(t *testing.T, play func(*tape)) string {
	t.Helper()
	f := taped(t, &schema.Footer{}, play)
	for _, p := range f.Programs {
		for _, it := range p.Items {
			for i := range it.Claims {
				if it.Claims[i].Kind == Key {
					return said(&it.Claims[i])
				}
			}
		}
	}
	return "none"
}

// mounted is an rcu-walk that finds a mount point; rooted is one in the root of a filesystem.
func (r *tape) mounted(parent uint64, name string, off int, d uint64) {
	r.changeExit(func(e *schema.Event) { e.Facts |= schema.FactMountpoint })
	r.rcu(parent, name, off, d, 5)
}

func (r *tape) rooted(parent uint64, name string, off int, d, inode uint64) {
	r.change(func(e *schema.Event) { e.Facts |= schema.FactParentIsRoot })
	r.rcu(parent, name, off, d, inode)
}

// nothing is the reason for a step that no event explains.
const nothing = "a component was looked up under another dentry than the previous component led to, and nothing recorded leads there"

// keySays are walks, each with what the key claim says about it.
var keySays = []struct {
	name, want string
	play       func(*tape)
}{
	{"slashes and dots", "proven: d under (#2) → D2 (#3); f under (#4) → D3 (#5)", func(r *tape) {
		r.open("//./d//.//f/.")
		r.rcu(rootAddr, "d", 4, addrA, 5)
		r.rcu(addrA, "f", 10, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"a path of dots alone looks nothing up", "none", func(r *tape) {
		r.open("./../..")
		r.opened(rootAddr, rootAddr, 2, "/")
	}},
	{"it ends in ..", "proven: d under (#2) → D2 (#3); then ..", func(r *tape) {
		r.open("d/..")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.opened(rootAddr, rootAddr, 2, "/")
	}},
	{"it fails before ..", "proven: d under (#2) → D2 (#3); stopped at d: −20 (ENOTDIR) (#4), not looked up: ../f", func(r *tape) {
		r.open("d/../f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.fail(20)
	}},
	{"a link and then ..", "proven: l under (#2) → D2 (#3); after lookups of names outside the path, a symbolic link's or a filesystem's own (#4) and ..: f under (#6) → D4 (#7)", func(r *tape) {
		r.open("l/../f")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(rootAddr, "d", 90000, addrC, 6)
		r.rcu(rootAddr, "f", 5, addrB, 6)
		r.opened(addrB, rootAddr, 6, "f")
	}},
	{"the second pass had no link any more", "proven: l under (#6) → D2 (#7); f under (#8) → D4 (#9)", func(r *tape) {
		r.open("l/f")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(rootAddr, "d", 90000, addrC, 6)
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"a lookup of a name that does not stand there", "unproven: g under (#2) → D2 (#3) — not looked up: f", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "g", 0, addrA, 5)
		r.opened(addrA, rootAddr, 5, "g")
	}},
	{"a file was opened, and its name was not found", "unproven: f under (#2) → nothing — the dentry that a component led to was not recorded", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.opened(addrA, rootAddr, 5, "f")
	}},
	{"a link that was not found leads on", "unproven: l under (#2) → nothing; then lookups of names outside the path, a symbolic link's or a filesystem's own (#4); stopped there: −2 (ENOENT) (#6) — the dentry that a component led to was not recorded", func(r *tape) {
		r.open("l")
		r.rcu(rootAddr, "l", 0, 0, 0)
		r.rcu(rootAddr, "x", 90000, 0, 0)
		r.fail(2)
	}},
	{"a link to /", "unproven: l under (#2) → D2 (#3); etc under (#4) → D4 (#5) — " + nothing, func(r *tape) {
		r.open("l/etc")
		r.rcu(rootAddr, "l", 0, addrA, 5)
		r.rooted(addrC, "etc", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "etc")
	}},
	{"a root, and no mount point was seen: an automount, or a link to /", "unproven: m under (#2) → D2 (#3); f under (#4) → D4 (#5) — " + nothing, func(r *tape) {
		r.open("m/f")
		r.rcu(rootAddr, "m", 0, addrA, 5)
		r.rooted(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"two filesystems on one mount point", "proven: m under (#2) → D2 (#3); after that mount point, in the root of a filesystem: f under (#4) → D4 (#5)", func(r *tape) {
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rooted(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"a mount point of another namespace", "proven: m under (#2) → D2 (#3); f under (#4) → D3 (#5)", func(r *tape) {
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rcu(addrA, "f", 2, addrB, 6)
		r.opened(addrB, addrA, 6, "f")
	}},
	{"a mount point to a directory of which no event is", "unproven: m under (#2) → D2 (#3); f under (#4) → D4 (#5) — " + nothing, func(r *tape) {
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"a mount point to a directory seen before", "proven: m under (#4) → D3 (#5); after that mount point, in a directory that is not the root of a filesystem: f under D2 (#6) → D4 (#7)", func(r *tape) {
		r.elsewhere(func() { r.rcu(rootAddr, "src", 90000, addrC, 7) })
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"a mount point to a directory that was another since", "unproven: m under (#4) → D3 (#5); f under (#6) → D4 (#7) — " + nothing, func(r *tape) {
		r.elsewhere(func() { r.rcu(rootAddr, "src", 90000, addrC, 7) })
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.elsewhere(func() { r.kill(addrC, rootAddr, "src"); r.alloc(rootAddr, "new", 90000, addrC, 8) })
		r.opened(addrB, addrC, 6, "f")
	}},
	{"the directory was renamed between the passes", "proven: d under (#6) → D3 (#7); f under (#8) → D4 (#9)", func(r *tape) {
		r.open("d/f")
		r.rcu(rootAddr, "d", 0, addrA, 5)
		r.rcu(addrA, "f", 2, 0, 0)
		r.rcu(rootAddr, "d", 0, addrC, 5)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	}},
	{"all that is known of its dentry is that it was allocated", "proven: f under (#2) → D2 allocated (#5); stopped at f: −12 (ENOMEM) (#6)", func(r *tape) {
		r.open("f")
		r.rcu(rootAddr, "f", 0, 0, 0)
		r.allocOnly("f", 0, addrA)
		r.fail(12)
	}},
}

func TestKeySays(t *testing.T) {
	for _, tt := range keySays {
		t.Run(tt.name, func(t *testing.T) {
			if got := keyOf(t, tt.play); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// The events of the mounted directory before the walk must be complete, too.
func TestKeyBehindABindMountWantsItsDirectoryWhole(t *testing.T) {
	got := keyOf(t, func(r *tape) {
		r.elsewhere(func() { r.rcu(rootAddr, "src", 90000, addrC, 7) })
		r.lose(schema.RoleKill, r.now, r.now+10)
		r.now += 1000
		r.open("m/f")
		r.mounted(rootAddr, "m", 0, addrA)
		r.rcu(addrC, "f", 2, addrB, 6)
		r.opened(addrB, addrC, 6, "f")
	})
	if !strings.HasPrefix(got, "unproven") || !strings.Contains(got, "events lost") {
		t.Error(got)
	}
}

// A rename says whose place it took, and an exchange says where the other dentry went.
func TestMoveSays(t *testing.T) {
	const fg = "; from f under, hash 0 to g under, hash 0"
	hashes := regexp.MustCompile(`hash \d+`)
	onto := func(r *tape, facts schema.Fact, inside func()) {
		r.change(func(e *schema.Event) { e.Target, e.Facts = addrB, facts })
		r.on(schema.RoleMove, schema.Enter, addrA, rootAddr, 5, "f")
		inside()
		r.on(schema.RoleInsert, schema.Exit, addrA, rootAddr, 5, "g")
		r.on(schema.RoleMove, schema.Exit, addrA, rootAddr, 5, "g")
	}
	back := func(r *tape) func() {
		return func() { r.on(schema.RoleInsert, schema.Exit, addrB, rootAddr, 6, "f") }
	}
	seen := func(r *tape, inode uint64) {
		r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
		r.look(schema.RoleLookup, rootAddr, "g", 90000, addrB, inode)
	}
	for _, tt := range []struct {
		name, want string
		play       func(*tape)
	}{
		{"over a file", fg + "; it displaced D3", func(r *tape) { seen(r, 6); onto(r, 0, func() {}) }},
		{"to a missing name", fg + "; it displaced D3", func(r *tape) { seen(r, 0); onto(r, 0, func() {}) }},
		{"over one of which no event is", fg + "; in place of", func(r *tape) { onto(r, 0, func() {}) }},
		{"an exchange", fg + "; exchanged with D3, from g under, hash 0 to f under, hash 0 (#6)", func(r *tape) { seen(r, 6); onto(r, schema.FactExchange, back(r)) }},
		{"an exchange, recorded by a recorder that did not say so", fg + "; exchanged with D3, from g under, hash 0 to f under, hash 0 (#6)", func(r *tape) { seen(r, 6); onto(r, 0, back(r)) }},
		{"an exchange with one of which nothing shows where it went", fg + "; exchanged with D3, and no event of the call shows where that one went", func(r *tape) { seen(r, 6); onto(r, schema.FactExchange, func() {}) }},
		{"an exchange with one that was not seen before", fg + "; exchanged with D3, now f under, hash 0 (#4)", func(r *tape) {
			r.look(schema.RoleLookup, rootAddr, "f", 90000, addrA, 5)
			onto(r, schema.FactExchange, back(r))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := taped(t, &schema.Footer{}, tt.play)
			if len(f.Programs[0].Claims) != 1 {
				t.Fatalf("%d claims", len(f.Programs[0].Claims))
			}
			got := hashes.ReplaceAllString(said(&f.Programs[0].Claims[0]), "hash 0")
			if !strings.HasPrefix(got, "proven: ") || !strings.HasSuffix(got, tt.want) {
				t.Errorf("\n got %s\nwant …%s", got, tt.want)
			}
		})
	}
}

// Recorded on 6.12, once by a recorder that does not say which move is an exchange and once by one that
// does.
func TestMoveOfARealExchange(t *testing.T) {
	hashes := regexp.MustCompile(`, hash \d+`)
	for _, trace := range []string{"xch.pb", "exchange.pb"} {
		const want = "; from e1 under to e2 under; exchanged with D11, from e2 under to e1 under (#77)"
		list := inKind(t, trace, Move)
		if len(list) != 1 || !strings.HasPrefix(list[0][1], "proven: ") || !strings.HasSuffix(hashes.ReplaceAllString(list[0][1], ""), want) {
			t.Errorf("%s: %q\nwant …%s", trace, list, want)
		}
	}
}
