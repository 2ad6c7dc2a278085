// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"fmt"
	"slices"
	"strings"
)

// bus is one way a guest may have its disks.
type bus struct {
	name       string
	modules    []string // the drivers, by the kernel's names
	drivers    []string // where they stand below /sys/bus once they are there
	options    string   // that build them in
	controller string   // QEMU's device for all the disks, if there is one
	device     string   // QEMU's device for a disk, without drive and serial; %d is its number
}

// buses, the first that a kernel has is taken.
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

// busesFor chooses by what a kernel has in itself, then by its modules. Where that is not known it is all of them: the guest
// will see. nil says that the kernel drives none.
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

// arguments is QEMU's for the disks on the bus; images has a path for each serial number.
func (b *bus) arguments(images map[string]string) []string {
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
			"-blockdev", fmt.Sprintf("driver=raw,node-name=%s,cache.no-flush=on,file.driver=file,file.locking=off,file.filename=%s", node, images[d.serial]),
			"-device", fmt.Sprintf("%s,drive=%s,serial=%s", device, node, d.serial))
	}
	return args
}

// names of buses, for the guest.
func names(list []*bus) []string {
	var names []string
	for _, b := range list {
		names = append(names, b.name)
	}
	return names
}

// wanted lists the modules a guest may need, by what they are for, in the order to load them. What a kernel has not as
// a module is passed over: init sees what is there. The options say what to build in instead.
func wanted(list []*bus, filesystem string) []string {
	all := []string{"8250", "8250_base", "8250_pci"}
	for _, b := range list {
		all = append(all, b.modules...)
	}
	// Of crc32c the filesystem asks by an alias, which needs modprobe; until 6.14 it was a module of crypto.
	all = append(all, "crc32c_generic", "crc32c", "utf8data", "ext4", "ext2", "loop")
	if filesystem == FSOverlay {
		all = append(all, "overlay")
	}
	return all
}
