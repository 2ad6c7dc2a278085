// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// tally counts what the kernel tests do; one line at their end says it.
var tally struct {
	boots, scenes atomic.Int64
	verdicts      atomic.Int64 // that were held against what they must be
}

// atEnd is called when all tests have run.
var atEnd []func()

// ending is the tests and what comes after them.
type ending struct{ m *testing.M }

func (e ending) Run() int {
	code := e.m.Run()
	for _, f := range atEnd {
		f()
	}
	if n := tally.boots.Load(); n > 0 {
		fmt.Printf("kernel tests: %d boots, %d scenes, %d verdicts held\n", n, tally.scenes.Load(), tally.verdicts.Load())
	}
	return code
}
