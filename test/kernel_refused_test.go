// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/vm"
)

// withoutBTF are flags of a guest whose kernel is without /sys/kernel/btf/vmlinux.
var withoutBTF = []string{"--fs", "tmpfs", "--append", "initcall_blacklist=btf_vmlinux_init"}

var refusals = []errand{
	{test: "TestKernelRefused", name: "refused", line: recording("--", "/bin/dtrec", "--help"), alone: withoutBTF},
	{test: "TestKernelRefused", name: "diagnosed", line: []string{"/dtrec", "doctor"}, alone: withoutBTF},
}

// A kernel that cannot be recorded: record says why before the command runs, and doctor says the same, with the same remedy.
func TestKernelRefused(t *testing.T) {
	t.Parallel()
	release, err := vm.KernelRelease(otherKernels(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	var said [2]string
	for i, e := range refusals {
		o := ran(t, release, e.name)
		if said[i] = o.Stdout + o.Stderr; o.Code != 2 {
			t.Fatalf("%s: exit %d\n%s", e.name, o.Code, said[i])
		}
	}
	refused, diagnosis := said[0], said[1]
	lines := strings.Split(strings.TrimSpace(refused), "\n")
	reason, remedy := strings.TrimPrefix(lines[len(lines)-2], "dtrec: "), strings.TrimSpace(lines[len(lines)-1])
	if !strings.HasPrefix(reason, "no kernel type information (BTF)") || !strings.Contains(remedy, "CONFIG_DEBUG_INFO_BTF=y") {
		t.Errorf("record said %q, remedy %q", reason, remedy)
	}
	for _, said := range []string{"This machine cannot record: " + reason, remedy} {
		if !strings.Contains(diagnosis, said) {
			t.Errorf("doctor does not say %q:\n%s", said, diagnosis)
		}
	}
	if !strings.Contains(refused, "x86_64 in QEMU") {
		t.Errorf("what was booted, and how, does not stand in:\n%s", refused)
	}
}
