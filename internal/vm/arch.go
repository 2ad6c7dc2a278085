// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"debug/elf"
	"fmt"
	"strings"
)

// arch describes one architecture that guests may have.
type arch struct {
	name        string // as printed by uname -m
	goarch      string
	machine     elf.Machine
	config      string               // line in a kernel's configuration that selects this architecture
	images      []string             // paths of the image in a build tree
	qemu        string               // the emulator's name
	board       []string             // QEMU's arguments for the machine
	cpu         string               // QEMU's CPU model under TCG
	offFeatures string               // features of cpu switched off when instructions are not counted
	command     string               // the kernel's command line
	ports       []string             // devices in the guest: the job's stdout and stderr, and the control port
	serial      func(i int) []string // QEMU's arguments for the port whose character device is port%d; port 0 is the console
}

// arches lists the supported architectures. arm64's board has only one PL011, which is the console; the other
// ports are 16550s on PCI. Neoverse-N1 has no pointer authentication, which is slow to emulate. x86 kernels
// copy with rep movsb if the CPU says that it is fast, and TCG does that byte by byte; without it a recording
// on 6.1 takes a seventh less time.
var arches = []*arch{
	{
		name: "x86_64", goarch: "amd64", machine: elf.EM_X86_64, config: "CONFIG_X86_64=y",
		images: []string{"arch/x86/boot/bzImage"},
		qemu:   "qemu-system-x86_64", board: []string{"-machine", "q35"}, cpu: "max", offFeatures: ",-erms,-fsrm",
		command: "console=ttyS0 no_timer_check", // a late timer on a loaded host is not a broken one
		ports:   []string{"/dev/ttyS1", "/dev/ttyS2", "/dev/ttyS3"},
		serial: func(i int) []string {
			return []string{"-device", fmt.Sprintf("isa-serial,index=%d,chardev=port%d", i, i)}
		},
	},
	{
		name: "aarch64", goarch: "arm64", machine: elf.EM_AARCH64, config: "CONFIG_ARM64=y",
		images: []string{"arch/arm64/boot/Image", "arch/arm64/boot/Image.gz", "arch/arm64/boot/vmlinuz.efi"},
		qemu:   "qemu-system-aarch64", board: []string{"-machine", "virt,gic-version=3"}, cpu: "neoverse-n1",
		command: "console=ttyAMA0 earlycon",
		ports:   []string{"/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"},
		serial: func(i int) []string {
			if i == 0 {
				return []string{"-serial", "chardev:port0"}
			}
			return []string{"-device", fmt.Sprintf("pci-serial,addr=%#x,chardev=port%d", 0x10+i, i)}
		},
	},
}

func archNames() string {
	var names []string
	for _, a := range arches {
		names = append(names, a.name)
	}
	return strings.Join(names, ", ")
}
