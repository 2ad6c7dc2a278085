// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recordingRun is the scene's report about its recorders.
type recordingRun struct {
	Capabilities        []string
	Descriptors         int
	Refused             int
	Touched             uint64
	Untouched           string
	Killed              uint64
	Events              map[string][]string
	Doctor              string
	Full, Closed, Watch struct {
		Code int
		Said string
	}
	Sudo struct {
		Capabilities []string
		Owner        uint32
		User         string
		Code         int
	}
	Attached int
}

// TestKernelRecording checks that a recorder records of each call what it should, misses nothing that
// it need not miss, and leaves nothing behind, however it ends.
func TestKernelRecording(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		var result recordingRun
		dir := sceneReport(t, release, "record", &result)
		for _, how := range []string{"fentry", "kprobe"} {
			checkDeeds(t, filepath.Join(dir, how+".pb"))
		}
		checkKilled(t, filepath.Join(dir, "killed.pb"), result.Killed)
		checkTracefs(t, result)
		busy := filepath.Join(dir, "busy.pb") // recorded from four tasks
		checkNothingLost(t, verdicts(t, busy), busy)
		if v := verdicts(t, filepath.Join(dir, "quit.pb")); !v.Complete {
			t.Error("SIGQUIT: the trace is cut")
		}
		checkUnhooked(t, filepath.Join(dir, "quit.pb"), result.Refused)
		checkSameWritten(t, filepath.Join(dir, "touched.pb"), result)
		checkPrivileges(t, result)
		if result.Attached > 0 {
			t.Errorf("%d programs are still in the kernel a minute after the last recorder", result.Attached)
		}
		for _, ended := range []struct {
			code       int
			said, want string
		}{
			{result.Full.Code, result.Full.Said, "no space left"},
			{result.Closed.Code, result.Closed.Said, "write stdout: broken pipe"},
			{result.Watch.Code, result.Watch.Said, "--watch 4294967295 is more than this kernel gives"},
		} {
			if ended.code != 2 || !strings.Contains(ended.said, ended.want) {
				t.Errorf("exit %d, want 2 and %q: %s", ended.code, ended.want, ended.said)
			}
		}
	})
}

// checkDeeds checks that an exit has the time of its own entry, that an exchange differs from a move,
// that d_delete's event says what it left of the dentry, and that lookups and allocs have their
// filesystem and device.
func checkDeeds(t *testing.T, trace string) {
	t.Helper()
	type call struct {
		role string
		tid  int
	}
	entered := make(map[call][]uint64)
	counts := make(map[string]int)
	for _, e := range lifeEvents(t, trace) {
		if e.Type != "event" || e.Comm != "deeds" {
			continue
		}
		key := call{e.Role, e.TID}
		fs := e.Role == "alloc" && e.Phase == "exit" || strings.HasPrefix(e.Role, "lookup") && e.Phase == "enter"
		switch {
		case fs && (e.FS == "" || e.Dev == ""):
			t.Errorf("%s: #%d, %s of %s, has filesystem %q, device %q", trace, e.ID, e.Role, e.Name, e.FS, e.Dev)
		case fs:
			counts[e.FS]++
		case e.Phase == "exit" && slices.Contains([]string{"open", "delete", "move", "unlink", "evict"}, e.Role):
			open := entered[key]
			if len(open) == 0 || e.EnteredNs != open[len(open)-1] {
				t.Errorf("%s: #%d, %s: entered at %d, the entries still open are of %v", trace, e.ID, e.Role, e.EnteredNs, open)
				continue
			}
			entered[key] = open[:len(open)-1]
			counts[e.Role+" exit"]++
			if e.Role == "delete" && slices.Contains(e.Facts, "unhashed") {
				counts["delete unhashed"]++
			} else if e.Role == "delete" && e.Inode == "" {
				counts["delete negative"]++
			}
		case e.Phase == "enter":
			entered[key] = append(entered[key], e.TimeNs)
			if slices.Contains(e.Facts, "exchange") {
				counts["exchange"]++
			}
		}
	}
	for what, least := range map[string]int{"open exit": 4, "move exit": 2, "unlink exit": 2, "delete exit": 2,
		"exchange": 1, "delete unhashed": 1, "delete negative": 1, "ext4": 5} {
		if counts[what] < least {
			t.Errorf("%s: %d %s, want %d: %v", trace, counts[what], what, least, counts)
		}
	}
}

