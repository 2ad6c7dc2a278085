// SPDX-License-Identifier: Apache-2.0

//go:build linux

package workload

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rootless returns the workloads that run anywhere and as any user.
func rootless() []Program {
	return slices.DeleteFunc(All()[11:], func(w Program) bool { return w.Name == "race" || w.Name == "casefold" })
}

// Every call gives the result that the workload expects, and the files it creates are those that Clean
// removes.
func TestPathWorkloads(t *testing.T) {
	for _, w := range rootless() {
		t.Run(w.Name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			if err := w.Run(1, nil); err != nil {
				t.Error(err)
			}
			if err := os.Chdir(dir); err != nil {
				t.Fatal(err)
			}
			if made, _ := filepath.Glob("*"); len(made) == 0 {
				t.Error("it made nothing")
			}
			if err := Clean([]Program{w}); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob("*"); len(left) != 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

// The printed C leaves the same files behind as the Go code.
func TestPathWorkloadsInC(t *testing.T) {
	cc := compiler(t)
	for _, w := range rootless() {
		t.Run(w.Name, func(t *testing.T) {
			ours, theirs, program := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "program")
			build := exec.Command(cc, "-x", "c", "-std=gnu11", "-pthread", "-o", program, "-")
			build.Stdin = strings.NewReader(wholeProgram(w.Source()))
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			run := exec.Command(program)
			run.Dir = theirs
			if err := run.Run(); err != nil {
				t.Fatal(err)
			}
			t.Chdir(ours)
			if err := w.Run(1, nil); err != nil {
				t.Error(err)
			}
			if a, b := tree(t, ours), tree(t, theirs); a != b {
				t.Errorf("run:\n%s\nas C:\n%s", a, b)
			}
		})
	}
}

// tree lists a directory with file types and the targets of links.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target, _ := os.Readlink(name)
		_, err = b.WriteString(strings.TrimPrefix(name, dir) + " " + entry.Type().String() + " " + target + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Two threads open every file, at any speed; the names are the same as in C.
func TestRace(t *testing.T) {
	t.Chdir(t.TempDir())
	w := Program{Name: "race", steps: append(raceTrack("race", 4), race("race", 4))}
	if err := w.Run(1, nil); err != nil {
		t.Error(err)
	}
	if err := os.Remove("race/03"); err != nil {
		t.Fatal(err)
	}
	again := race("race", 4)
	err := again.execute(&state{comm: "race"})
	if err == nil || strings.Count(err.Error(), "open race/03: ") != 2 {
		t.Errorf("a missing file is not told by both threads: %v", err)
	}
}

func TestQuote(t *testing.T) {
	if got := quote("a\n\"\\\xff1`\x1b"); got != `"a\n\"\\\3771`+"`"+`\033"` {
		t.Errorf("got %s", got)
	}
}
