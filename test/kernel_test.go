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

	"github.com/dtrec/dtrec/internal/vm"
)

// programs builds the static programs that the guests run, and returns their directory. Beside that
// directory is room for what the guests bring back.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dtrec-kernel")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	build := exec.Command("go", "build", "-o", bin+"/", ".", "./test/scene", "./test/target", "./test/random", "./test/uses")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guests' programs: %w\n%s", err, out)
	}
	return bin, nil
})

// kernelFiles returns the images that DTREC_KERNELS names, the oldest kernel first.
func kernelFiles() []string { return filepath.SplitList(os.Getenv("DTREC_KERNELS")) }

// firstKernel returns the first of them, for tests whose result is the same on any kernel.
func firstKernel() []string { return kernelFiles()[:min(1, len(kernelFiles()))] }

// onKernels runs a test on each kernel.
func onKernels(t *testing.T, test func(t *testing.T, release string)) {
	t.Helper()
	onThese(t, kernelFiles(), test)
}

// onOuterKernels runs a test on the oldest and the newest kernel, as it takes a minute on each.
func onOuterKernels(t *testing.T, test func(t *testing.T, release string)) {
	t.Helper()
	files := kernelFiles()
	if len(files) > 2 {
		files = []string{files[0], files[len(files)-1]}
	}
	onThese(t, files, test)
}

// onThese runs a test on each of the kernels in parallel: each run begins when the recordings it waits
// for are there, while other kernels are still being recorded.
func onThese(t *testing.T, files []string, test func(t *testing.T, release string)) {
	t.Helper()
	t.Parallel()
	if len(files) == 0 {
		t.Fatal("DTREC_KERNELS names no kernel image: set it from scripts/fetch-kernel")
	}
	for _, file := range files {
		release, err := vm.KernelRelease(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			test(t, release)
		})
	}
}

// TestKernelWorkloads records all workloads except race on every kernel. Nothing is lost, every claim
// has the expected verdict for the expected reason, and every number on the page is in the trace. A
// second recording in another guest has other addresses, ids, times and hashes, and the diff of the two
// finds nothing.
func TestKernelWorkloads(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		o := recorded(t, release, "all")
		t.Logf("%s", o.Stderr)
		v := verdicts(t, o.trace)
		checkNothingLost(t, v, o.trace)
		if !strings.HasPrefix(v.Kernel, strings.SplitN(release, "-", 2)[0]) {
			t.Errorf("kernel %s", v.Kernel)
		}
		compareAll(t, v, "ext4")
		checkNames(t, o.trace)
		checkPage(t, o.trace)
		keep(t, release, o.trace)
		t.Log(output(t, "diff", o.trace, recorded(t, release, "again").trace))
	})
}

// recorded waits for an errand that must exit with 0, and returns its outcome.
func recorded(t *testing.T, release, name string) *outcome {
	t.Helper()
	o := waitForErrand(t, release, name)
	if o.Code != 0 {
		t.Fatalf("%s: exit %d\n%s", name, o.Code, o.Stderr)
	}
	return o
}

// keep copies the trace to the directory DTREC_KEEP, if that is set. The sample traces are made this
// way.
func keep(t *testing.T, release, trace string) {
	dir := os.Getenv("DTREC_KEEP")
	if dir == "" {
		return
	}
	b, err := os.ReadFile(trace)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, release+".pb"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