// checkKilled checks the trace of a recorder that was killed with kill -9: it is reported as
// incomplete, and what was written before can be read.
func checkKilled(t *testing.T, trace string, killed uint64) {
	t.Helper()
	var last uint64
	for _, e := range lifeEvents(t, trace) {
		if e.Type == "event" {
			last = max(last, e.TimeNs)
		}
	}
	if v := verdicts(t, trace); v.Complete || last == 0 || last > killed || v.Refuted > 0 {
		t.Errorf("%s: complete %v, last event at %d, killed at %d, %d refuted", trace, v.Complete, last, killed, v.Refuted)
	}
	t.Logf("%s: the last event is %d ms before the kill", filepath.Base(trace), (killed-last)/1e6)
}

// checkTracefs checks that doctor names what a killed recorder left in tracefs and that the next
// recorder removes it, while the events of a living recorder stay.
func checkTracefs(t *testing.T, result recordingRun) {
	t.Helper()
	left, next, other := result.Events["killed"], result.Events["next"], result.Events["other"]
	t.Logf("%d events in tracefs after the kill, %d with the next recorder, %d after it", len(left), len(next), len(other))
	if len(result.Events["end"]) > 0 || len(next) != len(left) || 2*len(other) != len(left) {
		t.Errorf("left %v\nnext %v\nother %v\nend %v", left, next, other, result.Events["end"])
	}
	for _, line := range left {
		name, _, _ := strings.Cut(line, " ")
		_, name, _ = strings.Cut(name, ":")
		if strings.Contains(result.Doctor, name) == slices.Contains(other, line) {
			t.Errorf("doctor names the living, or not the dead: %s in\n%s", name, result.Doctor)
		}
	}
}

// checkPrivileges checks that every thread has kept CAP_BPF alone, and CAP_KILL if the command is
// another user's, and that such a command ends as usual.
func checkPrivileges(t *testing.T, result recordingRun) {
	t.Helper()
	for _, have := range []struct {
		capabilities []string
		want         string
	}{
		{result.Capabilities, "0000008000000000 CapEff: 0000008000000000"},
		{result.Sudo.Capabilities, "0000008000000020 CapEff: 0000008000000020"},
	} {
		if len(have.capabilities) == 0 || slices.ContainsFunc(have.capabilities, func(c string) bool { return c != have.want }) {
			t.Errorf("capabilities %q, want %q on each thread", have.capabilities, have.want)
		}
	}
	s := result.Sudo
	if s.Owner != 65534 || s.User != "65534\t65534\t65534\t65534" || s.Code != 128+15 {
		t.Errorf("for the user behind sudo: file of %d, command of %q, exit %d", s.Owner, s.User, s.Code)
	}
	t.Logf("%d descriptors", result.Descriptors)
}

// checkSameWritten checks that a write to the ftrace switch which changes nothing is no loss and that
// everything opened meanwhile is recorded, and that turning it off is reported as a loss, even if only
// for a moment.
func checkSameWritten(t *testing.T, trace string, result recordingRun) {
	t.Helper()
	opened, before, after := 0, 0, 0
	for _, e := range lifeEvents(t, trace) {
		switch {
		case e.Type == "event" && e.Role == "open" && e.Phase == "exit":
			opened++
		case e.Type != "loss":
		case e.Last < result.Touched:
			before++
		case e.Cause == "switched_off":
			after++
		}
	}
	if opened != 20 || before > 0 || after == 0 && result.Untouched == "" { // a refused write may be noticed for a moment
		t.Errorf("%d of 20 opens returned; %d losses beside writes that change nothing, %d after one that does (%s)", opened, before, after, result.Untouched)
	}
}

// checkUnhooked checks that what was opened while hooks were off is either recorded or reported as
// lost, and that what was opened afterwards is recorded.
func checkUnhooked(t *testing.T, trace string, refused int) {
	t.Helper()
	opened, told := make(map[string]int), uint64(0)
	for _, e := range lifeEvents(t, trace) {
		switch {
		case e.Type == "loss" && e.Cause == "switched_off":
			told += e.Count
		case e.Type == "event" && e.Role == "open" && e.Phase == "enter":
			opened[strings.TrimRight(filepath.Base(e.Name), "0123456789")]++
		}
	}
	v := verdicts(t, trace)
	t.Logf("hooks off: %v opened, %d times told, %d refused; %d lost, %d refuted", opened, told, refused, v.Lost, v.Refuted)
	switches := 2 - refused
	if opened["on"] != 20*switches || v.Refuted > 0 || opened["off"] < 20*switches && (told == 0 || v.Lost < told) {
		t.Errorf("of %d opened with hooks on and as many without %v are recorded; switched off was told %d times, %d are lost, %d refuted", 20*switches, opened, told, v.Lost, v.Refuted)
	}
}
