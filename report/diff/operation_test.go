// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// script writes a trace of one task from words, one for each event: mkdir( is an entry, mkdir) an exit with
// result 0, mkdir)--- an exit with errno 3 (the number of dashes), walk(/tmp an entry with a path,
// lookup_rcu(d an entry with a name, lookup_rcu)* an exit with a dentry.
type script struct {
	t     *testing.T
	w     *schema.Writer
	buf   bytes.Buffer
	now   uint64
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
	if err := s.w.Close(&schema.Footer{EndedBy: "command"}); err != nil {
		t.Fatal(err)
	}
	return s.buf.Bytes()
}

func (s *script) event(word string) {
	s.now += 100
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
	case e.Role.Is(schema.Walks) && entry:
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
	if err := s.w.Append(e); err != nil {
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
