// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// recorderNice is far enough from 0 that the scheduler gives a thread nine tenths of a CPU that it has to share.
const recorderNice = -10

// goFirst keeps the calling goroutine on a thread that goes before what is recorded: where both share one CPU the
// recorder is otherwise given half of it, falls behind, and loses events. It does no more work for that, only sooner. What
// other threads start has their priority. Where that is not allowed all stays as it is.
func goFirst() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), recorderNice)
}

// inFront does what a goroutine was started for, before what is recorded.
func inFront(do func()) {
	goFirst()
	do()
}
