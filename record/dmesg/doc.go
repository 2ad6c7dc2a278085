// SPDX-License-Identifier: Apache-2.0

// Package dmesg turns a kernel log with the lines of a kprobe module into events:
// what a line shows and no more. FORMAT.md, section 13, says what the trace made of
// it can and cannot mean. It needs no Linux.
package dmesg
