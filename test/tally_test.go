// SPDX-License-Identifier: Apache-2.0

package test

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

// tally counts what the kernel tests do. TestMain prints it at the end.
var tally struct {
	boots, scenes atomic.Int64
	verdicts      atomic.Int64 // verdicts that were compared with the expected ones
}

// atEnd holds functions to call after all tests.
var atEnd []func()

// TestMain runs the tests in the root of the tree, and then prints the tally. Any number of tests may
// wait for a guest at once: how many guests run is limited by sideBySide, whatever -parallel is for
// other packages.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	code := m.Run()
	for _, f := range atEnd {
		f()
	}
	if n := tally.boots.Load(); n > 0 {
		fmt.Printf("kernel tests: %d boots, %d scenes, %d verdicts held\n", n, tally.scenes.Load(), tally.verdicts.Load())
	}
	os.Exit(code)
}
