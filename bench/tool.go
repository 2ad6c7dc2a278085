// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os/exec"
	"slices"
	"strings"
)

// tool is one way to record the work. What depends on the guest and not on the tool (files, versions) is
// found by program.
type tool struct {
	name    string // as printed in the tables
	program string // found in the host's PATH; empty if nothing records
	file    string // extension of the recording's file
	// argv returns the command line that records to out. The work is its last words. If ready is set, the
	// tool runs beside the work instead, which begins when the tool has printed a line that starts with
	// ready.
	argv  func(out string, procs int, work []string) []string
	ready string
	env   []string
	count func(path, said string) (counts, error)
}

// The names of the tools.
const (
	bare         = "bare"
	counter      = "counted" // the reference, which counts the hits that happen
	dtrecTool    = "dtrec"
	dtrecNoMatch = "dtrec, nothing matches"
	sameRoles    = "dtrec, same roles" // with only the roles of probes, as the other tools record them
	sameNoMatch  = "same roles, nothing matches"
	traceCmd     = "trace-cmd"
	perfPlain    = "perf"
	perfZ        = "perf -z"
	bpftraceTool = "bpftrace"
)

// tools returns the tools in the order in which they record.
func tools() []tool {
	return []tool{
		{name: bare},
		{name: counter},
		dtrecRecords(dtrecTool, "pb"),
		dtrecBeside(dtrecNoMatch, "none.pb"),
		dtrecRecords(sameRoles, "same.pb", "--only", roles()),
		dtrecBeside(sameNoMatch, "same.none.pb", "--only", roles()),
		{name: traceCmd, program: "trace-cmd", file: "dat", count: countTraceCmd,
			argv: func(out string, _ int, work []string) []string {
				return append([]string{"trace-cmd", "record", "-o", out, "-e", group, "-F", "-c"}, work...)
			}},
		{name: perfPlain, program: "perf", file: "data", count: countPerf,
			argv: func(out string, _ int, work []string) []string {
				return append([]string{"perf", "record", "-N", "-o", out, "-e", group + ":*", "--"}, work...)
			}},
		{name: perfZ, program: "perf", file: "z.data", count: countPerf,
			argv: func(out string, _ int, work []string) []string {
				return append([]string{"perf", "record", "-N", "-z", "-m", "16M", "-o", out, "-e", group + ":*", "--"}, work...)
			}},
		{name: bpftraceTool, program: "bpftrace", file: "txt", count: countLines,
			env: []string{"BPFTRACE_PERF_RB_PAGES=16384"}, // 64 MiB per CPU; with the default it loses most hits
			argv: func(out string, procs int, work []string) []string {
				return []string{"bpftrace", "-o", out, "-e", bpftraceScript(bpftraceFilter(procs)), "-c", commandLine(work)}
			}},
	}
}

// dtrecRecords returns a tool with which dtrec records the work.
func dtrecRecords(name, file string, flags ...string) tool {
	return tool{name: name, program: "dtrec", file: file, count: countTrace, argv: func(out string, _ int, work []string) []string {
		return slices.Concat([]string{"dtrec", "record", "-o", out}, flags, []string{"--"}, work)
	}}
}

// dtrecBeside returns a tool with which dtrec records a task name that does not occur, beside the work.
func dtrecBeside(name, file string, flags ...string) tool {
	return tool{name: name, program: "dtrec", file: file, ready: "dtrec: recording", argv: func(out string, _ int, _ []string) []string {
		return slices.Concat([]string{"dtrec", "record", "-o", out, "--comm", "nobody"}, flags)
	}}
}

// recorders returns the tools that record the work in this run.
func (b *bench) recorders() (list []tool) {
	for _, t := range tools() {
		if t.program == "dtrec" || t.program != "" && !b.alone {
			list = append(list, t)
		}
	}
	return list
}

// losslessTools returns the tools that are expected to lose nothing.
func (b *bench) losslessTools() (list []tool) {
	return slices.DeleteFunc(b.recorders(), func(t tool) bool { return t.ready != "" || t.name == perfPlain || t.name == sameRoles })
}

// toolNamed returns the tool of this name, which must exist.
func toolNamed(name string) tool {
	for _, t := range tools() {
		if t.name == name {
			return t
		}
	}
	panic("no tool " + name)
}

// bpftraceFilter returns a filter for the work's processes only, because bpftrace cannot follow the children
// of a command.
func bpftraceFilter(procs int) string {
	if procs > 1 {
		return `comm == "` + workName + `"`
	}
	return "pid == cpid"
}

// commandLine joins the words for bpftrace's -c, which splits at spaces and knows no quotes; the words must
// not contain any.
func commandLine(words []string) string { return strings.Join(words, " ") }

// version returns the first line that the program prints for --version, whatever its exit status.
func version(program string) string {
	out, _ := exec.Command(program, "--version").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return program
}
