// SPDX-License-Identifier: Apache-2.0

// Package record makes a trace of the running kernel: it attaches the probes, starts the command or workload
// to be recorded, carries events from the ring buffer to the file, and leaves a readable file whatever
// happens. Its subpackages hold the built-in workloads and the reader of kernel logs.
//
// While the target runs, one goroutine reads records in place in the ring buffer, sorts them by time and
// appends them to the trace; a second one encodes the frames (schema.Writer.Hold), and a third writes them to
// the file. So neither compression nor a slow disk keeps the ring buffer from being emptied in time.
package record
