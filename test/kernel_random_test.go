// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// seed is that of this run. DTREC_SEED repeats one.
var seed = sync.OnceValue(func() uint64 {
	given := os.Getenv("DTREC_SEED")
	if given == "" {
		return uint64(rand.Uint32())
	}
	n, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		panic("DTREC_SEED: " + err.Error())
	}
	return n
})

// A few thousand random operations on files by several processes, recorded, and every
// proven claim held against a model of what was done: none is false, and each kind is
// met.
func TestKernelRandom(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		t.Logf("DTREC_SEED=%d", seed())
		o := recorded(t, release, "random")
		ops, did := modelled(t, strings.NewReader(o.Stdout))
		c, f := held(t, o.trace, did)
		t.Logf("%d operations, %d events, %d lost", ops, f.Events, f.Lost)
		c.report(t, f)
		for _, fault := range c.faults {
			t.Errorf("DTREC_SEED=%d: false: %s", seed(), fault)
		}
		c.enough(t, f)
		for _, n := range c.held {
			tally.verdicts.Add(int64(n))
		}
		if t.Failed() {
			keepLog(t, release, o.Stdout)
			keep(t, release+"-random", o.trace)
		}
	})
}

// keepLog copies what the program said beside the trace that keep copies.
func keepLog(t *testing.T, release, log string) {
	if dir := os.Getenv("DTREC_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, release+"-random.ops.gz"), []byte(log), 0o644); err != nil {
			t.Error(err)
		}
	}
}
