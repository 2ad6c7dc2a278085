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
	flags   []string
	// ready, if set, begins the line that the tool prints when it records: it then runs beside the work, which begins
	// after that line, and not as its parent.
	ready string
	env   []string
	count func(path, said string) (counts, error)
}

// argv returns the command line that records the work to out.
func (t tool) argv(out string, procs int, work []string) []string {
	switch {
	case t.program == "":
		return work
	case t.program == bpftraceTool:
		return []string{t.program, "-o", out, "-e", bpftraceScript(bpftraceFilter(procs)), "-c", commandLine(work)}
	case t.ready != "":
		work = nil
	}
	return slices.Concat([]string{t.program, "record", "-o", out}, t.flags, work)
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

// dtrecReady begins the line that dtrec prints when it records.
const dtrecReady = "dtrec: recording"

// tools returns the tools in the order in which they record. Where nothing matches, dtrec records a task name that does
// not occur, beside the work.
func tools() []tool {
	return []tool{
		{name: bare},
		{name: counter},
		{name: dtrecTool, program: "dtrec", flags: []string{"--"}, file: "pb", count: countTrace},
		{name: dtrecNoMatch, program: "dtrec", flags: []string{"--comm", "nobody"}, file: "none.pb", ready: dtrecReady},
		{name: sameRoles, program: "dtrec", flags: []string{"--only", roles(), "--"}, file: "same.pb", count: countTrace},
		{name: sameNoMatch, program: "dtrec", flags: []string{"--comm", "nobody", "--only", roles()}, file: "same.none.pb", ready: dtrecReady},
		{name: traceCmd, program: "trace-cmd", flags: []string{"-e", group, "-F", "-c"}, file: "dat", count: countTraceCmd},
		{name: perfPlain, program: "perf", flags: []string{"-N", "-e", group + ":*", "--"}, file: "data", count: countPerf},
		{name: perfZ, program: "perf", flags: []string{"-N", "-z", "-m", "16M", "-e", group + ":*", "--"}, file: "z.data", count: countPerf},
		{name: bpftraceTool, program: bpftraceTool, file: "txt", count: countLines,
			env: []string{"BPFTRACE_PERF_RB_PAGES=16384"}}, // 64 MiB per CPU; with the default it loses most hits
	}
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
