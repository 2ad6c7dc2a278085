// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// jsonLines reads the JSON lines of a trace.
func jsonLines(t *testing.T, trace string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, line := range replayLines(t, trace) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		out = append(out, v)
	}
	return out
}

// commands are the command lines that are recorded, each with its exit code.
var commands = []struct {
	name string
	line []string
	code int
}{
	{"exit", []string{"/target", "exit", "7"}, 7},
	{"signal", []string{"/target", "signal", "9"}, 137},
	{"child exit", []string{"/target", "child", "exit", "0"}, 0},
	{"child open", []string{"/target", "child", "open", "/mnt/loopfs/a.txt", "/tmp/missing"}, 0},
	{"none", []string{"/nosuch"}, 127},
}

// TestKernelCommand checks that dtrec exits with the recorded command's exit code, and that what the
// command and its children open is recorded from their first open on.
func TestKernelCommand(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		for _, c := range commands {
			o := waitForErrand(t, release, c.name)
			if o.Code != c.code {
				t.Errorf("%s: exit %d, want %d\n%s", c.name, o.Code, c.code, o.Stderr)
			}
			if c.name == "none" {
				if strings.Count(o.Stderr, "\n") != 2 || !strings.Contains(o.Stderr, "/nosuch") {
					t.Errorf("a command that does not exist: %q", o.Stderr)
				}
			} else if v := verdicts(t, o.trace); !v.Complete || v.Lost > 0 {
				t.Errorf("%s: complete %v, lost %d", c.name, v.Complete, v.Lost)
			}
		}
		checkChild(t, waitForErrand(t, release, "child open").trace)
	})
}

// TestKernelExitOfVM checks that dtrec vm passes the exit code on, brings the trace back, and says what
// it booted and how.
func TestKernelExitOfVM(t *testing.T) {
	onThese(t, firstKernel(), func(t *testing.T, release string) {
		o := waitForErrand(t, release, "exit of vm")
		if o.Code != 7 {
			t.Errorf("exit %d, want 7\n%s", o.Code, o.Stderr)
		}
		if !strings.Contains(o.Stderr, "x86_64 in QEMU") {
			t.Errorf("what was booted, and how, does not stand in:\n%s", o.Stderr)
		}
		if v := verdicts(t, o.trace); !v.Complete || v.Lost > 0 {
			t.Errorf("complete %v, lost %d", v.Complete, v.Lost)
		}
	})
}

// checkChild checks that the process that was forked is the one that opened the file.
func checkChild(t *testing.T, trace string) {
	t.Helper()
	var forked, opener any
	for _, e := range jsonLines(t, trace) {
		switch {
		case e["role"] == "fork":
			forked = e["child"]
		case e["role"] == "open" && e["phase"] == "enter" && e["name"] == "/mnt/loopfs/a.txt":
			opener = e["pid"]
		}
	}
	if forked == nil || forked != opener {
		t.Errorf("process %v was forked, process %v opened the file", forked, opener)
	}
}

// TestKernelBusy records many opens: next to nothing is lost, every hash can be recomputed, and an
// event takes at most 8 bytes on disk.
func TestKernelBusy(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, release string) {
		trace := recorded(t, release, "busy").trace
		info, err := os.Stat(trace)
		if err != nil {
			t.Fatal(err)
		}
		v := verdicts(t, trace)
		perEvent := float64(info.Size()) / float64(v.Events)
		t.Logf("%d events, %.2f bytes each, %d lost; %d proven, %d refuted, %d unproven", v.Events, perEvent, v.Lost, v.Proven, v.Refuted, v.Unproven)
		// A kernel that preempts inside a program may miss a hit now and then, which is counted.
		if v.Lost > v.Events/1000 || v.Events < 50_000 || perEvent > 8 {
			t.Errorf("%d lost, %d events of %.2f bytes", v.Lost, v.Events, perEvent)
		}
		hash := v.Programs[len(v.Programs)-1].Claims["hash"]
		if hash["refuted"]+hash["unproven"] > 0 {
			t.Errorf("hash: %v", hash)
		}
		for _, d := range v.Doubts {
			t.Logf("%s %s of %q, %d times: %s %v", d.Verdict, d.Kind, d.Subjects, d.Count, d.Reason, d.Events)
		}
	})
}
