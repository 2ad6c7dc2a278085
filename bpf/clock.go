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

// Now returns the time on the clock of the events: nanoseconds since boot as the kernel counts them
// (CLOCK_BOOTTIME), without the offset of this process's time namespace. It returns 0 if the clock cannot be
// read.
func Now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return uint64(ts.Nano() - ownOffset())
}

// ownOffset returns by how many nanoseconds this process's boottime clock is ahead of the kernel's.
var ownOffset = sync.OnceValue(func() int64 {
	text, _ := os.ReadFile("/proc/self/timens_offsets") // absent without CONFIG_TIME_NS
	return boottimeOffset(string(text))
})

// boottimeOffset reads that offset, in nanoseconds, from the text of timens_offsets: one clock per line, with
// seconds and nanoseconds.
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
