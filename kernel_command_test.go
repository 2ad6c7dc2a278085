// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// target builds the program that is recorded, and returns the flag that takes it
// along as /target.
func target(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "target")
	build := exec.Command("go", "build", "-trimpath", "-o", file, "./testdata/target")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the target: %v\n%s", err, out)
	}
	return []string{"--file", file + ":/target"}
}

// lines reads the JSON lines of a trace.
func jsonLines(t *testing.T, trace string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(output(t, "replay", "--format", "json", trace)), "\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %.200s", err, line)
		}
		out = append(out, v)
	}
	return out
}

// A recorded command's exit code is dtrec's, its output its own, and what it and
// its children open is recorded from their first open on.
func TestKernelCommand(t *testing.T) {
	binary, along := dtrecBinary(t), target(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			for _, c := range []struct {
				args string
				code int
			}{{"exit 7", 7}, {"signal 9", 137}, {"child exit 0", 0}} {
				trace := filepath.Join(t.TempDir(), "run.pb")
				line := append([]string{"record", "-o", trace, "--", "/target"}, strings.Fields(c.args)...)
				if _, stderr, code := inGuestWith(t, binary, kernel, along, line...); code != c.code {
					t.Errorf("%s: exit %d, want %d\n%s", c.args, code, c.code, stderr)
				}
				if v := verdicts(t, trace); !v.Complete || v.Lost > 0 {
					t.Errorf("%s: complete %v, lost %d", c.args, v.Complete, v.Lost)
				}
			}
			children(t, binary, kernel, along)
			_, stderr, code := inGuest(t, binary, kernel, "record", "-o", filepath.Join(t.TempDir(), "x.pb"), "--", "/nosuch")
			if code != 127 || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "/nosuch") {
				t.Errorf("a command that does not exist: exit %d, %q", code, stderr)
			}
			_, stderr, code = inGuestWith(t, binary, kernel, along, "record", "-o", "/dev/full", "--", "/target", "exit", "0")
			if code != 2 || !strings.Contains(stderr, "no space left") {
				t.Errorf("a full disk: exit %d, %q", code, stderr)
			}
		})
	}
}

func children(t *testing.T, binary, kernel string, along []string) {
	trace := filepath.Join(t.TempDir(), "child.pb")
	line := []string{"record", "-o", trace, "--", "/target", "child", "open", "/mnt/loopfs/a.txt", "/tmp/missing"}
	if _, stderr, code := inGuestWith(t, binary, kernel, along, line...); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
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

// Real work: much of it, next to nothing lost, every hash recomputed, at most 8
// bytes an event on disk.
func TestKernelBusy(t *testing.T) {
	binary, along := dtrecBinary(t), target(t)
	for release, kernel := range outerKernels(t) {
		t.Run(release, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "busy.pb")
			_, stderr, code := inGuestWith(t, binary, kernel, along, "record", "-o", trace, "--", "/target", "walk", "/sys", "2")
			if code != 0 {
				t.Fatalf("exit %d\n%s", code, stderr)
			}
			info, err := os.Stat(trace)
			if err != nil {
				t.Fatal(err)
			}
			v := verdicts(t, trace)
			perEvent := float64(info.Size()) / float64(v.Events)
			t.Logf("%d events, %.2f bytes each, %d lost; %d proven, %d refuted, %d unproven", v.Events, perEvent, v.Lost, v.Proven, v.Refuted, v.Unproven)
			// A kernel that preempts inside a program may miss a hit now and then; it is counted.
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
}
