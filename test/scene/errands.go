// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errand is a command line that leaves its files in outDir.
type errand struct {
	Name string
	Line []string
}

// outcome is what came of an errand, as a guest of its own would tell.
type outcome struct {
	Stdout, Stderr []byte
	Code           int
	Took           time.Duration
}

const (
	outDir      = "/out"
	errandLimit = 4 * time.Minute
)

// errands runs the command lines of a file one after the other, each as in a guest that
// has just booted: nothing is left in the directories it works in, nor in the caches.
// What they left in outDir, and what came of them, is in dir at the end.
func errands(file, dir string) {
	text, err := os.ReadFile(file)
	check(err)
	var list []errand
	check(json.Unmarshal(text, &list))
	check(os.MkdirAll(outDir, 0o755))
	first, mounted := there(), len(mounts())
	done := make(map[string]outcome)
	for _, e := range list {
		done[e.Name] = e.run()
		tidy(first, mounted)
	}
	text, err = json.Marshal(done)
	check(err)
	check(os.WriteFile(filepath.Join(outDir, "done.json"), text, 0o644))
	check(os.MkdirAll(dir, 0o755))
	check(os.CopyFS(dir, os.DirFS(outDir)))
}

func (e errand) run() outcome {
	ctx, cancel := context.WithTimeout(context.Background(), errandLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.Line[0], e.Line[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{Stderr: []byte(err.Error()), Code: -1}
	}
	code := cmd.ProcessState.ExitCode()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		code = 128 + int(status.Signal())
	}
	return outcome{stdout.Bytes(), stderr.Bytes(), code, took}
}

// there is what is in the directories that errands work in.
func there() map[string]bool {
	names := make(map[string]bool)
	for _, dir := range []string{"/tmp", "/work", "/mnt/casefold"} {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // a kernel that cannot fold case
		}
		check(err)
		for _, e := range entries {
			names[filepath.Join(dir, e.Name())] = true
		}
	}
	return names
}

// mounts are the mount points, in the order they were mounted. What is no part of a word
// stands there in octal.
func mounts() []string {
	text, err := os.ReadFile("/proc/self/mounts")
	check(err)
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")
	var points []string
	for line := range strings.Lines(string(text)) {
		points = append(points, plain.Replace(strings.Fields(line)[1]))
	}
	return points
}

// tidy takes away what was not there at first, mounted or made, and empties the caches.
func tidy(first map[string]bool, mounted int) {
	points := mounts()[mounted:]
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			fail(fmt.Errorf("unmount %q: %w", point, err))
		}
	}
	for name := range there() {
		if !first[name] {
			check(os.RemoveAll(name))
		}
	}
	unix.Sync()
	check(os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0))
}
