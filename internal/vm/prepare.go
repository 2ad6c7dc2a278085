// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// mount is one file system to mount in the guest.
type mount struct {
	source, target, kind, options string
	flags                         uintptr
	optional                      bool // the job runs even if the kernel does not have it
}

// mountBasics mounts what init itself needs.
func mountBasics() error {
	return mountAll([]mount{
		{source: "proc", target: "/proc", kind: "proc"},
		{source: "sysfs", target: "/sys", kind: "sysfs"},
		{source: "devtmpfs", target: "/dev", kind: "devtmpfs"},
	})
}

// prepare sets up the system in which the job runs: file systems, files taken along, directories for outputs,
// and a dcache without any trace of this preparation.
func prepare(j job, disks bool) error {
	if err := mountAll([]mount{
		{source: "devpts", target: "/dev/pts", kind: "devpts", optional: true},
		{source: "tmpfs", target: "/dev/shm", kind: "tmpfs", optional: true},
		{source: "securityfs", target: "/sys/kernel/security", kind: "securityfs", optional: true},
		{source: "debugfs", target: "/sys/kernel/debug", kind: "debugfs", optional: true},
		{source: "tracefs", target: "/sys/kernel/tracing", kind: "tracefs", optional: true},
		{source: "bpf", target: "/sys/fs/bpf", kind: "bpf", optional: true},
		{source: "cgroup2", target: "/sys/fs/cgroup", kind: "cgroup2", optional: true},
	}); err != nil {
		return err
	}
	if err := mountPlaces(j.FS, disks); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return os.Chmod(tmpDir, 0o777|fs.ModeSticky) },
		func() error { return unix.Sethostname([]byte("dtrec-vm")) },
		loopbackUp,
		func() error { return os.WriteFile("/proc/sys/kernel/kptr_restrict", []byte("0\n"), 0) },
		func() error { return unstage(stagingPath, "/") },
		func() error { return makeDirs(j.Dirs) },
		func() error { unix.Sync(); return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		err := os.MkdirAll(m.target, 0o755)
		if err == nil {
			err = unix.Mount(m.source, m.target, m.kind, m.flags, m.options)
		}
		switch {
		case err != nil && m.optional:
			fmt.Fprintf(os.Stderr, "dtrec-vm: no %s on %s: %v\n", m.kind, m.target, err)
		case err != nil:
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}

// loopbackUp brings the network interface lo up. A kernel without networking has none, which is no error.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("lo up: %w", err)
	}
	return nil
}

func makeDirs(dirs []string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}
