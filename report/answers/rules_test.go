// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/internal/golden"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// The table of rules in docs/answers.md is that of the code. DTREC_UPDATE=1 rewrites it.
func TestDocumentedRulesAreThoseOfTheCode(t *testing.T) {
	want := ""
	for _, r := range Rules {
		want += fmt.Sprintf("| %s | %s |\n", r.Name, r.Says)
	}
	golden.Block(t, "../../docs/answers.md", `(\| rule \| what stands out \|\n\|---\|---\|\n)(.*)()`, want)
}

// No other target is reported for a path that leads elsewhere from another root directory, as in a
// container, nor for one in which O_TMPFILE makes a file.
func TestOtherTargetsAreOfOneRoot(t *testing.T) {
	s := NewSummarizer(tracetest.Header())
	id := uint64(0)
	call := func(path, to string, root, ino uint64) {
		id += 2
		s.call(&replay.PathCall{ID: id, End: id + 1, Operation: "open", Path: path, Resolved: to, OtherRoot: root != 0, StartAddr: root, Ino: ino, How: schema.LookupFollow})
	}
	s.call(&replay.PathCall{ID: 1 << 20, End: 1<<20 + 1, Operation: "readlink", Path: "/bin/sh", Resolved: "/bin/link", Ino: 9}) // it does not follow the link
	call("/bin/sh", "/bin/sh", 0, 1)
	call("/bin/sh", "/a/bin/sh", 0xa0, 2)
	call("/bin/sh", "/b/bin/sh", 0xb0, 3)
	call("/bin/sh", "/bin/sh", 0, 1)
	call("/tmp", "/tmp/#16", 0, 16)
	call("/tmp", "/tmp/#17", 0, 17)
	if found := s.otherTargets(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	call("/bin/sh", "/b/bin/dash", 0xb0, 4)
	call("/tmp", "/tmp/#16", 0, 18) // this file really has the name #16
	want := []string{"/bin/sh led to /b/bin/sh at #6, and to /b/bin/dash at #14"}
	var got []string
	for _, f := range s.otherTargets() {
		got = append(got, f.What)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// The line of a program lists only its most frequent operations.
func TestMostOfManyOperations(t *testing.T) {
	five := []Count{{"open", 44}, {"stat", 36}, {"chown", 6}, {"utimes", 6}, {"link", 1}}
	if got, want := mostOf(five), "open 44, stat 36, chown 6, utimes 6, link 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := mostOf(append(five, Count{"access", 1})), "open 44, stat 36, chown 6, utimes 6 … and 2 more kinds"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
