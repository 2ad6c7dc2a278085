// SPDX-License-Identifier: Apache-2.0

//go:build linux && kernel

package test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// seed is the seed of this run. DTREC_SEED sets it, to repeat a run.
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

// TestKernelRandom records a few thousand random operations on files by several processes, and checks
// every proven claim against a model of what was done: none may be false, and every kind must occur.
func TestKernelRandom(t *testing.T) {
	onKernels(t, func(t *testing.T, release string) {
		t.Logf("DTREC_SEED=%d", seed())
		o := recorded(t, release, "random")
		ops, did := runModel(t, strings.NewReader(o.Stdout))
		c, f := checkRandomTrace(t, o.trace, did)
		t.Logf("%d operations, %d events, %d lost", ops, f.Events, f.Lost)
		c.report(t, f)
		for _, fault := range c.faults {
			t.Errorf("DTREC_SEED=%d: false: %s", seed(), fault)
		}
		c.checkCoverage(t, f)
		for _, n := range c.compared {
			tally.verdicts.Add(int64(n))
		}
		if t.Failed() {
			keepLog(t, release, o.Stdout)
			keep(t, release+"-random", o.trace)
		}
	})
}

// keepLog copies the program's log to where keep copies the trace.
func keepLog(t *testing.T, release, log string) {
	if dir := os.Getenv("DTREC_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, release+"-random.ops.gz"), []byte(log), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// runModel runs the model over a log, and returns how many operations it has.
func runModel(t *testing.T, log io.Reader) (ops int, did *truths) {
	t.Helper()
	list, err := readLog(log)
	if err != nil {
		t.Fatal(err)
	}
	if did, err = replayLog(list); err != nil {
		t.Fatal(err)
	}
	return len(list), did
}

// checkRandomTrace checks the claims of a trace in a file against what was done.
func checkRandomTrace(t *testing.T, trace string, did *truths) (*checker, *report.Findings) {
	t.Helper()
	r := tracetest.Open(t, trace)
	c, f, err := checkClaims(r, did)
	if err != nil {
		t.Fatal(err)
	}
	return c, f
}
