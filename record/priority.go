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

// raisePriority locks the calling goroutine to its thread and gives the thread priority over the recorded tasks.
// Otherwise, where both share one CPU, the recorder gets half of it, falls behind, and loses events. The
// recorder does not do more work because of that, it only does it sooner. Processes started by other threads
// do not inherit the priority. If raising the priority is not permitted, it stays as it is.
func raisePriority() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), recorderNice)
}

// runWithPriority runs do with priority over the recorded tasks; it is the body of a goroutine.
func runWithPriority(do func()) {
	raisePriority()
	do()
}
