// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// random builds the program that does random things, and returns the flag that takes it
// along as /random.
func random(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "random")
	build := exec.Command("go", "build", "-trimpath", "-o", file, "./testdata/random")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return []string{"--file", file + ":/random"}
}

// A few thousand random operations on files by several processes, recorded, and every
// proven claim held against a model of what was done: none is false, and each kind is
// met. DTREC_SEED repeats a run.
func TestKernelRandom(t *testing.T) {
	seed := uint64(rand.Uint32())
	if s := os.Getenv("DTREC_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	binary, along := dtrecBinary(t), random(t)
	for release, kernel := range kernels(t) {
		t.Run(release, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "run.pb")
			log, stderr, code := inGuestWith(t, binary, kernel, along, "record", "-o", trace, "--",
				"/random", "--seed", strconv.FormatUint(seed, 10), "--ops", "2000", "--free", "120")
			if code != 0 {
				t.Fatalf("DTREC_SEED=%d: exit %d\n%s", seed, code, stderr)
			}
			ops, did := modelled(t, strings.NewReader(log))
			c, f := held(t, trace, did)
			t.Logf("DTREC_SEED=%d: %d operations, %d events, %d lost", seed, ops, f.Events, f.Lost)
			c.report(t, f)
			for _, fault := range c.faults {
				t.Errorf("DTREC_SEED=%d: false: %s", seed, fault)
			}
			c.enough(t, f)
			if t.Failed() {
				keepLog(t, release, log)
				keep(t, release+"-random", trace)
			}
		})
	}
}

// keepLog copies what the program said beside the trace that keep copies.
func keepLog(t *testing.T, release, log string) {
	if dir := os.Getenv("DTREC_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, release+"-random.ops.gz"), []byte(log), 0o644); err != nil {
			t.Error(err)
		}
	}
}
