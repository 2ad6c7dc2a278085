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
	"strings"
	"testing"
	"time"
)

// bed is what the tests on a real kernel share: one kernel and the program that is built from testdata/guest.
type bed struct {
	kernel, program string
}

// onKernels runs a test on each kernel image that DTREC_KERNELS names (colon separated).
func onKernels(t *testing.T, test func(t *testing.T, b bed)) {
	kernels := filepath.SplitList(os.Getenv("DTREC_KERNELS"))
	if len(kernels) == 0 {
		t.Fatal("DTREC_KERNELS names no kernel image: set it from scripts/fetch-kernel")
	}
	program := filepath.Join(t.TempDir(), "guest")
	build := exec.Command("go", "build", "-o", program, "./testdata/guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest's program: %v\n%s", err, out)
	}
	for _, kernel := range kernels {
		release, err := KernelRelease(kernel)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(release, func(t *testing.T) { test(t, bed{kernel, program}) })
	}
}

// result is what came back from a run.
type result struct {
	code                    int
	stdout, stderr, console string
}

// run runs one job, with c's Files, Outputs, Env and Timeout.
func (b bed) run(ctx context.Context, c Config, args ...string) (result, error) {
	var stdout, stderr, console bytes.Buffer
	c.Kernel, c.Program, c.Args = b.kernel, b.program, args
	c.Stdout, c.Stderr, c.Console = &stdout, &stderr, &console
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Minute
	}
	code, err := Run(ctx, c)
	return result{code, stdout.String(), stderr.String(), console.String()}, err
}

// must runs a job that has to end with a certain exit code.
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

func TestKernelFacts(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		r := b.must(t, 0, Config{}, "facts")
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
			if !strings.Contains(r.stdout, want+"\n") {
				t.Errorf("no %q in:\n%s", want, r.stdout)
			}
		}
	})
}

// TestKernelFilesystems: /tmp and the working directory are on what was asked for, and /mnt/casefold is there where the
// kernel can fold case.
func TestKernelFilesystems(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
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

// TestKernelWithoutOverlay: an image alone has no overlayfs on the kernels of a distribution.
func TestKernelWithoutOverlay(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		image, err := os.ReadFile(b.kernel)
		if err == nil {
			b.kernel = filepath.Join(t.TempDir(), "vmlinuz")
			err = os.WriteFile(b.kernel, image, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.run(t.Context(), Config{FS: FSOverlay}, "facts"); !errors.Is(err, ErrNoOverlay) {
			t.Errorf("got %v, want ErrNoOverlay", err)
		}
	})
}

func TestKernelStreams(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		r := b.must(t, 0, Config{}, "bytes")
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
	})
}

func TestKernelExitCodes(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		b.must(t, 255, Config{}, "exit", "255")
		b.must(t, 128+9, Config{}, "kill")
	})
}

func TestKernelOrphan(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) { b.must(t, 0, Config{}, "orphan") })
}

func TestKernelFilesAndOutputs(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		t.Chdir(t.TempDir())
		if err := os.Mkdir("traces", 0o755); err != nil {
			t.Fatal(err)
		}
		b.must(t, 0, Config{Outputs: []string{"traces/run1.pb", "dir"}}, "outputs")
		if got, err := os.ReadFile("traces/run1.pb"); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("0123456789abcdef"), 1<<18)) {
			t.Errorf("traces/run1.pb: %d bytes, %v", len(got), err)
		}
		if got, err := os.ReadFile("dir/deep/file"); err != nil || string(got) != "deep" {
			t.Errorf("dir/deep/file: %q, %v", got, err)
		}
		if _, err := os.Lstat("dir/link"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("dir/link: a link came back (%v)", err)
		}

		files := []File{{Host: b.program, Guest: "taken/prog"}, {Host: b.program, Guest: "/tmp/prog"}}
		for _, program := range []string{"taken/prog", "/tmp/prog"} {
			r := b.must(t, 0, Config{Files: files, Env: []string{"DTREC_TEST=set"}}, "program", program)
			if want := fmt.Sprintf("%q set\n", []string{"taken"}); r.stdout != want {
				t.Errorf("%s: got %q, want %q", program, r.stdout, want)
			}
		}
	})
}

func TestKernelPanic(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		_, err := b.run(t.Context(), Config{}, "panic")
		var guest *GuestError
		if !errors.Is(err, ErrPanic) || !errors.As(err, &guest) || len(guest.Console) != tailLines {
			t.Errorf("got %v, want ErrPanic with %d lines of console", err, tailLines)
		}
	})
}

func TestKernelHangAndCancel(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		tmp := t.TempDir()
		t.Setenv("TMPDIR", tmp)
		if _, err := b.run(t.Context(), Config{Timeout: 10 * time.Second}, "sleep"); !errors.Is(err, ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		if _, err := b.run(ctx, Config{}, "sleep"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// TestKernelMountFailure boots with disks that hold no file system.
func TestKernelMountFailure(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		bin := t.TempDir()
		writeExecutable(t, filepath.Join(bin, "mke2fs"), "#!/bin/sh\n")
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		_, err := b.run(t.Context(), Config{}, "facts")
		if !errors.Is(err, ErrInit) || !strings.Contains(err.Error(), "mount ext4 on /tmp") {
			t.Errorf("got %v, want ErrInit about /tmp", err)
		}
	})
}

// TestKernelInitEnds runs a program whose main forgot to call Init: it ends where init must not.
func TestKernelInitEnds(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		b.program = filepath.Join(t.TempDir(), "guest")
		build := exec.Command("go", "build", "-o", b.program, "./testdata/noinit")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		if _, err := b.run(t.Context(), Config{}); !errors.Is(err, ErrPanic) {
			t.Errorf("got %v, want ErrPanic", err)
		}
	})
}

// TestKernelUnbootable cuts a real image off in the middle.
func TestKernelUnbootable(t *testing.T) {
	onKernels(t, func(t *testing.T, b bed) {
		image, err := os.ReadFile(b.kernel)
		if err != nil {
			t.Fatal(err)
		}
		b.kernel = filepath.Join(t.TempDir(), "vmlinuz")
		if err := os.WriteFile(b.kernel, image[:len(image)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = b.run(t.Context(), Config{Timeout: 20 * time.Second}, "facts")
		var guest *GuestError
		if !errors.As(err, &guest) {
			t.Errorf("got %v, want a GuestError", err)
		}
		t.Logf("an image cut in half: %v", err)
	})
}
