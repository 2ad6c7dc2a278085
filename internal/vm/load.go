// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The file systems that /tmp and the working directory may have.
const (
	FSExt4    = "ext4"
	FSTmpfs   = "tmpfs"
	FSOverlay = "overlay"
)

// Filesystems lists what Config.FS may be, the default first.
func Filesystems() []string { return []string{FSExt4, FSTmpfs, FSOverlay} }

// fsOptions maps a file system to the option that builds it in.
var fsOptions = map[string]string{FSExt4: "CONFIG_EXT4_FS", FSOverlay: "CONFIG_OVERLAY_FS", FSTmpfs: "CONFIG_TMPFS"}

// loadModules loads the modules taken along, in order. It returns the errors of those that do not load, which
// explain what is missing later.
func loadModules(names []string) (refused []string) {
	for _, name := range names {
		if err := loadModule(name); err != nil && !errors.Is(err, unix.EEXIST) {
			refused = append(refused, fmt.Sprintf("%s: %v", strings.TrimSuffix(filepath.Base(name), ".ko"), err))
		}
		_ = os.Remove(name)
	}
	return refused
}

func loadModule(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// findSupport finds out, without waiting, whether disks can be attached, and why the requested file system is not
// possible; lacking is empty if it is. Drivers appear below /sys/bus as soon as they are loaded, whether or not they
// have found their disks.
func findSupport(j job, refused []string) (disks bool, lacking string, err error) {
	var reasons []string
	for _, b := range buses {
		disks = disks || slices.Contains(j.Buses, b.name) && b.driversLoaded()
	}
	if !disks && j.FS != FSTmpfs {
		var ways []string
		for _, b := range buses {
			ways = append(ways, b.options)
		}
		reasons = append(reasons, "no driver for a disk ("+strings.Join(ways, ", or ")+")")
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return disks, "", err
	}
	kinds := []string{cmp.Or(j.FS, FSExt4)}
	if j.FS == FSOverlay {
		kinds = []string{FSExt4, FSOverlay} // its layers are on an ext4 disk
	}
	for _, kind := range kinds {
		if !bytes.Contains(known, []byte("\t"+kind+"\n")) {
			reasons = append(reasons, fmt.Sprintf("no %s (%s)", kind, fsOptions[kind]))
		}
	}
	if len(reasons) > 0 {
		lacking = "this kernel has " + strings.Join(append(append(reasons, refused...), j.Modules.Notes...), "; ")
	}
	return disks, lacking, nil
}

// driversLoaded reports whether the drivers are loaded.
func (b *bus) driversLoaded() bool {
	for _, driver := range b.drivers {
		if _, err := os.Stat("/sys/bus/" + driver); err != nil {
			return false
		}
	}
	return true
}

// diskLimit is how long a disk may take to appear once its driver is loaded: the kernel looks for disks while
// init starts.
const diskLimit = 30 * time.Second

// findDisk waits for the disk with this serial number and returns its device.
func findDisk(serial string) (string, error) {
	for start := time.Now(); time.Since(start) < diskLimit; time.Sleep(10 * time.Millisecond) {
		disks, err := os.ReadDir("/sys/block")
		if err != nil {
			return "", err
		}
		for _, disk := range disks {
			device := filepath.Join("/dev", disk.Name())
			if _, err := os.Stat(device); err == nil && serialOf(disk.Name()) == serial {
				return device, nil
			}
		}
	}
	return "", fmt.Errorf("disk %s: not seen by the kernel within %v", serial, diskLimit)
}

// serialOf returns a disk's serial number: as virtio-blk or NVMe reports it, or from page 0x80 of a SCSI
// disk's vital product data, after a header of four bytes. It is empty if there is none.
func serialOf(disk string) string {
	dir := filepath.Join("/sys/block", disk)
	for _, source := range []struct {
		file string
		skip int
	}{{"serial", 0}, {"device/serial", 0}, {"device/vpd_pg80", 4}} {
		if text, err := os.ReadFile(filepath.Join(dir, source.file)); err == nil && len(text) >= source.skip {
			return string(bytes.Trim(text[source.skip:], " \x00\n"))
		}
	}
	return ""
}
