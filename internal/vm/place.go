// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

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
