// SPDX-License-Identifier: Apache-2.0

// Package report turns the events of a trace into claims with verdicts, and those
// into pages. Collect makes the one pass over the trace; a renderer takes the
// finished Findings and cannot read a trace.
package report
