// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"hash/maphash"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A renamed program is compared if Options.Rename says so, and a note reports it.
func TestRenamedProgram(t *testing.T) {
	a := record(t, here(), 1, scene(standard))
	b := record(t, there(), 2, scene(strings.ReplaceAll(standard, "\tcat ", "\tbat ")))
	if r := compare(t, a, b); r.Count() != 2 || r.Differences[0].Kind != ProgramOnly {
		t.Errorf("without --rename: %s", text(t, r))
	}
	r, err := Compare(input(t, "a.pb", a), input(t, "b.pb", b), Options{Rename: map[string]string{"cat": "bat"}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Compare(input(t, "a.pb", a), input(t, "b.pb", a), Options{Rename: map[string]string{"nobody": "cat"}}); err != nil || r.Notes[1] != "nobody of A is taken for cat of B: 0 calls" {
		t.Error(err, text(t, r))
	}
	if r.Verdict() != Same || len(r.Notes) != 1 || r.Notes[0] != "cat of A is taken for bat of B: 5 calls" {
		t.Errorf("%s", text(t, r))
	}
}

// Names made up by mkstemp(3) vary between runs; other names do not, however similar they are.
func TestTemporaryNames(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"ccA1b2C3.s", "ccZ9y8X7.s", true},
		{"tmpab12cd_3", "tmpq7_x0y1z", true},
		{"linux5x", "linux6x", false}, // a single letter is not random
		{"ccA1b2C3.s", "ccZ9y8X7.o", false},
		{"ccA1b2C3.s", "ccZ9y8X7Q.s", false},
		{"report.txt", "budget.txt", false},
		{"out_000123", "out_987654", false}, // the numbers are the program's
		{"a.pyc.140671228154416", "a.pyc.93824992231152", true},
		{"a.pyc.140671228154416", "b.pyc.140671228154416", false},
		{"a.pyc.140671228154416", "a.pyc.20261128034155", false},  // no address but a date
		{"a.pyc.140671228154416", "a.pyc.999999999999999", false}, // a process has no such address
	} {
		uses := func(m tracetest.Machine, seed uint64, name string) []byte {
			file := record(t, m, seed, scene(strings.ReplaceAll("cc create tmp/NAME\ncc open tmp/NAME\nas open tmp/NAME\ncc remove tmp/NAME", "NAME", name)))
			return copied(t, file, m.Header(), func(w *schema.Writer, e *schema.Event) error {
				if e.Flags&oCreat != 0 {
					e.Flags |= oExcl
				}
				return w.Append(e)
			}, &schema.Footer{EndedBy: "command"})
		}
		r := compare(t, uses(here(), 1, test.a), uses(there(), 2, test.b))
		switch {
		case test.same && (r.Verdict() != Same || len(r.Excused) != 1 || r.Excused[0].Why != whyTemp || r.Excused[0].Count != 4):
			t.Errorf("%s and %s:\n%s", test.a, test.b, text(t, r))
		case !test.same && r.Verdict() != Different:
			t.Errorf("%s and %s are not told apart:\n%s", test.a, test.b, text(t, r))
		}
	}
}

// The dentry of a file without a name is named after its inode number, which varies; the same name given by
// a program does not.
func TestNumberOfAnInode(t *testing.T) {
	n := newNamer(maphash.MakeSeed(), here().Header())
	of := func(text string, columns schema.Columns) name {
		return n.of(text, &schema.Event{PID: 5, TID: 5, Columns: columns})
	}
	dentry := schema.Columns(0).With(schema.ColumnDentry)
	a, b := of("#27", dentry), of("#26", dentry)
	if !a.same(&b) {
		t.Error("two inodes are told apart by their numbers")
	}
	a, b = of("#27", 0), of("#26", 0)
	if c := of("x#26", dentry); a.same(&b) || c.exact != c.coarse {
		t.Error("a program's own names are taken for one")
	}
}

// Calls are named by their events.
func TestCallsAreNamed(t *testing.T) {
	for want, roles := range map[string][]schema.Role{
		`lookup "f"`: {schema.RoleLookupRCU}, `create "f"`: {schema.RoleLookupRCU, schema.RoleInstantiate},
		`delete "f"`: {schema.RoleLookupRCU, schema.RoleDelete}, `rename "f"`: {schema.RoleLookupRCU, schema.RoleMove},
		`unlink "f"`: {schema.RoleLookupRCU, schema.RoleUnlink},
	} {
		r := compare(t, few(t, schema.RoleLookupRCU), few(t, append([]schema.Role{schema.RoleLookupRCU}, roles...)...))
		if out := text(t, r); !strings.Contains(out, "+"+want+"\t") {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// few returns a run of one task with the given events about one dentry.
func few(t *testing.T, roles ...schema.Role) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := schema.NewWriter(&buf, here().Header())
	if err != nil {
		t.Fatal(err)
	}
	at := uint64(0xffff888300000020)
	for i, role := range roles {
		info, _ := role.Info()
		if i == 1 {
			at += 100 // another path
		}
		for phase, shape := range []*schema.Shape{schema.Enter: info.Enter, schema.Exit: info.Exit} {
			if shape == nil {
				continue
			}
			e := &schema.Event{Time: 1e9 + uint64(i)*100 + uint64(phase), PID: 7, TID: 7, Comm: "p", Role: role, Phase: schema.Phase(phase), Columns: shape.Columns,
				Name: "f", NameLen: 1, NameAddr: at, Parent: 0xffff888100000040}
			if shape.Columns.Has(schema.ColumnDentry) {
				e.Dentry, e.NameAddr = 0xffff888100000100, 0xffff888100000138
			}
			if err := w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(&schema.Footer{EndedBy: "command"}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Calls that agree are read once; for calls that differ only the frames that hold them are read again.
func TestOnlyFramesThatDifferAreReadAgain(t *testing.T) {
	x, _ := generated(t, 200_000)
	n := 0
	y := copied(t, x, here().Header(), func(w *schema.Writer, e *schema.Event) error {
		if e.Role == schema.RoleOpen && e.Phase == schema.Exit && e.ID > 150_000 && n == 0 {
			n++
			e.Ret, e.Dentry = ^uint64(12), 0
		}
		return w.Append(e)
	}, &schema.Footer{EndedBy: "command"})
	var asked []uint64
	var in [2]Input
	for i, file := range [][]byte{x, y} {
		in[i] = input(t, "ab"[i:i+1], file)
		again := in[i].Again
		in[i].Again = func(id uint64) (replay.Source, error) {
			asked = append(asked, id)
			return again(id)
		}
	}
	r, err := Compare(in[0], in[1], Options{})
	if err != nil || len(r.Differences) != 1 {
		t.Fatal(err, text(t, r))
	}
	if len(asked) != 2 || asked[0] < 149_000 || asked[1] < 149_000 {
		t.Errorf("read again from %v", asked)
	}
}
