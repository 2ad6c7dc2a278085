// SPDX-License-Identifier: Apache-2.0

// Package export gives what a trace says to the programs people already use: a profile to
// go tool pprof, a timeline to Perfetto, stacks to a flame graph, tables to whatever reads
// CSV or JSON. A format is one file, and walks over the path calls, dentries, tasks and
// verdicts that package replay and package report make of a trace.
//
// Names and paths are printed as everywhere in dtrec, escaped by [replay.Printable], so that no two
// look alike and none breaks a line.
package export
