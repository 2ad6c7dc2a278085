// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Shared by the tests on a real kernel: the programs built from testdata/guest and testdata/noinit, and the
// number of boots.
var (
	guestProgram, noInitProgram string
	boots                       atomic.Int64
)

// TestMain builds the guests' programs, and prints at the end how often a kernel was booted.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dtrec-vm-test")
	if err == nil {
		build := exec.Command("go", "build", "-o", dir+"/", "./testdata/guest", "./testdata/noinit")
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the guests' programs:", err)
		os.Exit(1)
	}
	guestProgram, noInitProgram = filepath.Join(dir, "guest"), filepath.Join(dir, "noinit")
	code := m.Run()
	os.RemoveAll(dir)
	if n := boots.Load(); n > 0 {
		fmt.Printf("kernel tests: %d boots, %d scenes, 0 verdicts held\n", n, n)
	}
	os.Exit(code)
}

// bed is a kernel and a program for it.
type bed struct {
	kernel, program string
}

// kernels returns the images named by DTREC_KERNELS (separated by colons), the oldest kernel first.
func kernels(t *testing.T) []string {
	t.Helper()
	files := filepath.SplitList(os.Getenv("DTREC_KERNELS"))
	if len(files) == 0 {
		t.Fatal("DTREC_KERNELS names no kernel image: set it from scripts/fetch-kernel")
	}
	return files
}

// onOuterKernels runs a test on the oldest and the newest kernel, because it depends on what a kernel does
// for its guest.
func onOuterKernels(t *testing.T, test func(t *testing.T, b bed)) {
	t.Helper()
	files := kernels(t)
	for _, kernel := range slices.Compact([]string{files[0], files[len(files)-1]}) {
		release, err := KernelRelease(kernel)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(release, func(t *testing.T) { test(t, bed{kernel, guestProgram}) })
	}
}

// onOne returns the bed for a test whose result does not depend on the kernel.
func onOne(t *testing.T) bed {
	t.Helper()
	files := kernels(t)
	return bed{files[len(files)/2], guestProgram}
}

// result is what a run returned.
type result struct {
	code                    int
	stdout, stderr, console string
}

// run runs one job with c, in which it sets Kernel, Program, Args and the writers.
func (b bed) run(ctx context.Context, c Config, args ...string) (result, error) {
	var stdout, stderr, console bytes.Buffer
	c.Kernel, c.Program, c.Args = b.kernel, b.program, args
	c.Stdout, c.Stderr, c.Console = &stdout, &stderr, &console
	if c.SMP == 0 {
		c.SMP = 1 // a second CPU takes a quarter of a boot's time more
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Minute
	}
	boots.Add(1)
	code, err := Run(ctx, c)
	return result{code, stdout.String(), stderr.String(), console.String()}, err
}

// must runs a job that must end with the given exit code.
func (b bed) must(t *testing.T, code int, c Config, args ...string) result {
	t.Helper()
	r, err := b.run(t.Context(), c, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if r.code != code {
		t.Fatalf("%q: exit code %d, want %d\nstdout: %s\nstderr: %s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

// TestKernelGuest runs one job that checks all it can rely on, uses all that it may, and ends.
func TestKernelGuest(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, b bed) {
		t.Chdir(t.TempDir())
		if err := os.Mkdir("traces", 0o755); err != nil {
			t.Fatal(err)
		}
		group := put(t, []byte("root:x:0:\n"), t.TempDir(), "group") // replaces the guest's own file
		// A process that outlives the job and holds its stdout does not keep the guest running.
		r := b.must(t, 255, Config{
			SMP:     2,
			Files:   []File{{Host: b.program, Guest: "taken/prog"}, {Host: b.program, Guest: "/tmp/prog"}, {Host: group, Guest: "/etc/group"}},
			Env:     []string{"DTREC_TEST=set"},
			Outputs: []string{"traces/run1.pb", "dir", "facts", "programs"},
		}, "everything")
		checkFacts(t, b, read(t, "facts"))
		checkStreams(t, r)
		if got := read(t, "traces/run1.pb"); got != strings.Repeat("0123456789abcdef", 1<<18) {
			t.Errorf("traces/run1.pb: %d bytes", len(got))
		}
		if got := read(t, "dir/deep/file"); got != "deep" {
			t.Errorf("dir/deep/file: %q", got)
		}
		if _, err := os.Lstat("dir/link"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("dir/link: a link came back (%v)", err)
		}
		if got, want := read(t, "programs"), strings.Repeat(fmt.Sprintf("%q set\n", []string{"taken"}), 2); got != want {
			t.Errorf("programs taken along: got %q, want %q", got, want)
		}
	})
}

// read returns the content of a file. If it cannot be read, the test fails.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func checkFacts(t *testing.T, b bed, facts string) {
	t.Helper()
	release, err := KernelRelease(b.kernel)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"mount /proc proc", "mount /sys sysfs", "mount /dev devtmpfs", "mount /sys/kernel/tracing tracefs",
		"mount /sys/kernel/debug debugfs", "mount /sys/fs/bpf bpf", "mount /sys/fs/cgroup cgroup2",
		"mount /tmp ext4", "mount /work ext4", "mount /mnt/loopfs ext2", "hostname dtrec-vm",
		"release " + release, "cwd /work", "uid 0", `a.txt "x\n"`, "kptr_restrict 0", "stdout p---------", "lo unknown",
	} {
		if !strings.Contains(facts, want+"\n") {
			t.Errorf("no %q in:\n%s", want, facts)
		}
	}
}

