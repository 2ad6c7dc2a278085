// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"debug/elf"
	"fmt"
	"strings"
)

// arch is one architecture that guests may have: a row of arches.
type arch struct {
	name    string // uname -m's
	goarch  string
	machine elf.Machine
	config  string               // how a kernel's configuration says that it is for it
	images  []string             // where a build tree has the image
	qemu    string               // the emulator's name
	board   []string             // QEMU's arguments for the machine
	cpu     string               // under TCG
	without string               // of that, where instructions are not counted
	command string               // the kernel's command line
	ports   []string             // init's: the job's stdout and stderr, and the control port
	serial  func(i int) []string // QEMU's arguments for the port whose character device is port%d; 0 is the console
}

// arches: on arm64's board there is one PL011, the console; the other ports are 16550s on PCI. Neoverse-N1 has no
// pointer authentication, which costs much to emulate. Where rep movsb is said to be fast x86 kernels copy with it, and TCG
// does that byte by byte: without, a recording on 6.1 takes a seventh less.
var arches = []*arch{
	{
		name: "x86_64", goarch: "amd64", machine: elf.EM_X86_64, config: "CONFIG_X86_64=y",
		images: []string{"arch/x86/boot/bzImage"},
		qemu:   "qemu-system-x86_64", board: []string{"-machine", "q35"}, cpu: "max", without: ",-erms,-fsrm",
		command: "console=ttyS0 no_timer_check", // a timer that is late on a loaded host is no broken one
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

// archOf finds the row for which a test holds; nil when there is none.
func archOf(fits func(*arch) bool) *arch {
	for _, a := range arches {
		if fits(a) {
			return a
		}
	}
	return nil
}

func archNames() string {
	var names []string
	for _, a := range arches {
		names = append(names, a.name)
	}
	return strings.Join(names, ", ")
}
