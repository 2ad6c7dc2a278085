// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"strings"
	"testing"
)

// A kernel that cannot be recorded: record says why before the command runs, and doctor says the same, with the same remedy.
// The kernel is one without /sys/kernel/btf/vmlinux.
func TestKernelRefused(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	kernel := otherKernels(t)[0]
	flags := []string{"--fs", "tmpfs", "--append", "initcall_blacklist=btf_vmlinux_init"}
	_, refused, code, err := dtrecVM(bin, kernel, flags, "record", "-o", t.TempDir()+"/x.pb", "--", "/bin/dtrec", "--help")
	if err != nil || code != 2 {
		t.Fatalf("exit %d, %v\n%s", code, err, refused)
	}
	diagnosis, _, code, err := dtrecVM(bin, kernel, flags, "doctor")
	if err != nil || code != 2 {
		t.Fatalf("exit %d, %v\n%s", code, err, diagnosis)
	}
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
