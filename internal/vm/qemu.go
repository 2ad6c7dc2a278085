// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

const (
	// qemuMinimum is the oldest major version that runs guests reliably: 7.2 crashes them at random under TCG.
	qemuMinimum = 9
)

// The accelerators that QEMU can use to run the guest.
const (
	accelKVM = "kvm"
	accelTCG = "tcg"
	// accelCount is TCG with a clock that counts instructions: each takes one guest nanosecond, whatever the
	// host does meanwhile. Measurements are repeatable, and the virtual CPUs take turns.
	accelCount = "icount"
)

// Accelerators lists the values of Config.Accel: "kvm", "tcg", or "icount", which is TCG with a clock of one
// nanosecond per guest instruction, so that measurements are repeatable.
func Accelerators() []string { return []string{accelKVM, accelTCG, accelCount} }

// emulator is the QEMU installed on this machine.
type emulator struct {
	path    string
	version string // such as "10.0.2"; empty if not known
}

func findQEMU(ctx context.Context, a *arch) (emulator, error) {
	name, err := exec.LookPath(a.qemu)
	if err != nil {
		return emulator{}, fmt.Errorf("%s: %w", a.qemu, ErrNoQEMU)
	}
	out, err := exec.CommandContext(ctx, name, "--version").Output()
	if err != nil {
		return emulator{}, fmt.Errorf("%s --version: %w", name, err)
	}
	return emulator{path: name, version: qemuVersion(string(out))}, nil
}

// qemuVersion returns the version in the output of --version; empty if there is none.
func qemuVersion(text string) string {
	m := regexp.MustCompile(`QEMU emulator version ([0-9]+(?:\.[0-9]+)*)`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// problem says what is wrong with this version; empty if no problem is known.
func (e emulator) problem() string {
	major, _, _ := strings.Cut(e.version, ".")
	n, err := strconv.Atoi(major)
	if err != nil || n >= qemuMinimum {
		return ""
	}
	return fmt.Sprintf("QEMU %s crashes guests at random: install %d or later with scripts/install-qemu", e.version, qemuMinimum)
}

// guestFiles has the paths of the files from which QEMU builds the machine.
type guestFiles struct {
	kernel, initrd string
	serials        []string          // files that the serial ports are written to, console first
	orders         string            // file that the last of them, the control port, reads; empty for none
	disks          map[string]string // serial number to path of the image
}

// arguments returns QEMU's command line without argv[0].
func arguments(c Config, g plan, accel string, p guestFiles) []string {
	args := append([]string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}, g.arch.board...)
	line := commandLine + " " + g.arch.command
	if accel == accelTCG {
		line += " " + emulatedLine
	}
	args = append(args, "-smp", strconv.Itoa(c.SMP), "-m", c.Memory,
		"-kernel", p.kernel, "-initrd", p.initrd, "-append", strings.TrimSpace(line+" "+c.Append))
	switch accel {
	case accelKVM:
		args = append(args, "-accel", "kvm", "-cpu", "host")
	case accelCount:
		args = append(args, "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", g.arch.cpu)
	default:
		thread := "multi"
		if c.OneThread {
			thread = "single"
		}
		args = append(args, "-accel", "tcg,thread="+thread, "-cpu", g.arch.cpu+g.arch.offFeatures)
	}
	for i, file := range p.serials {
		port := fmt.Sprintf("file,id=port%d,path=%s", i, file)
		if p.orders != "" && i == len(p.serials)-1 {
			port += ",input-path=" + p.orders
		}
		args = append(args, "-chardev", port)
		args = append(args, g.arch.serial(i)...)
	}
	for _, b := range g.buses {
		args = append(args, b.arguments(p.disks)...)
	}
	return args
}

// commandLine is the part of the kernel's command line for all architectures. A panic ends QEMU.
const commandLine = "panic=-1 rdinit=/init"

// emulatedLine is added under TCG, which does not speculate: retpolines would take a tenth of a run's time.
// It is not added when instructions are counted, because a measurement is about the kernel as it is.
const emulatedLine = "mitigations=off"
