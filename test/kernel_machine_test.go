// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/internal/cli"
	"github.com/dtrec/dtrec/internal/vm"
)

// otherKernels are the images that DTREC_OTHER_KERNELS names: one with disks and file systems as modules, and one of the
// same version for arm64.
func otherKernels(t *testing.T) []string {
	t.Helper()
	files := filepath.SplitList(os.Getenv("DTREC_OTHER_KERNELS"))
	if len(files) != 2 {
		t.Fatal("DTREC_OTHER_KERNELS names no two kernel images: set it from scripts/fetch-kernel 6.12/amd64 6.12/cloud-arm64")
	}
	return files
}

// All workloads on a kernel with modules, and on arm64: nothing is lost, every claim has the verdict that it has anywhere,
// hashes and buckets among them; and between the two nothing differs but the machine, and its name in symbols.
func TestKernelMachines(t *testing.T) {
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(bin, "dtrec-arm64"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var traces []string
	for _, kernel := range otherKernels(t) {
		release, err := vm.KernelRelease(kernel)
		if err != nil {
			t.Fatal(err)
		}
		trace := filepath.Join(t.TempDir(), release+".pb")
		_, stderr, code, err := dtrecVM(bin, kernel, nil, "record", "--workload", "all", "-o", trace)
		if err != nil || code != 0 {
			t.Fatalf("%s: exit %d, %v\n%s", release, code, err, stderr)
		}
		v := verdicts(t, trace)
		if v.Lost != 0 || !v.Complete || v.Kernel != release {
			t.Errorf("lost %d, complete %v, kernel %s", v.Lost, v.Complete, v.Kernel)
		}
		compareAll(t, v, "ext4")
		traces = append(traces, trace)
	}
	var told strings.Builder
	code := cli.Run([]string{"diff", traces[0], traces[1]}, strings.NewReader(""), &told, &told)
	foreign := 0
	for line := range strings.Lines(told.String()) {
		named := strings.Contains(line, "machine: ") || strings.Contains(line, "chmod: ") || // do_fchmodat is inlined in arm64's image
			strings.Contains(line, ": __x64_sys_") || strings.Contains(line, ": __arm64_sys_")
		if strings.HasPrefix(line, "@@") && !strings.HasPrefix(line, "@@ kernel: ") || strings.IndexAny(line, "-+") == 0 && !named &&
			!strings.HasPrefix(line, "--- ") && !strings.HasPrefix(line, "+++ ") {
			foreign++
		}
	}
	if code != 1 || foreign > 0 || !strings.Contains(told.String(), "\n-machine: x86_64\n+machine: aarch64") {
		t.Errorf("exit %d, between the machines differs:\n%s", code, told.String())
	}
}
