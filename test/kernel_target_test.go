// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// targetRun is what the scene says of one recording.
type targetRun struct {
	lossRun
	Want, Not []string
	Recorder  int
}

// Who is named is recorded and nobody else, by each way of naming and by several at
// once, over forks, execs and threads, and also when an open is cut by the beginning or
// the end.
func TestKernelTarget(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		told := make(map[string]targetRun)
		dir := played(t, release, "target", &told)
		extra := map[string]func(*testing.T, string, targetRun, []lifeEvent){
			"command": checkThreads, "exec": checkExec, "daemon": checkDaemon, "all": checkAll, "inside": checkInside,
		}
		for _, name := range slices.Sorted(maps.Keys(told)) {
			t.Run(name, func(t *testing.T) {
				trace := filepath.Join(dir, name+".pb")
				events, s, v := lifeEvents(t, trace), add(t, trace, ""), verdicts(t, trace)
				if !v.Complete || v.Refuted > 0 || v.Lost != s.lost() || len(s.noRoom) > 0 {
					t.Errorf("complete %v, %d refuted, %d lost; %v", v.Complete, v.Refuted, v.Lost, s)
				}
				checkOpens(t, told[name], events, s.missed["open"])
				if check := extra[name]; check != nil {
					check(t, trace, told[name], events)
				}
			})
		}
	})
}

// checkOpens looks for the paths that have to have been opened, and for those that not.
// A kernel that preempts inside a program misses some when many tasks open, and says
// how many.
func checkOpens(t *testing.T, run targetRun, events []lifeEvent, missed uint64) {
	t.Helper()
	opened := make(map[string]bool)
	for _, e := range events {
		if e.Role == "open" && e.Phase == "enter" {
			opened[e.Name] = true
		}
	}
	absent := uint64(0)
	for _, path := range run.Want {
		if !opened[path] {
			absent++
		}
	}
	if absent > missed {
		t.Errorf("of %v %d are not recorded, %d missed", run.Want, absent, missed)
	}
	for _, path := range run.Not {
		if opened[path] {
			t.Errorf("%s is recorded", path)
		}
	}
}

// checkThreads: a process of many threads; every process forked is there with its end.
func checkThreads(t *testing.T, _ string, _ targetRun, events []lifeEvent) {
	threads, born, ended := make(map[int]bool), make(map[int]bool), make(map[int]bool)
	for _, e := range events {
		switch {
		case e.Role == "open" && e.Phase == "enter" && strings.Contains(e.Name, "command-thread"):
			threads[e.TID], born[e.PID] = true, true // the command's own
		case e.Role == "fork":
			born[e.Child] = true
		case e.Role == "exit":
			ended[e.PID] = true
		}
	}
	// The command, a child, a child and its child, at least.
	if len(threads) != 8 || len(born) < 4 || !maps.Equal(born, ended) {
		t.Errorf("%d threads; born %v, ended %v", len(threads), born, ended)
	}
}

// checkExec: the same process goes on under another program.
func checkExec(t *testing.T, _ string, run targetRun, events []lifeEvent) {
	pids := make(map[int]bool)
	execs := 0
	for _, e := range events {
		if e.Role == "exec" {
			execs++
		}
		if e.Role == "open" && slices.Contains(run.Want, e.Name) {
			pids[e.PID] = true
		}
	}
	if execs != 2 || len(pids) != 1 {
		t.Errorf("%d execs, opens of processes %v", execs, pids)
	}
}

// checkDaemon: that something was left running is said.
func checkDaemon(t *testing.T, _ string, run targetRun, _ []lifeEvent) {
	if !strings.Contains(run.Said, "running on: 1 process\n") {
		t.Errorf("a daemon runs on, and the recorder says %s", run.Said)
	}
}

// checkAll: the recorder is not in its own recording, and what it could not keep up
// with is counted.
func checkAll(t *testing.T, trace string, run targetRun, events []lifeEvent) {
	tasks := make(map[int]bool)
	for _, e := range events {
		if e.Type != "event" {
			continue
		}
		tasks[e.PID] = true
		if e.PID == run.Recorder {
			t.Errorf("#%d: the recorder's own %s", e.ID, e.Role)
		}
	}
	if len(tasks) < 5 {
		t.Errorf("only %d processes", len(tasks))
	}
	s := add(t, trace, "busy")
	for role := range run.Counts.Calls {
		agree(t, role, s, run.lossRun)
	}
}

// checkInside: opens cut by the beginning show as stray exits, those cut by the end as
// entries without exit, and the others are whole; also that of a task which was given
// another name meanwhile.
func checkInside(t *testing.T, trace string, _ targetRun, events []lifeEvent) {
	var stray, first, last, exits, renamed uint64
	missed := add(t, trace, "").missed["open"]
	for _, e := range events {
		switch {
		case e.Role != "open":
		case e.Phase == "exit" && e.Stray:
			stray++
		case e.Phase == "exit":
			if exits++; e.Name == "inside-renamed" {
				renamed++
			}
		case strings.HasSuffix(e.Name, "inside-first"):
			first++
		case strings.HasSuffix(e.Name, "inside-last"):
			last++
		}
	}
	if renamed+missed < 1 {
		t.Error("the open of a task that got another name has no exit")
	}
	out := first + stray // each goes on to open another
	t.Logf("%d whole, %d stray exits, %d without exit", first, stray, last)
	if stray == 0 || first+missed < 5 || last > 7 || last+missed < 7 || exits+missed < first+out {
		t.Errorf("%d exits after %d entries, %d stray, %d without exit", exits, first, stray, last)
	}
	if got := claimsOf(verdicts(t, trace), "inside"); got["absence"]["proven"] == 0 {
		t.Errorf("no claim is proven beside the strays: %v", got)
	}
}
