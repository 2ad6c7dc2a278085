// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Processes that ended badly after a child that did say so, if it is theirs; those that no sentence is about
// are counted.
func TestProcessesThatEndedBadly(t *testing.T) {
	s := NewSummarizer(tracetest.Header())
	for pid := range uint32(12) {
		s.call(&replay.PathCall{ID: uint64(pid) + 1, End: uint64(pid) + 1, PID: pid, Program: "p", Operation: "stat", Path: fmt.Sprint("/", pid), Errno: schema.ErrnoNumber("ENOENT")})
	}
	for _, x := range []replay.Task{
		{PID: 1, Parent: 9, Forked: 5, First: 20, Exited: 100, Status: 0x200}, // its parent and children are handed out in any order
		{PID: 2, Parent: 1, Forked: 30, First: 31, Exited: 90, Status: 15},
		{PID: 3, Parent: 1, Forked: 32, First: 33, Exited: 80, Status: 0x100},
		{PID: 4, Parent: 1, Forked: 34, First: 35, Exited: 120, Status: 0x100}, // after its parent
		{PID: 5, Parent: 4, Forked: 10, First: 11, Exited: 12, Status: 0x100},  // of another process that had pid 4
		{PID: 6, Parent: 1, Forked: 36, First: 37, Exited: 95},                 // well
		{PID: 7, Parent: 0, Forked: 0, First: 40, Exited: 130, Status: 0x100},
	} {
		x.Program = fmt.Sprint("p", x.PID)
		s.task(&x)
	}
	ended := func() (out []string) {
		for _, f := range s.failedProcesses() {
			out = append(out, f.What)
		}
		return out
	}
	want := []string{
		"p/5 ended at #12, exit code 1; its last recorded failed call: stat of /5, ENOENT, #6",
		"p/3 ended at #80, exit code 1; its last recorded failed call: stat of /3, ENOENT, #4",
		"4 more processes ended so later: p/2 (stat of /2, ENOENT, #3), p/1 (stat of /1, ENOENT, #2), p/4 (stat of /4, ENOENT, #5), p/7 (stat of /7, ENOENT, #8)",
	}
	if got := ended(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	s.endings = s.endings[3:]
	want = []string{
		"p/1 ended at #100, exit code 2, after its child p2/2 at #90, killed by SIGTERM; its last recorded failed call: stat of /1, ENOENT, #2",
		"p/4 ended at #120, exit code 1; its last recorded failed call: stat of /4, ENOENT, #5",
		"4 more processes ended so later: p/7 (stat of /7, ENOENT, #8), …",
	}
	if got := ended(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
