// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	p := plan{Config: Config{SMP: 3, Memory: "2G", Append: "preempt=full", Accel: accelTCG, buses: buses[1:2]}, arch: arches[0]}
	tcg := arguments(p, true)
	p.OneThread = true
	turns := arguments(p, true)
	p.Accel = accelKVM
	kvm := arguments(p, false)
	for _, want := range [][2]string{
		{"-smp", "3"}, {"-m", "2G"}, {"-kernel", "/proc/self/fd/7"}, {"-initrd", "/proc/self/fd/8"}, {"-append", commandLine + " " + arches[0].command + " " + emulatedLine + " preempt=full"},
		{"-accel", "tcg,thread=multi"}, {"-cpu", "max,-erms,-fsrm"}, {"-device", "nvme,drive=nvme3,serial=dtrec-output"},
	} {
		if !hasPair(tcg, want) {
			t.Errorf("no %q in %q", want, tcg)
		}
	}
	if !hasPair(turns, [2]string{"-accel", "tcg,thread=single"}) {
		t.Errorf("the CPUs do not take turns: %q", turns)
	}
	if !hasPair(kvm, [2]string{"-append", commandLine + " " + arches[0].command + " preempt=full"}) {
		t.Errorf("a kernel under KVM is not as it is: %q", kvm)
	}
	if !hasPair(kvm, [2]string{"-accel", "kvm"}) || !hasPair(kvm, [2]string{"-cpu", "host"}) {
		t.Errorf("no KVM in %q", kvm)
	}
	all := strings.Join(tcg, " ")
	for fd := portsFD; fd <= ordersFD; fd++ {
		if n := len(regexp.MustCompile(fmt.Sprintf(`/proc/self/fd/%d\b`, fd)).FindAllString(all, -1)); n != 1 {
			t.Errorf("descriptor %d is not in the arguments once: %s", fd, all)
		}
	}
	for _, wanted := range []string{"-no-reboot", "-nodefaults"} {
		if !slices.Contains(tcg, wanted) {
			t.Errorf("no %s in %q", wanted, tcg)
		}
	}
	if strings.Contains(all, "netdev") || strings.Contains(all, "virtfs") {
		t.Errorf("a network or a host mount: %s", all)
	}
}

func hasPair(args []string, pair [2]string) bool {
	for i := range len(args) - 1 {
		if args[i] == pair[0] && args[i+1] == pair[1] {
			return true
		}
	}
	return false
}

func TestQEMUVersion(t *testing.T) {
	tests := []struct {
		text, version string
		old           bool
	}{
		{"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright", "10.0.2", false},
		{"QEMU emulator version 7.2.15 (Debian 1:7.2+dfsg-7)", "7.2.15", true},
		{"QEMU emulator version 9.0.0", "9.0.0", false},
		{"something else", "", false},
	}
	for _, tt := range tests {
		e := emulator{version: qemuVersion(tt.text)}
		if e.version != tt.version || (e.problem() != "") != tt.old {
			t.Errorf("%q: got version %q, old %q", tt.text, e.version, e.problem())
		}
	}
}

// Every architecture has a console and three ports, and every bus attaches each disk with its serial number.
func TestArgumentsOfAll(t *testing.T) {
	for _, a := range arches {
		all := strings.Join(arguments(plan{Config: Config{Accel: accelTCG, buses: buses}, arch: a}, false), " ")
		for _, port := range []string{"port0", "port1", "port2", "port3"} {
			if strings.Count(all, port) != 2 {
				t.Errorf("%s: %s is not made and used: %s", a.name, port, all)
			}
		}
		for _, d := range disks() {
			if strings.Count(all, "serial="+d.serial) != len(buses) {
				t.Errorf("%s: disk %s is not on every bus: %s", a.name, d.serial, all)
			}
		}
	}
}

func TestKernelRelease(t *testing.T) {
	if got, err := KernelRelease(fakeKernel(t)); got != "6.1.0-99-cloud-amd64" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, name := range []string{fakeELF(t, ""), os.DevNull} {
		if _, err := KernelRelease(name); !errors.Is(err, ErrNotBootable) {
			t.Errorf("%s: got %v, want ErrNotBootable", name, err)
		}
	}
}

func TestProgramOf(t *testing.T) {
	for _, want := range []string{"", "/lib64/ld.so"} {
		if _, got, err := programOf(fakeELF(t, want)); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, _, err := programOf(fakeKernel(t)); err == nil {
		t.Error("a kernel image is taken for an executable")
	}
}

func TestDialogueBoundsLines(t *testing.T) {
	d := &messageReader{onAlive: func(message) {}, onLast: func() {}}
	for range 100 {
		if _, err := d.Write(make([]byte, 10<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.line) > maxMessage {
		t.Errorf("%d bytes of a line kept", len(d.line))
	}
	if _, err := d.Write([]byte("\n{\"Alive\":true}\n{\"Done\":tr")); err != nil || !d.last.Alive || d.last.Done || d.bad == nil {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := d.Write([]byte("ue,\"Exit\":5}\n{\"Done\":true,\"Exit\":6}\n")); err != nil || d.last.Exit != 5 {
		t.Errorf("got %+v, %v, want exit code 5", d.last, err)
	}
}

// Of several errors in the outputs the first is kept: it is the cause of the others.
func TestMessageReaderKeepsTheFirstError(t *testing.T) {
	first := errors.New("the disk is full")
	d := &messageReader{bad: first, size: outputSize}
	d.writeChunk([]byte("x"))
	if d.bad != first {
		t.Errorf("got %v, want %v", d.bad, first)
	}
	d = &messageReader{size: outputSize}
	if d.writeChunk([]byte("x")); !errors.Is(d.bad, ErrBadOutput) {
		t.Errorf("got %v, want %v", d.bad, ErrBadOutput)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	c := &consoleTail{}
	_, _ = c.Write([]byte("Kernel panic - not syncing: first\n"))
	for range 5000 {
		_, _ = c.Write([]byte("a line\r\n"))
	}
	if lines := c.lines(); len(lines) != tailLines || lines[0] != "a line" || len(c.end) > tailBytes {
		t.Errorf("kept %d bytes, %q", len(c.end), lines)
	}
	if !c.sawPanic {
		t.Error("the panic is forgotten")
	}
}
