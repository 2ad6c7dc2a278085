// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"fmt"
	"slices"
	"strings"
)

// bus is a way to attach the guest's disks.
type bus struct {
	name       string
	modules    []string // names of the drivers' modules
	drivers    []string // directories of the drivers below /sys/bus, present once they are loaded
	options    string   // configuration options that build the drivers in
	controller string   // QEMU's controller device for all disks; empty if none is needed
	device     string   // QEMU's device for one disk, without drive and serial; %d is its number
}

// buses lists the ways in order of preference: the first that a kernel supports is used.
var buses = []*bus{
	{
		"virtio-blk", []string{"virtio_pci", "virtio_blk"}, []string{"pci/drivers/virtio-pci", "virtio/drivers/virtio_blk"},
		"CONFIG_VIRTIO_BLK and CONFIG_VIRTIO_PCI", "", "virtio-blk-pci",
	},
	{"NVMe", []string{"nvme"}, []string{"pci/drivers/nvme"}, "CONFIG_BLK_DEV_NVME", "", "nvme"},
	{
		"virtio-scsi", []string{"virtio_pci", "virtio_scsi", "sd_mod"},
		[]string{"pci/drivers/virtio-pci", "virtio/drivers/virtio_scsi", "scsi/drivers/sd"},
		"CONFIG_SCSI_VIRTIO, CONFIG_VIRTIO_PCI and CONFIG_BLK_DEV_SD", "virtio-scsi-pci,id=scsi", "scsi-hd,bus=scsi.0",
	},
	{
		"SATA", []string{"ahci", "sd_mod"}, []string{"pci/drivers/ahci", "scsi/drivers/sd"},
		"CONFIG_SATA_AHCI and CONFIG_BLK_DEV_SD", "ahci,id=sata", "ide-hd,bus=sata.%d",
	},
}

// busesFor chooses a bus by the drivers built into the kernel, then by its modules. It returns all buses if
// the built-in drivers are not known, since the guest will find out, and nil if the kernel has no driver for
// any.
func busesFor(m *modules) []*bus {
	if m == nil || m.builtin == nil {
		return buses
	}
	for _, can := range []func(string) bool{func(name string) bool { return m.builtin[name] }, m.has} {
		for _, b := range buses {
			if !slices.ContainsFunc(b.modules, func(name string) bool { return !can(name) }) {
				return []*bus{b}
			}
		}
	}
	return nil
}

// arguments returns QEMU's arguments for the disks on this bus.
func (b *bus) arguments() []string {
	var args []string
	if b.controller != "" {
		args = append(args, "-device", b.controller)
	}
	for i, d := range disks() {
		node, device := fmt.Sprintf("%s%d", strings.ToLower(b.name), i), b.device
		if strings.Contains(device, "%d") {
			device = fmt.Sprintf(device, i)
		}
		args = append(args,
			"-blockdev", fmt.Sprintf("driver=raw,node-name=%s,cache.no-flush=on,file.driver=file,file.locking=off,file.filename=%s", node, descriptor(disksFD+i)),
			"-device", fmt.Sprintf("%s,drive=%s,serial=%s", device, node, d.serial))
	}
	return args
}

// busNames returns the names of the buses, for the guest.
func busNames(list []*bus) []string {
	var names []string
	for _, b := range list {
		names = append(names, b.name)
	}
	return names
}

// modulesToLoad lists the modules that a guest may need, in the order in which to load them. Modules that the kernel
// does not have are skipped, because init finds out what works.
func modulesToLoad(list []*bus, filesystem string) []string {
	all := []string{"8250", "8250_base", "8250_pci"}
	for _, b := range list {
		all = append(all, b.modules...)
	}
	// The filesystem requests crc32c by an alias, which would need modprobe. Until 6.14 it was a module of
	// crypto.
	all = append(all, "crc32c_generic", "crc32c", "utf8data", "ext4", "ext2", "loop")
	if filesystem == FSOverlay {
		all = append(all, "overlay")
	}
	return all
}
