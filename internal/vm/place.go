// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// ext4Options: the inode tables of the fresh images need no zeroing in the background.
const ext4Options = "noinit_itable"

// mountPlaces mounts the directories the job works in.
func mountPlaces(j job) error {
	tmp, work := place{tmpDir, tmpDisk, "/.dtrec/tmp"}, place{workDir, workDisk, "/.dtrec/work"}
	for _, p := range []place{tmp, work} {
		if err := p.mount(j); err != nil {
			return err
		}
	}
	if err := mountDisk(loopDisk, mount{target: loopDir, kind: "ext2"}); err != nil {
		return err
	}
	if _, err := os.Stat("/sys/fs/ext4/features/casefold"); errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without CONFIG_UNICODE mounts no such disk
	}
	return mountDisk(casefoldDisk, mount{target: casefoldDir, kind: "ext4", options: ext4Options})
}

// place is a directory on the file system that was asked for.
type place struct {
	dir, disk string
	layers    string // where an overlay keeps its disk
}

// mount mounts it without access times: whether one is due is a matter of clock ticks, and a walk that has to write
// it leaves RCU mode. Two recordings would differ.
func (p place) mount(j job) error {
	ext4 := mount{target: p.dir, kind: "ext4", options: ext4Options, flags: unix.MS_NOATIME}
	switch j.FS {
	case FSTmpfs:
		return mountAll([]mount{{source: "tmpfs", target: p.dir, kind: "tmpfs", options: "mode=0755", flags: unix.MS_NOATIME}})
	case FSOverlay:
		if err := loadOverlay(j.Module); err != nil {
			return err
		}
		ext4.target = p.layers
		if err := mountDisk(p.disk, ext4); err != nil {
			return err
		}
		lower, upper, work := path.Join(p.layers, "lower"), path.Join(p.layers, "upper"), path.Join(p.layers, "work")
		if err := makeDirs([]string{lower, upper, work}); err != nil {
			return err
		}
		return mountAll([]mount{{source: "overlay", target: p.dir, kind: "overlay", flags: unix.MS_NOATIME,
			options: "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work}})
	}
	return mountDisk(p.disk, ext4)
}

// mountDisk mounts the disk with a serial number.
func mountDisk(serial string, m mount) (err error) {
	if m.source, err = findDisk(serial); err != nil {
		return err
	}
	return mountAll([]mount{m})
}

// loadOverlay makes sure that the kernel knows overlayfs, from the module if need be.
func loadOverlay(module string) error {
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	if bytes.Contains(known, []byte("\toverlay\n")) {
		return nil
	}
	if module == "" {
		return ErrNoOverlay
	}
	if err := loadModule(stagingPath + module); err != nil {
		return fmt.Errorf("load the overlay module: %w", err)
	}
	return nil
}
