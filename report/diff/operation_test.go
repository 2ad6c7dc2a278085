// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// script writes a trace of one task from words, one for each event: mkdir( is an entry, mkdir) an exit with
// result 0, mkdir)--- an exit with errno 3 (the number of dashes), walk(/tmp an entry with a path,
// lookup_rcu(d an entry with a name, lookup_rcu)* an exit with a dentry. At the end of a word, ! says that the
// watch set had no room, and ? that the event was lost; at its start, ~ says that another task did it, which is
// not recorded.
type script struct {
	t     *testing.T
	w     *schema.Writer
	buf   bytes.Buffer
	now   uint64
	lost  uint64
	path  uint64 // address of the last path
	whole string
}

// operationsOf returns a run of one task.
func operationsOf(t *testing.T, h *schema.Header, words string) []byte {
	t.Helper()
	s := &script{t: t, now: 1e9, path: 0xffff888300000020}
	var err error
	if s.w, err = schema.NewWriter(&s.buf, h); err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(words) {
		s.event(word)
	}
	if err := s.w.Close(&schema.Footer{EndedBy: "command", Lost: s.lost}); err != nil {
		t.Fatal(err)
	}
	return s.buf.Bytes()
}

func (s *script) event(word string) {
	s.now += 100
	word, lost := strings.CutSuffix(word, "?")
	word, full := strings.CutSuffix(word, "!")
	word, other := strings.CutPrefix(word, "~")
	name, rest, entry := strings.Cut(word, "(")
	phase := schema.Enter
	if !entry {
		name, rest, _ = strings.Cut(word, ")")
		phase = schema.Exit
	}
	e := &schema.Event{Time: s.now, PID: 7, TID: 7, Comm: "p", Phase: phase}
	for _, info := range schema.Catalogue() {
		if info.Name == name {
			e.Role = info.Role
		}
	}
	shape := e.Role.Shape(phase)
	if shape == nil {
		s.t.Fatalf("%s: no such event", word)
	}
	e.Columns = shape.Columns
	switch {
	case e.Role.Is(schema.TraitWalks) && entry:
		s.path, s.whole, e.Name = s.path+4096, rest, rest
		e.NameAddr = s.path
	case entry && shape.Columns.Has(schema.ColumnKey):
		e.Name, e.Parent, e.NameAddr = rest, 0xffff888100000040, s.path+uint64(strings.Index(s.whole, rest))
	case rest == "*":
		e.Dentry, e.Inode, e.Name, e.FSType = 0xffff888100000100, 1, "d", "ext4"
	case strings.HasPrefix(rest, "-"):
		e.Ret = -uint64(len(rest)) // the errno is the number of dashes
	}
	e.NameLen = uint32(len(e.Name))
	if other {
		e.PID, e.TID, e.Comm = 9, 9, "q"
	}
	loss := &schema.Loss{Cause: schema.LossRingBuffer, Role: e.Role, Count: 1, FirstNs: s.now, LastNs: s.now}
	if full {
		loss.Cause, e.Facts = schema.LossUnwatched, schema.FactUnwatched
	}
	var err error
	if lost || full {
		s.lost++
		err = s.w.Loss(loss)
	}
	if !lost {
		err = cmp.Or(err, s.w.Append(e))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

const madeDirectory = `mkdir( walk_parent(/tmp/d lookup_rcu(tmp lookup_rcu)* walk_parent)* lookup_rcu(d lookup_rcu) mkdir)
	rename( walk_parent(/tmp/d walk_parent)* walk_parent(/tmp/e walk_parent)* rename)
	execve( open(/bin/x open)* open(/lib/ld.so open)* execve)
	stat( walk(/tmp/d walk)* stat)`

// An operation on paths is one call: it is named after the operation and its paths, includes everything it
// does, and its result is in its heading and its line.
func TestOperations(t *testing.T) {
	a := operationsOf(t, here().Header(), madeDirectory)
	for _, c := range []struct {
		what, old, new string
		want           []string
	}{
		{"the same", "", "", nil},
		{"another error", "mkdir)", "mkdir)---", []string{`@@ p, mkdir "/tmp/d": success → ESRCH, #1-#8 / #1-#8 @@`, "-mkdir → 0\t#1-#8", "+mkdir → −3 (ESRCH)\t#1-#8"}},
		{"an error of the walk", "walk_parent)* lookup_rcu(d lookup_rcu) mkdir)", "walk_parent)-- mkdir)--", []string{`@@ p, mkdir "/tmp/d": success → ENOENT`, `+  walk_parent "/tmp/d" path+0 → −2 (ENOENT)`}},
		{"another target", "/tmp/e", "/tmp/f", []string{`-rename "/tmp/d" "/tmp/e"`, `+rename "/tmp/d" "/tmp/f"`}},
		{"another interpreter", "/lib/ld.so", "/lib/ld-2.so", []string{`@@ p, exec "/bin/x"`, `-  open "/lib/ld.so" path+0`}},
		{"another call", "stat( walk(/tmp/d walk)* stat)", "access( walk(/tmp/d walk)* access)", []string{`-stat "/tmp/d"`, `+access "/tmp/d"`}},
		{"a path outside of them", "stat( walk(/tmp/d walk)* stat)", "walk(/tmp/d walk)*", []string{`-stat "/tmp/d"`, `+lookup "/tmp/d"`}},
		{"descriptors", "stat( walk(/tmp/d walk)* stat)", "stat( walk(/tmp/d walk)* stat) getxattr( getxattr)- listxattr( listxattr) utimes( utimes)-----", nil},
		{"a path that cannot be copied", "stat( walk(/tmp/d walk)* stat)", "stat( walk(/tmp/d walk)* stat) getxattr( getxattr)--", []string{`+getxattr "" → −2 (ENOENT)`}},
		{"no descriptor", "stat( walk(/tmp/d walk)* stat)", "stat( walk(/tmp/d walk)* stat) access( access)-", []string{`+access "" → −1 (EPERM)`}},
		{"a socket", "stat( walk(/tmp/d walk)* stat)", "stat( walk(/tmp/d walk)* stat) alloc)* instantiate)*", []string{`+alloc "d"`}},
		{"an exit without its entry", "stat( walk(/tmp/d walk)* stat)", "stat)", []string{`-stat "/tmp/d"`}},
	} {
		r := compare(t, a, operationsOf(t, there().Header(), strings.Replace(madeDirectory, c.old, c.new, 1)))
		rest := text(t, r)
		if want := uint64(min(len(c.want), 1)); r.Count() != want {
			t.Errorf("%s: want %d differences:\n%s", c.what, want, rest)
		}
		for _, w := range c.want {
			_, after, found := strings.Cut(rest, w)
			if !found {
				t.Errorf("%s: no %q in\n%s", c.what, w, rest)
			}
			rest = after
		}
	}
	// A recorder that did not know operations recorded only the events within them, and these are compared.
	h := there().Header()
	h.Probe = slices.DeleteFunc(h.Probe, func(p *schema.Probe) bool { return p.Role >= schema.RoleWalk })
	r := compare(t, a, rewritten(t, operationsOf(t, h, madeDirectory), h, func(e *schema.Event) bool { return e.Role < schema.RoleWalk }))
	if r.Verdict() != Same || r.Same == 0 || !strings.Contains(text(t, r), "note: b.pb was made by a recorder without walk, walk_parent, stat") {
		t.Errorf("%s", text(t, r))
	}
}

// removed is a call in which a dentry ends, and later another task makes one anew.
const removed = `stat( walk(/tmp/d lookup_rcu(tmp lookup_rcu)* kill(* free(* walk)-- stat)-- stat( walk(/tmp/e walk)-- stat)-- ~instantiate)*`

// The end of a dentry that could not be watched may not be recorded, nor what others did to it: that it is
// missing is no difference.
func TestUnwatched(t *testing.T) {
	full, unended := "lookup_rcu)* kill(* free(*", "lookup_rcu)*!"
	for _, c := range []struct {
		what string
		b    string
		want Verdict
		says string
	}{
		{"its end", strings.Replace(removed, full, unended, 1), Undecided, "not counted: 1 × " + whyFull},
		{"its end and what others did", strings.Replace(removed[:strings.Index(removed, "~")], full, unended, 1), Undecided, "not counted: 2 × " + whyFull},
		{"and another result", strings.Replace(strings.Replace(removed, full, unended, 1), "walk)--", "walk)-", 1), Different, "@@ p, stat"},
		{"watched, and its end is missing", strings.Replace(removed, " kill(* free(*", "", 1), Different, `kill "d"`},
		{"the set is full only later", strings.Replace(strings.Replace(removed, " kill(* free(*", "", 1), "instantiate)*", "instantiate)*!", 1), Different, `kill "d"`},
	} {
		a, b := operationsOf(t, here().Header(), removed), operationsOf(t, there().Header(), c.b)
		for _, pair := range [][2][]byte{{a, b}, {b, a}} {
			r := compare(t, pair[0], pair[1])
			if said := text(t, r); r.Verdict() != c.want || !strings.Contains(said, c.says) || c.what == "and another result" && strings.Contains(said, "kill") {
				t.Errorf("%s: %s", c.what, said)
			}
		}
	}
	// The run whose watch set was full recorded an end that the other, complete run does not have.
	r := compare(t, operationsOf(t, here().Header(), strings.Replace(removed, "lookup_rcu)*", unended, 1)),
		operationsOf(t, there().Header(), strings.Replace(removed, " kill(* free(*", "", 1)))
	if r.Verdict() != Different {
		t.Error(text(t, r))
	}
}

// Where the entry of an operation was lost, what happened in it looks like calls of its own. They are no
// difference, whichever events were lost.
func TestLostInAnOperation(t *testing.T) {
	words := strings.Fields(madeDirectory)
	a := operationsOf(t, here().Header(), madeDirectory)
	for from := range words {
		for n := 1; n <= 4 && from+n <= len(words); n++ {
			lossy := slices.Clone(words)
			for i := range n {
				lossy[from+i] += "?"
			}
			b := operationsOf(t, there().Header(), strings.Join(lossy, " "))
			for _, pair := range [][2][]byte{{a, b}, {b, a}} {
				if r := compare(t, pair[0], pair[1]); r.Verdict() != Undecided {
					t.Errorf("lost: %s\n%s", lossy[from:from+n], text(t, r))
				}
			}
		}
	}
}
