// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/dtrec/dtrec/internal/vm"
)

// otherKernels returns the images that DTREC_OTHER_KERNELS names: one with disk drivers and filesystems
// as modules, and one of the same version for arm64.
func otherKernels(t *testing.T) []string {
	t.Helper()
	files := filepath.SplitList(os.Getenv(otherKernelsVar))
	if len(files) != 2 {
		t.Fatalf("%s names no two kernel images: set it from scripts/fetch-kernel 6.12/amd64 6.12/cloud-arm64", otherKernelsVar)
	}
	return files
}

const otherKernelsVar = "DTREC_OTHER_KERNELS"

// machine is the errand for these kernels.
var machine = errand{test: "TestKernelMachines", name: "machine", line: recording("--workload", "all"), alone: []string{}}

// single is an errand for one kernel, for which a guest boots alone.
type single struct {
	kernel string
	errand
}

// singles returns the errands of the other kernels, and one whose result is the same on any kernel.
func singles() (list []single) {
	for _, kernel := range filepath.SplitList(os.Getenv(otherKernelsVar)) {
		list = append(list, single{kernel, machine})
	}
	for _, kernel := range firstKernel() {
		list = append(list, single{kernel, errand{test: "TestKernelExitOfVM", name: "exit of vm",
			line: recording("--", "/bin/sh", "-c", "exit 7"), alone: []string{"--file", "/bin/sh"}}})
	}
	return list
}

func (s single) run(dir string, o *outcome) {
	if s.test == machine.test {
		if o.err = forArm64(); o.err != nil {
			close(o.ready)
			return
		}
	}
	s.runAlone(s.kernel, dir, o)
}

// forArm64 builds dtrec for arm64 guests, where dtrec vm looks for it.
var forArm64 = sync.OnceValue(func() error {
	bin, err := programs()
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "dtrec-arm64"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build dtrec for arm64: %w\n%s", err, out)
	}
	return nil
})

// TestKernelMachines records all workloads on a kernel with modules, and on arm64. Nothing is lost, and
// every claim has the verdict that it has elsewhere, those about hashes and buckets too. A diff of the
// two shows only the machine, and its name in symbols.
func TestKernelMachines(t *testing.T) {
	t.Parallel()
	var traces []string
	for _, kernel := range otherKernels(t) {
		release, err := vm.KernelRelease(kernel)
		if err != nil {
			t.Fatal(err)
		}
		trace := recorded(t, release, machine.name).trace
		v := verdicts(t, trace)
		checkNothingLost(t, v, trace)
		if v.Kernel != release {
			t.Errorf("kernel %s", v.Kernel)
		}
		compareAll(t, v, "ext4")
		traces = append(traces, trace)
	}
	var out strings.Builder
	code := cli.Run([]string{"diff", traces[0], traces[1]}, strings.NewReader(""), &out, &out)
	foreign := 0
	for line := range strings.Lines(out.String()) {
		named := strings.Contains(line, "machine: ") || strings.Contains(line, "chmod: ") || // arm64 has only fchmodat, no chmod
			strings.Contains(line, ": __x64_sys_") || strings.Contains(line, ": __arm64_sys_")
		if strings.HasPrefix(line, "@@") && !strings.HasPrefix(line, "@@ kernel, ") || strings.IndexAny(line, "-+") == 0 && !named &&
			!strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "+++ ") {
			foreign++
		}
	}
	if code != 1 || foreign > 0 || !strings.Contains(out.String(), "\n-machine: x86_64\n+machine: aarch64") {
		t.Errorf("exit %d, between the machines differs:\n%s", code, out.String())
	}
}
