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

// arguments returns QEMU's command line without argv[0]. With orders, the control port reads them.
func arguments(p plan, orders bool) []string {
	args := append([]string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}, p.arch.board...)
	line := commandLine + " " + p.arch.command
	if p.Accel == accelTCG {
		line += " " + emulatedLine
	}
	args = append(args, "-smp", strconv.Itoa(p.SMP), "-m", p.Memory,
		"-kernel", descriptor(kernelFD), "-initrd", descriptor(initrdFD), "-append", strings.TrimSpace(line+" "+p.Append))
	switch p.Accel {
	case accelKVM:
		args = append(args, "-accel", "kvm", "-cpu", "host")
	case accelCount:
		args = append(args, "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", p.arch.cpu)
	default:
		thread := "multi"
		if p.OneThread {
			thread = "single"
		}
		args = append(args, "-accel", "tcg,thread="+thread, "-cpu", p.arch.cpu+p.arch.offFeatures)
	}
	for i := range kernelFD - portsFD {
		port := fmt.Sprintf("file,id=port%d,path=%s", i, descriptor(portsFD+i))
		if orders && i == 1+controlPort {
			port += ",input-path=" + descriptor(ordersFD)
		}
		args = append(args, "-chardev", port)
		args = append(args, p.arch.serial(i)...)
	}
	for _, b := range p.buses {
		args = append(args, b.arguments()...)
	}
	return args
}

// commandLine is the part of the kernel's command line for all architectures. A panic ends QEMU.
const commandLine = "panic=-1 rdinit=/init"

// emulatedLine is added under TCG, which does not speculate: retpolines would take a tenth of a run's time.
// It is not added when instructions are counted, because a measurement is about the kernel as it is.
const emulatedLine = "mitigations=off"
