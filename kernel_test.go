// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/vm"
)

// dtrecBinary builds the static program that the guests run.
func dtrecBinary(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dtrec")
	build := exec.Command("go", "build", "-trimpath", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build dtrec: %v\n%s", err, out)
	}
	return file
}

// kernels are the images that DTREC_KERNELS names, by release.
func kernels(t *testing.T) map[string]string {
	t.Helper()
	return images(t, filepath.SplitList(os.Getenv("DTREC_KERNELS")))
}

// outerKernels are the first and the last of them: for what takes a minute on each.
func outerKernels(t *testing.T) map[string]string {
	t.Helper()
	files := filepath.SplitList(os.Getenv("DTREC_KERNELS"))
	if len(files) > 2 {
		files = []string{files[0], files[len(files)-1]}
	}
	return images(t, files)
}

func images(t *testing.T, files []string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, file := range files {
		release, err := vm.KernelRelease(file)
		if err != nil {
			t.Fatal(err)
		}
		out[release] = file
	}
	if len(out) == 0 {
		t.Fatal("DTREC_KERNELS names no kernel image: set it from scripts/fetch-kernel")
	}
	return out
}

// inGuest runs a dtrec command line on a kernel and returns what it wrote and its
// exit code.
func inGuest(t *testing.T, binary, kernel string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return inGuestWith(t, binary, kernel, nil, args...)
}

func inGuestWith(t *testing.T, binary, kernel string, flags []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	line := append(append([]string{"vm", "--kernel", kernel}, flags...), "--")
	cmd := exec.Command(binary, append(line, args...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// All workloads but race, recorded on every kernel: nothing is lost, every claim has
// the verdict expected, for the reason expected, and every number on the page stands
// in the trace.
func TestKernelWorkloads(t *testing.T) {
	binary := dtrecBinary(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "run.pb")
			_, stderr, code := inGuest(t, binary, kernel, "record", "--workload", "all", "-o", trace)
			if code != 0 {
				t.Fatalf("record: exit %d\n%s", code, stderr)
			}
			t.Logf("%s", stderr)
			v := verdicts(t, trace)
			if v.Lost != 0 || !v.Complete || !strings.HasPrefix(v.Kernel, strings.SplitN(release, "-", 2)[0]) {
				t.Errorf("lost %d, complete %v, kernel %s", v.Lost, v.Complete, v.Kernel)
			}
			compareAll(t, v, "ext4")
			checkNames(t, trace)
			checkPage(t, trace)
			keep(t, release, trace)
			sameAgain(t, binary, kernel, trace)
		})
	}
}

// sameAgain records once more: every address, id, time and hash is another, and the
// diff finds nothing.
func sameAgain(t *testing.T, binary, kernel, trace string) {
	t.Helper()
	again := filepath.Join(t.TempDir(), "again.pb")
	if _, stderr, code := inGuest(t, binary, kernel, "record", "--workload", "all", "-o", again); code != 0 {
		t.Fatalf("record again: exit %d\n%s", code, stderr)
	}
	t.Log(output(t, "diff", trace, again))
}

// keep copies the trace to the directory DTREC_KEEP, if that is set: so are the
// samples made.
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
