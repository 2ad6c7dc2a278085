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

// fsOptions build a file system in.
var fsOptions = map[string]string{FSExt4: "CONFIG_EXT4_FS", FSOverlay: "CONFIG_OVERLAY_FS", FSTmpfs: "CONFIG_TMPFS"}

// loadModules loads the modules taken along, in order. One that does not load is a reason for what is missing later.
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

// equipment is what the guest found that it can do.
type equipment struct {
	disks   bool   // disks can come
	lacking string // why the file system asked for is not possible; empty: it is
}

// survey finds out, without waiting, what of the run this kernel can do. Drivers stand below /sys/bus as soon as they are
// there, whether or not they have found their disks.
func survey(j job, refused []string) (equipment, error) {
	var e equipment
	var reasons []string
	for _, b := range buses {
		if slices.Contains(j.Buses, b.name) && b.ready() {
			e.disks = true
		}
	}
	if !e.disks && j.FS != FSTmpfs {
		var ways []string
		for _, b := range buses {
			ways = append(ways, b.options)
		}
		reasons = append(reasons, "no driver for a disk ("+strings.Join(ways, ", or ")+")")
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return e, err
	}
	kinds := []string{cmp.Or(j.FS, FSExt4)}
	if j.FS == FSOverlay {
		kinds = []string{FSExt4, FSOverlay} // its layers are on a disk
	}
	for _, kind := range kinds {
		if !bytes.Contains(known, []byte("\t"+kind+"\n")) {
			reasons = append(reasons, fmt.Sprintf("no %s (%s)", kind, fsOptions[kind]))
		}
	}
	if len(reasons) > 0 {
		e.lacking = "this kernel has " + strings.Join(append(append(reasons, refused...), j.Modules.Notes...), "; ")
	}
	return e, nil
}

// ready tells whether the drivers are there.
func (b *bus) ready() bool {
	for _, driver := range b.drivers {
		if _, err := os.Stat("/sys/bus/" + driver); err != nil {
			return false
		}
	}
	return true
}

// diskLimit is how long a disk whose driver is there may take to appear: the kernel looks for disks while init starts.
const diskLimit = 30 * time.Second

// findDisk waits for the disk with a serial number and returns its device.
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

// serialOf reads a disk's serial number: from virtio-blk, from NVMe, or from page 0x80 of a SCSI disk's vital product data,
// after a header of four bytes.
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