// checkStreams checks that every byte comes through stdout and stderr.
func checkStreams(t *testing.T, r result) {
	t.Helper()
	up, down := make([]byte, 256), make([]byte, 256)
	for i := range up {
		up[i], down[i] = byte(i), byte(255-i)
	}
	if r.stdout != strings.Repeat(string(up), 1024) {
		t.Errorf("stdout: %d bytes, not what was written", len(r.stdout))
	}
	if r.stderr != strings.Repeat(string(down), 256) {
		t.Errorf("stderr: %d bytes, not what was written", len(r.stderr))
	}
}

// TestKernelFilesystems checks that /tmp and the working directory are on the requested file system, and that
// /mnt/casefold is mounted if the kernel can fold case.
func TestKernelFilesystems(t *testing.T) {
	onOuterKernels(t, func(t *testing.T, b bed) {
		for _, fs := range []string{FSTmpfs, FSOverlay} {
			r := b.must(t, 0, Config{FS: fs}, "facts")
			for _, want := range []string{"mount /tmp " + fs, "mount /work " + fs, "mount /mnt/loopfs ext2", "cwd /work"} {
				if !strings.Contains(r.stdout, want+"\n") {
					t.Errorf("%s: no %q in:\n%s", fs, want, r.stdout)
				}
			}
			folds := strings.Contains(r.stdout, "casefold yes\n")
			if folds != strings.Contains(r.stdout, "mount /mnt/casefold ext4\n") {
				t.Errorf("the kernel folds case: %v, and:\n%s", folds, r.stdout)
			}
		}
	})
}

// TestKernelKilled runs a job that is killed by a signal, which must be reported.
func TestKernelKilled(t *testing.T) {
	t.Parallel()
	var told []string
	onOne(t).must(t, 128+9, Config{Notice: func(s string) { told = append(told, s) }}, "kill")
	if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "was killed by SIGKILL") }) {
		t.Errorf("told %q", told)
	}
}

func TestKernelPanic(t *testing.T) {
	t.Parallel()
	b := onOne(t)
	_, err := b.run(t.Context(), Config{}, "panic")
	var guest *GuestError
	if !errors.Is(err, ErrPanic) || !errors.As(err, &guest) || len(guest.Console) != tailLines {
		t.Errorf("got %v, want ErrPanic with %d lines of console", err, tailLines)
	}
}

// TestKernelHangAndInterrupt: a guest that hangs is ended, a job that is interrupted ends by itself and keeps its outputs,
// and neither leaves anything on the host.
func TestKernelHangAndInterrupt(t *testing.T) {
	b := onOne(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	if _, err := b.run(t.Context(), Config{Timeout: 10 * time.Second}, "sleep"); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
	t.Chdir(t.TempDir())
	signals := make(chan os.Signal, 1)
	c := Config{Signals: signals, Outputs: []string{"facts"}, Kernel: b.kernel, Program: b.program, Args: []string{"interrupt"}, SMP: 1}
	// A serial port passes a line on in as many pieces as the host's reader is late for, and a second signal ends the guest.
	c.Stdout = writerFunc(func(p []byte) (int, error) {
		if bytes.HasSuffix(p, []byte("\n")) {
			signals <- os.Interrupt
		}
		return len(p), nil
	})
	boots.Add(1)
	code, err := Run(t.Context(), c)
	if text, _ := os.ReadFile("facts"); err != nil || code != 4 || string(text) != os.Interrupt.String() {
		t.Errorf("got exit code %d, %v and %q, want 4 and an output", code, err, text)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestKernelMountFailure boots with disks that have no file system.
func TestKernelMountFailure(t *testing.T) {
	b := onOne(t)
	bin := t.TempDir()
	writeExecutable(t, filepath.Join(bin, "mke2fs"), "#!/bin/sh\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	_, err := b.run(t.Context(), Config{}, "facts")
	if !errors.Is(err, ErrInit) || !strings.Contains(err.Error(), "mount ext4 on /tmp") {
		t.Errorf("got %v, want ErrInit about /tmp", err)
	}
}

// TestKernelInitEnds runs a program whose main does not call Init, so that init ends and the kernel panics.
func TestKernelInitEnds(t *testing.T) {
	t.Parallel()
	b := onOne(t)
	b.program = noInitProgram
	if _, err := b.run(t.Context(), Config{}); !errors.Is(err, ErrPanic) {
		t.Errorf("got %v, want ErrPanic", err)
	}
}
