// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

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

// ext4Options keeps the kernel from zeroing the inode tables in the background, which the fresh images do not
// need.
const ext4Options = "noinit_itable"

// mountPlaces mounts the directories in which the job works, two of them on the requested file system.
func mountPlaces(kind string, disks bool) error {
	err := mountPlace(tmpDir, tmpDisk, kind)
	if err == nil {
		err = mountPlace(workDir, workDisk, kind)
	}
	if err != nil {
		return err
	}
	// ext4 also mounts ext2: as ext2 if CONFIG_EXT4_USE_FOR_EXT2 is set, and otherwise as ext4.
	if !disks {
		err = mountAll([]mount{{source: "tmpfs", target: loopDir, kind: "tmpfs"}})
	} else if err = mountDisk(loopDisk, mount{target: loopDir, kind: "ext2"}); errors.Is(err, unix.ENODEV) {
		err = mountDisk(loopDisk, mount{target: loopDir, kind: "ext4"})
	}
	if err == nil {
		err = os.WriteFile(path.Join(loopDir, "a.txt"), []byte("x\n"), 0o644)
	}
	if err != nil || !disks {
		return err
	}
	if _, err := os.Stat("/sys/fs/ext4/features/casefold"); errors.Is(err, fs.ErrNotExist) {
		return nil // without CONFIG_UNICODE the kernel cannot mount this disk
	}
	return mountDisk(casefoldDisk, mount{target: casefoldDir, kind: "ext4", options: ext4Options, optional: true})
}

// mountPlace mounts a file system of this kind without access times. Whether one must be updated depends on clock ticks,
// and a walk that has to write it leaves RCU mode, so that two recordings would differ.
func mountPlace(dir, disk, kind string) error {
	ext4 := mount{target: dir, kind: "ext4", options: ext4Options, flags: unix.MS_NOATIME}
	switch kind {
	case FSTmpfs:
		return mountAll([]mount{{source: "tmpfs", target: dir, kind: "tmpfs", options: "mode=0755", flags: unix.MS_NOATIME}})
	case FSOverlay:
		ext4.target = path.Join("/.dtrec", dir)
		if err := mountDisk(disk, ext4); err != nil {
			return err
		}
		lower, upper, work := path.Join(ext4.target, "lower"), path.Join(ext4.target, "upper"), path.Join(ext4.target, "work")
		if err := makeDirs([]string{lower, upper, work}); err != nil {
			return err
		}
		return mountAll([]mount{{source: "overlay", target: dir, kind: "overlay", flags: unix.MS_NOATIME,
			options: "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work}})
	}
	return mountDisk(disk, ext4)
}

// mountDisk mounts the disk with this serial number.
func mountDisk(serial string, m mount) (err error) {
	if m.source, err = findDisk(serial); err != nil {
		return err
	}
	return mountAll([]mount{m})
}
