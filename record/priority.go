// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// recorderNice is the nice value of the recorder's threads. With it, the scheduler gives a thread nine tenths of
// a CPU that it shares with one at nice 0.
const recorderNice = -10

// runWithPriority runs do, the body of a goroutine, on a thread of its own that has priority over the recorded
// tasks. Otherwise, where both share one CPU, the recorder gets half of it, falls behind, and loses events. The
// recorder does not do more work because of that, it only does it sooner. Processes started by other threads
// do not inherit the priority. If raising the priority is not permitted, it stays as it is.
func runWithPriority(do func()) {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), recorderNice)
	do()
}
