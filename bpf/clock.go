// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Now is the clock of Time: nanoseconds since boot, as the kernel counts them also for a process in a time namespace.
func Now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano() - ownOffset())
}

// ownOffset is by how much this process's clock is ahead of the kernel's, nanoseconds.
var ownOffset = sync.OnceValue(func() int64 {
	text, _ := os.ReadFile("/proc/self/timens_offsets") // not there without CONFIG_TIME_NS
	return boottimeOffset(string(text))
})

// boottimeOffset reads it in a text of timens_offsets: a clock a line, its seconds and nanoseconds.
func boottimeOffset(text string) int64 {
	for line := range strings.Lines(text) {
		var clock string
		var s, ns int64
		if n, _ := fmt.Sscan(line, &clock, &s, &ns); n == 3 && clock == "boottime" {
			return s*1e9 + ns
		}
	}
	return 0
}
