// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtrec/dtrec/vm"
)

// sceneBinary builds the program that plays scenes, init and job of its guests.
func sceneBinary(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scene")
	build := exec.Command("go", "build", "-trimpath", "-o", file, "./testdata/scene")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the scenes: %v\n%s", err, out)
	}
	return file
}

// playScene boots a kernel once, plays the scene of that name there and fills told with
// what it says it did. The traces it made are in the directory returned.
func playScene(t *testing.T, scene, dtrec, kernel, name string, told any) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	code, err := vm.Run(t.Context(), vm.Config{
		Kernel: kernel, Program: scene, Args: []string{name, dir},
		Files: []vm.File{{Host: dtrec, Guest: "/dtrec"}}, Outputs: []string{dir},
		Timeout: 5 * time.Minute, Stdout: &stdout, Stderr: &stderr,
	})
	if err != nil || code != 0 {
		t.Fatalf("scene %s: exit %d, %v\n%s", name, code, err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), told); err != nil {
		t.Fatalf("scene %s: %v in %q", name, err, stdout.String())
	}
	if to := os.Getenv("DTREC_KEEP"); to != "" {
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(dir)); err != nil {
			t.Log(err)
		}
	}
	return dir
}

// lifeEvent is what the tests on scenes look at in an event of 'replay --format json'.
type lifeEvent struct {
	Type, Comm, Role, Phase, Name string
	ID, TimeNs                    uint64
	PID                           int
	TID                           int
	Child                         int // of a fork
	Dentry, Object, Target        string
	Ret                           any
	Stray                         bool
	Facts                         []string

	Cause string // of a loss
	Count uint64

	Probes []struct{ Uncounted bool } // of the header
}

// lifeEvents reads a trace.
func lifeEvents(t *testing.T, trace string) []lifeEvent {
	t.Helper()
	var out []lifeEvent
	dec := json.NewDecoder(strings.NewReader(output(t, "replay", "--format", "json", trace)))
	for dec.More() {
		var e lifeEvent
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}
