// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/vm"
)

var refusals = []errand{
	{test: "TestKernelRefused", name: "refused", line: recording("--", "/dtrec", "--help")},
	{test: "TestKernelRefused", name: "diagnosed", line: []string{"/dtrec", "doctor"}},
}

// refusing returns the guest whose kernel has no /sys/kernel/btf/vmlinux.
func refusing(dir string) ([]*guest, error) {
	if !isSelected("TestKernelRefused") || os.Getenv(otherKernelsVar) == "" {
		return nil, nil
	}
	kernel := filepath.SplitList(os.Getenv(otherKernelsVar))[0]
	release, err := vm.KernelRelease(kernel)
	if err != nil {
		return nil, err
	}
	return []*guest{{
		kernel: kernel, release: release, dir: filepath.Join(dir, release, "refused"), list: refusals,
		config: vm.Config{FS: vm.FSTmpfs, SMP: 1, Append: "initcall_blacklist=btf_vmlinux_init"},
	}}, nil
}

// TestKernelRefused checks a kernel on which nothing can be recorded: record says why before the
// command runs, and doctor gives the same reason and remedy.
func TestKernelRefused(t *testing.T) {
	t.Parallel()
	release, err := vm.KernelRelease(otherKernels(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	var said [2]string
	for i, e := range refusals {
		o := waitForErrand(t, release, e.name)
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
}
