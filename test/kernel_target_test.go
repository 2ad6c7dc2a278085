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

// targetRun is the scene's report of one recording.
type targetRun struct {
	lossRun
	Want, Not []string
	Recorder  int
}

// TestKernelTarget checks that the selected tasks are recorded and no others: with each way of
// selecting and with several at once, across forks, execs and threads, and also if an open is in
// progress at the beginning or the end of the recording.
func TestKernelTarget(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		result := make(map[string]targetRun)
		dir := sceneReport(t, release, "target", &result)
		extra := map[string]func(*testing.T, string, targetRun, []lifeEvent){
			"command": checkThreads, "exec": checkExec, "daemon": checkDaemon, "all": checkAll, "inside": checkInside,
		}
		for _, name := range slices.Sorted(maps.Keys(result)) {
			t.Run(name, func(t *testing.T) {
				trace := filepath.Join(dir, name+".pb")
				events, s, v := lifeEvents(t, trace), sumRecords(t, trace, ""), verdicts(t, trace)
				if !v.Complete || v.Refuted > 0 || v.Lost != s.lost() || len(s.noRoom) > 0 {
					t.Errorf("complete %v, %d refuted, %d lost; %v", v.Complete, v.Refuted, v.Lost, s)
				}
				checkOpens(t, result[name], events, s.missed["open"])
				if check := extra[name]; check != nil {
					check(t, trace, result[name], events)
				}
			})
		}
	})
}

// checkOpens checks which paths were opened in the recording. A kernel that preempts inside a program
// misses some if many tasks open files, and counts how many.
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

// checkThreads checks a process with many threads: every process that was forked is in the recording,
// with its end.
func checkThreads(t *testing.T, _ string, _ targetRun, events []lifeEvent) {
	threads, born, ended := make(map[int]bool), make(map[int]bool), make(map[int]bool)
	for _, e := range events {
		switch {
		case e.Role == "open" && e.Phase == "enter" && strings.Contains(e.Name, "command-thread"):
			threads[e.TID], born[e.PID] = true, true // threads of the command itself
		case e.Role == "fork":
			born[e.Child] = true
		case e.Role == "exit":
			ended[e.PID] = true
		}
	}
	// At least the command, a child, and a child with its own child.
	if len(threads) != 8 || len(born) < 4 || !maps.Equal(born, ended) {
		t.Errorf("%d threads; born %v, ended %v", len(threads), born, ended)
	}
}

// checkExec checks that the same process goes on after it executed another program.
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

// checkDaemon checks that the recorder reports a process that was left running.
func checkDaemon(t *testing.T, _ string, run targetRun, _ []lifeEvent) {
	if !strings.Contains(run.Said, "running on: 1 process\n") {
		t.Errorf("a daemon runs on, and the recorder says %s", run.Said)
	}
}

// checkAll checks that the recorder is not in its own recording, and that what it could not keep up
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
	s := sumRecords(t, trace, "busy")
	for role := range run.Counts.Calls {
		compareCounts(t, role, s, run.lossRun)
	}
}

// checkInside checks that opens in progress at the beginning are stray exits, that those in progress at
// the end are entries without an exit, and that the others are complete, including that of a task which
// was renamed meanwhile.
func checkInside(t *testing.T, trace string, _ targetRun, events []lifeEvent) {
	var stray, first, last, exits, renamed uint64
	missed := sumRecords(t, trace, "").missed["open"]
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
	out := first + stray // each of these then opens another file
	t.Logf("%d whole, %d stray exits, %d without exit", first, stray, last)
	if stray == 0 || first+missed < 5 || last > 7 || last+missed < 7 || exits+missed < first+out {
		t.Errorf("%d exits after %d entries, %d stray, %d without exit", exits, first, stray, last)
	}
	if got := claimsOf(verdicts(t, trace), "inside"); got["absence"]["proven"] == 0 {
		t.Errorf("no claim is proven beside the strays: %v", got)
	}
}
