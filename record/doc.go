// SPDX-License-Identifier: Apache-2.0

// Package record makes a trace of the running kernel: it attaches the probes,
// starts what is to be recorded, carries events from the ring buffer to the file,
// and leaves a file that can be read whatever happened. The built-in workloads live
// here too.
//
// Two goroutines work while the target runs. The drain copies raw records out of
// the ring buffer and does nothing else, so that the buffer is emptied in time. The
// writer puts them in order of time, translates them and encodes them.
package record
