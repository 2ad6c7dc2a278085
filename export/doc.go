// SPDX-License-Identifier: Apache-2.0

// Package export writes a trace in the formats of other programs: a profile for go tool pprof, a timeline for
// Perfetto, stacks for a flame graph, and tables for anything that reads CSV or JSON. Each format is in a file of
// its own, and walks over the path calls, dentries, tasks and verdicts that packages replay and report make of a
// trace.
//
// Names and paths are escaped by [replay.Printable], as everywhere in dtrec, so that different names look
// different and none breaks a line.
package export
