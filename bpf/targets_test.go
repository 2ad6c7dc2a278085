// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that has ended is told apart from a running one, even if another process got its id.
func TestProcesses(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := openProcesses([]uint32{uint32(os.Getpid()), uint32(cmd.Process.Pid)})
	if err = errors.Join(err, p.checkRunning()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if err := p.checkRunning(); err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", cmd.Process.Pid, " ended")) {
		t.Errorf("one has ended: %v", err)
	}
	if err := p.close(); err != nil || len(p) > 0 {
		t.Errorf("%d are open: %v", len(p), err)
	}
	if _, err := openProcesses([]uint32{uint32(cmd.Process.Pid)}); !errors.Is(err, unix.ESRCH) {
		t.Errorf("it is gone: %v", err)
	}
}

// The offset of the boottime clock in a time namespace is read, also a negative one.
func TestBoottimeOffset(t *testing.T) {
	for text, want := range map[string]int64{
		"":                                  0,
		"monotonic           5         0\n": 0,
		"monotonic           0         0\nboottime            0         0\n":   0,
		"monotonic           1         0\nboottime       864000 500000000\n":   864000_500000000,
		"monotonic           1         0\nboottime           -3         250\n": -3_000000000 + 250,
	} {
		if got := boottimeOffset(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// The depth of a cgroup is that of the cgroup which its mount shows plus its own depth below the mount point.
func TestCgroupLevel(t *testing.T) {
	file := writeFile(t, `24 1 0:22 /a/b /mnt/some\040where rw - cgroup2 cgroup2 rw
25 1 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
26 1 0:23 / /sys/fs/other rw - tmpfs tmpfs rw
27 25 0:22 /c /sys/fs/cgroup/x rw - cgroup2 cgroup2 rw
`)
	if got := cgroup2Mount(file); got != "/sys/fs/cgroup" {
		t.Errorf("the hierarchy is mounted at %q", got)
	}
	mounts := cgroup2Mounts(file)
	for path, want := range map[string]int{
		"/sys/fs/cgroup": 0, "/sys/fs/cgroup/a": 1, "/sys/fs/cgroup/a/b/c": 3, "/sys/fs/cgroup/x": 1, "/sys/fs/cgroup/x/d": 2, "/sys/fs/cgroup/xy": 1,
		"/mnt/some where": 2, "/mnt/some where/e": 3, "/sys/fs/other/a": -1,
	} {
		if level, ok := cgroupLevel(mounts, path); ok != (want >= 0) || ok && int(level) != want {
			t.Errorf("%s: level %d, known %t, want %d", path, level, ok, want)
		}
	}
}

func TestCgroupIDRefusesOthers(t *testing.T) {
	if _, _, err := cgroupID(t.TempDir()); err == nil {
		t.Error("an ordinary directory is taken for a cgroup")
	}
	if _, _, err := cgroupID("/does/not/exist"); err == nil {
		t.Error("a missing directory is taken for a cgroup")
	}
}
