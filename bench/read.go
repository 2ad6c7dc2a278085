// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/dtrec/dtrec/schema"
)

// reader is one way to read a recording to the end.
type reader struct {
	name    string
	command []string
	maxExit int             // highest exit status that is a result: 1 if something is refuted or differs; 2 for diff if too many events are lost to say
	cpu     []time.Duration // CPU time of each round
	peak    int64           // largest peak, KiB
}

// iterate reads every record of a trace and does nothing else. The garbage collector is set as in a command
// of dtrec, see setGCPercent in internal/cli/memory.go.
func iterate(path string) error {
	debug.SetGCPercent(1200)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := schema.NewReader(f, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// captures returns the part that holds recordings on tmpfs, from an earlier run if there are any, and the
// number of hits; otherwise it makes them.
func (b *bench) captures(ctx context.Context) (part string, hits uint64, err error) {
	list := []recording{onTmpfs("second", dtrecTool, b.rounds)}
	for _, tool := range []string{counter, dtrecTool, traceCmd, perfZ} {
		list = append(list, onTmpfs("tmpfs", tool, b.rounds))
	}
	results, part := b.earlierResults(list, "record"), "record"
	if results == nil {
		results, part = b.earlierResults(list, "read"), "read"
	}
	if results == nil {
		if results, err = b.boot(ctx, part, "icount", 1, list); err != nil {
			return part, 0, err
		}
	}
	counted, err := findResult(results, "tmpfs", counter)
	return part, counts{hits: counted.Hits}.total(), err
}

// earlierResults returns the results of a part if it has all these recordings, with the same number of rounds;
// otherwise nil.
func (b *bench) earlierResults(list []recording, part string) []result {
	results, err := b.results(part)
	if err != nil {
		return nil
	}
	for _, want := range list {
		r, err := findResult(results, want.Name, want.Tool)
		if err != nil || r.Rounds != want.Rounds {
			return nil
		}
	}
	return results
}

func (b *bench) readers(part string) []*reader {
	file := func(name, tool string) string { return b.path(part, recording{Name: name, Tool: tool}) }
	trace := file("tmpfs", dtrecTool)
	return []*reader{
		{name: "dtrec: iterate", command: []string{b.self, "iterate", trace}},
		{name: "dtrec info", command: []string{b.dtrec, "info", trace}},
		{name: "dtrec check", maxExit: 1, command: []string{b.dtrec, "check", trace}},
		{name: "dtrec report", command: []string{b.dtrec, "report", trace}},
		{name: "dtrec summary", command: []string{b.dtrec, "summary", trace}},
		{name: "dtrec top", command: []string{b.dtrec, "top", trace}},
		{name: "dtrec diff", maxExit: 2, command: []string{b.dtrec, "diff", trace, file("second", dtrecTool)}},
		{name: "dtrec replay", command: []string{b.dtrec, "replay", trace}},
		{name: "dtrec replay json", command: []string{b.dtrec, "replay", "--format", "json", trace}},
		{name: "perf script", command: []string{"perf", "script", "-i", file("tmpfs", perfZ)}},
		{name: "trace-cmd report", command: []string{"trace-cmd", "report", "-i", file("tmpfs", traceCmd)}},
	}
}

// read reads recordings of the same work with every tool in turn, on one thread each, and discards the
// output.
func (b *bench) read(ctx context.Context) ([]*table, error) {
	part, hits, err := b.captures(ctx)
	if err != nil {
		return nil, err
	}
	all := b.readers(part)
	for range b.repeat {
		for _, r := range all {
			if err := r.measureOnce(ctx, b.self); err != nil {
				return nil, err
			}
		}
	}
	t := &table{title: fmt.Sprintf("Reading %s hits, one thread, CPU time, median of %d interleaved", thousands(int64(hits)), b.repeat),
		head: []string{"", "ns a hit", "peak, MB"}}
	b.readBars(all, hits)
	for _, r := range all {
		ns := r.nanoseconds(hits)
		t.add(r.name, figure(ns), figure(float64(r.peak)*1024/mega))
	}
	return []*table{t}, nil
}

// measureOnce runs a command through a process of its own, because a child's peak starts at that of the process that
// forked it, and this process may have held all the files of a guest.
func (r *reader) measureOnce(ctx context.Context, self string) error {
	cmd := exec.CommandContext(ctx, self, append([]string{"once"}, r.command...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "PERF_CONFIG=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%v: %w", r.command, err)
	}
	var cpu time.Duration
	var peak int64
	var exit int
	if _, err := fmt.Sscan(string(out), (*int64)(&cpu), &peak, &exit); err != nil {
		return err
	}
	if exit < 0 || exit > r.maxExit {
		return fmt.Errorf("%v: exit status %d", r.command, exit)
	}
	r.cpu = append(r.cpu, cpu)
	r.peak = max(r.peak, peak)
	return nil
}

// runOnce runs a command, discards its output, and prints what it used: nanoseconds of CPU time, its largest resident
// set in KiB, and its exit status.
func runOnce(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	state := cmd.ProcessState
	_, err := fmt.Println(int64(state.UserTime()+state.SystemTime()), state.SysUsage().(*syscall.Rusage).Maxrss, state.ExitCode())
	return err
}

func (r *reader) nanoseconds(hits uint64) float64 {
	sorted := slices.Sorted(slices.Values(r.cpu))
	return float64(sorted[len(sorted)/2]) / float64(hits)
}

func (b *bench) readBars(all []*reader, hits uint64) {
	ns := map[string]float64{}
	for _, r := range all {
		ns[r.name] = r.nanoseconds(hits)
	}
	faster := func(peer, what string, times float64) {
		b.bars = append(b.bars, bar{what: fmt.Sprintf("%s over %s", peer, what), value: ns[peer] / ns[what], limit: times, isLowerBound: true})
	}
	faster("perf script", "dtrec: iterate", 35)
	faster("perf script", "dtrec report", 13)
	faster("perf script", "dtrec check", 13)
	faster("perf script", "dtrec replay", 15)
	faster("perf script", "dtrec replay json", 10)
	faster("trace-cmd report", "dtrec replay", 20)
	slower := func(what, than string, times float64) {
		b.bars = append(b.bars, bar{what: what + " over " + than, value: ns[what] / ns[than], limit: times})
	}
	slower("dtrec diff", "dtrec report", 2)
	slower("dtrec summary", "dtrec: iterate", 1.5)
	slower("dtrec top", "dtrec: iterate", 1.5)
}
