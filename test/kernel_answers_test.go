// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
)

// session is a shell script that runs in a cgroup of its own. It first does nothing for a while, and
// then runs scripts/git-session. It prints the state of the dcache before, between, and after.
const session = `mkdir /sys/fs/cgroup/session; echo $$ >/sys/fs/cgroup/session/cgroup.procs
state() { cat /proc/sys/fs/dentry-state; }
state; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; state
dash /etc/session >/dev/null 2>&1; state
`

// TestKernelAnswers records a session with git and much else. The answers must be what the lines of
// replay add up to. The session must have left as many more negative dentries as the kernel counts,
// within the change of the kernel's count while nothing is done. The session's processes must be in
// their cgroup.
//
// The kernel counts in nr_negative the negative dentries on the LRU lists: in d_lru_add and d_lru_del,
// and in __d_instantiate and dentry_unlink_inode for a dentry that is on one. A dentry is put there
// when its last user releases it, so that between two calls these are the same as the negative ones in
// the hash table. A filesystem that keeps no negative dentries, such as the root here, has none.
func TestKernelAnswers(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		o := recorded(t, release, "strace-ext4")
		checkSummary(t, o.trace)
		var states []dentryState
		for line := range strings.Lines(o.Stdout) {
			var s dentryState
			if n, _ := fmt.Sscan(line, &s.all, &s.unused, &s.age, &s.want, &s.negative, &s.none); n == 6 {
				states = append(states, s)
			}
		}
		if len(states) != 3 {
			t.Fatalf("%d states of the dcache in %.300s", len(states), o.Stdout)
		}
		var reads []*replay.PathCall
		for _, c := range callsOf(t, o.trace) {
			if c.Path == "/proc/sys/fs/dentry-state" {
				reads = append(reads, c)
			}
		}
		quiet, kernel := states[1].negative-states[0].negative, states[2].negative-states[1].negative
		made, ended := negativesBetween(t, o.trace, reads[1].End, reads[2].ID)
		t.Logf("made %d, ended %d: %d; nr_negative %+d, while nothing was done %+d", made, ended, made-ended, kernel, quiet)
		if off := kernel - (made - ended); max(off, -off) > max(quiet, -quiet) || made-ended < 20 {
			t.Errorf("of %d dentries without inode %d ended, and nr_negative went from %d to %d", made, ended, states[1].negative, states[2].negative)
		}
		inCgroup(t, o.trace)
	})
}

// inCgroup checks that the processes that ran git are in the cgroup that their shell moved to, and that
// the one which made the cgroup is not.
func inCgroup(t *testing.T, trace string) {
	t.Helper()
	gits := 0
	for _, p := range listedProcesses(t, trace) {
		if len(p.Execs) == 0 {
			continue
		}
		switch p.Execs[0].Path {
		case "/bin/git":
			gits++
			if shown := output(t, "show", trace, fmt.Sprint(p.PID)); p.Cgroup != "/session" || !strings.Contains(shown, "exit code 0, in cgroup /session\n") && p.Ended == "exit code 0" {
				t.Errorf("process %d is in cgroup %q\n%.500s", p.PID, p.Cgroup, shown)
			}
		case "/bin/mkdir":
			if gits == 0 && p.Cgroup != "/" {
				t.Errorf("process %d is in cgroup %q", p.PID, p.Cgroup)
			}
		}
	}
	if gits < 10 {
		t.Errorf("%d processes ran git", gits)
	}
}

// dentryState is the contents of /proc/sys/fs/dentry-state.
type dentryState struct{ all, unused, age, want, negative, none int }

// negativesBetween counts the negative dentries that came to be between two events, and those that
// ended.
func negativesBetween(t *testing.T, trace string, from, to uint64) (made, ended int) {
	t.Helper()
	for n, err := range replay.Negatives(readerOf(t, trace)) {
		if err != nil {
			t.Fatal(err)
		}
		if from < n.Born && n.Born < to {
			made++
		}
		if from < n.End && n.End < to {
			ended++
		}
	}
	return made, ended
}
