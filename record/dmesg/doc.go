// SPDX-License-Identifier: Apache-2.0

// Package dmesg turns a kernel log with the lines of a kprobe module into events. An event holds what its
// line shows and no more. FORMAT.md, section 13, says what a trace made of a log can and cannot mean. The
// package does not need Linux.
package dmesg
