// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os/exec"
	"slices"
	"strings"
)

// tool is one way to record the work. What is not of the tool but of the guest (files, versions) is found by program.
type tool struct {
	name    string // as the tables have it
	program string // on the host's PATH; empty: nothing records
	file    string // what the recording is called, by its ending
	// argv records to out. The work is its last words, but for a tool with ready, which runs beside the work: that
	// begins when the tool has said so.
	argv  func(out string, procs int, work []string) []string
	ready string
	env   []string
	count func(path, said string) (counts, error)
}

// The names of the tools, as the judging of results wants them.
const (
	bare         = "bare"
	counter      = "counted" // the reference: how many hits there were
	dtrecTool    = "dtrec"
	dtrecNoMatch = "dtrec, nothing matches"
	sameRoles    = "dtrec, same roles" // those of probes, as the peers record
	sameNoMatch  = "same roles, nothing matches"
	traceCmd     = "trace-cmd"
	perfPlain    = "perf"
	perfZ        = "perf -z"
	bpftraceTool = "bpftrace"
)

// tools lists them in the order they record.
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
			env: []string{"BPFTRACE_PERF_RB_PAGES=16384"}, // 64 MiB a CPU; by default it loses most
			argv: func(out string, procs int, work []string) []string {
				return []string{"bpftrace", "-o", out, "-e", bpftraceScript(bpftraceFilter(procs)), "-c", commandLine(work)}
			}},
	}
}

// dtrecRecords records the work.
func dtrecRecords(name, file string, flags ...string) tool {
	return tool{name: name, program: "dtrec", file: file, count: countTrace, argv: func(out string, _ int, work []string) []string {
		return slices.Concat([]string{"dtrec", "record", "-o", out}, flags, []string{"--"}, work)
	}}
}

// dtrecBeside records a task name that does not occur, beside the work.
func dtrecBeside(name, file string, flags ...string) tool {
	return tool{name: name, program: "dtrec", file: file, ready: "dtrec: recording", argv: func(out string, _ int, _ []string) []string {
		return slices.Concat([]string{"dtrec", "record", "-o", out, "--comm", "nobody"}, flags)
	}}
}

// recorders are the tools of this call that record the work.
func (b *bench) recorders() (list []tool) {
	for _, t := range tools() {
		if t.program == "dtrec" || t.program != "" && !b.alone {
			list = append(list, t)
		}
	}
	return list
}

// flatOut are those that are asked to lose nothing.
func (b *bench) flatOut() (list []tool) {
	return slices.DeleteFunc(b.recorders(), func(t tool) bool { return t.ready != "" || t.name == perfPlain || t.name == sameRoles })
}

// toolNamed finds a row; the names are constants.
func toolNamed(name string) tool {
	for _, t := range tools() {
		if t.name == name {
			return t
		}
	}
	panic("no tool " + name)
}

// bpftraceFilter keeps the work alone: bpftrace has no word for a command's children.
func bpftraceFilter(procs int) string {
	if procs > 1 {
		return `comm == "` + workName + `"`
	}
	return "pid == cpid"
}

// commandLine joins words for bpftrace's -c, which splits at spaces and knows no quotes: there may be none in them.
func commandLine(words []string) string { return strings.Join(words, " ") }

// version is the first line of what the program says of itself, whatever its exit status.
func version(program string) string {
	out, _ := exec.Command(program, "--version").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return program
}
