// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
)

// places are the filesystems on which the work is done.
var places = []struct{ name, dir string }{{"ext4", "/tmp/b"}, {"tmpfs", "/ram/b"}}

const mega = 1e6

// recordings returns the recordings of the part record: each tool on each filesystem, and once with no work,
// to measure what starting and ending costs. dtrec's second recording is for diff.
func (b *bench) recordings() (list []recording) {
	for _, t := range append([]tool{toolNamed(bare), toolNamed(counter)}, b.recorders()...) {
		if t.count != nil {
			list = append(list, onTmpfs("idle", t.name, 0))
		}
		for _, p := range places {
			r := onTmpfs(p.name, t.name, b.rounds)
			r.Dir = p.dir
			list = append(list, r)
		}
	}
	return append(list, onTmpfs("second", dtrecTool, b.rounds))
}

// toolCost is the cost of recording the work with one tool on one filesystem, in instructions except where
// noted.
type toolCost struct {
	tool       string
	slowdown   float64
	kernel     float64 // per hit, in the task that does the work
	ownProcess float64 // per hit, in the recorder's process
	start      float64
	end        float64
	peak       float64 // MB
	bytes      float64 // per hit
	loss       loss
	atMostMem  bool
}

func (b *bench) record(ctx context.Context) ([]*table, error) {
	results, err := b.boot(ctx, "record", "icount", 1, b.recordings())
	if err != nil {
		return nil, err
	}
	var tables []*table
	cost := map[string]map[string]toolCost{} // by filesystem and tool
	for _, p := range places {
		cost[p.name] = map[string]toolCost{}
		t := &table{title: fmt.Sprintf("Recording on %s, %s system calls, one virtual CPU", p.name, thousands(int64(b.rounds)*roundCalls)),
			head: []string{"", "slowdown", "instructions a hit, kernel", "own process", "start, M", "end, M", "peak, MB", "bytes a hit", "lost"}}
		for _, tool := range b.recorders() {
			m, err := b.cost(results, p.name, tool.name)
			if err != nil {
				t.add(tool.name, "failed: "+firstLine(err.Error()), "", "", "", "", "", "", "")
				continue
			}
			cost[p.name][tool.name] = m
			t.add(m.cells()...)
			t.notes = append(t.notes, m.loss.notes...)
		}
		reference, err := findResult(results, p.name, bare)
		if err != nil {
			return tables, err
		}
		hits := cost[p.name][dtrecTool].loss.happened
		t.note("Without a recorder: %s instructions, %s a hit; %s hits of the %d probes.", thousands(workTime(reference)),
			figure(float64(workTime(reference))/float64(hits)), thousands(int64(hits)), len(probes()))
		tables = append(tables, t)
	}
	b.recordBars(cost)
	return tables, nil
}

// findResult returns the result of a recording; an error if it failed or was not made.
func findResult(results []result, name, tool string) (result, error) {
	for _, r := range results {
		if r.Name == name && r.Tool == tool {
			if r.Failed != "" {
				return r, fmt.Errorf("%s on %s: %s", tool, name, r.Failed)
			}
			return r, nil
		}
	}
	return result{}, fmt.Errorf("%s on %s was not recorded", tool, name)
}

// workTime returns how long the work took, in nanoseconds.
func workTime(r result) int64 { return r.Work.End - r.Work.Begin }

// cost computes what a tool cost on one filesystem.
func (b *bench) cost(results []result, name, tool string) (m toolCost, err error) {
	alone, err := findResult(results, name, bare)
	if err != nil {
		return m, err
	}
	r, lost, err := b.compareWithCount("record", results, name, name, tool)
	if err != nil {
		return m, err
	}
	m = toolCost{tool: tool, slowdown: float64(workTime(r)) / float64(workTime(alone))}
	hits := float64(lost.happened)
	m.kernel = float64(r.Work.CPU-alone.Work.CPU) / hits
	m.peak, m.atMostMem = float64(r.Peak)*1024/mega, r.AtMost
	m.ownProcess, m.start, m.end, m.bytes = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	if toolNamed(tool).ready != "" {
		return m, nil
	}
	idle, err := findResult(results, "idle", tool)
	if err != nil {
		return m, err
	}
	m.ownProcess = float64(r.ToolCPU-idle.ToolCPU) / hits
	m.start = float64((idle.Work.Main-idle.Spawned)-(alone.Work.Main-alone.Spawned)) / mega
	m.end = float64((r.Gone-r.Work.Done)-(alone.Gone-alone.Work.Done)) / mega
	m.bytes, m.loss = float64(r.Bytes)/hits, lost
	return m, nil
}

func (m toolCost) cells() []string {
	peak := figure(m.peak)
	if m.atMostMem {
		peak = "≤ " + peak
	}
	cells := []string{m.tool, fmt.Sprintf("%.2f", m.slowdown)}
	for _, v := range []float64{m.kernel, m.ownProcess, m.start, m.end} {
		cells = append(cells, number(v))
	}
	return append(cells, peak, number(m.bytes), m.loss.String())
}

// number formats a figure; empty for NaN.
func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return figure(v)
}

// recordBars compares dtrec, recording only the roles that the other tools record, with them on both
// filesystems.
func (b *bench) recordBars(cost map[string]map[string]toolCost) {
	for _, p := range places {
		c := cost[p.name]
		hold := func(what string, limit float64, of func(toolCost) float64) {
			b.bars = append(b.bars, bar{what: p.name + ": " + what, value: of(c[sameRoles]), byDefault: figure(of(c[dtrecTool])), limit: limit})
		}
		if c[sameRoles].loss.happened == 0 || c[dtrecTool].loss.happened == 0 {
			b.bars = append(b.bars, bar{what: p.name + ": dtrec recorded", value: 1})
			continue
		}
		for _, peer := range []struct {
			tool  string
			share float64
		}{{traceCmd, 4}, {perfZ, 5}, {bpftraceTool, 5}} {
			if theirs, ok := c[peer.tool]; ok {
				hold("added cost over that of "+peer.tool, 1/peer.share, func(m toolCost) float64 { return (m.slowdown - 1) / (theirs.slowdown - 1) })
			}
		}
		if theirs, ok := c[perfZ]; ok {
			hold("bytes over those of perf -z", 0.5, func(m toolCost) float64 { return m.bytes / theirs.bytes })
		}
		hold("instructions a hit in dtrec's own process", 1000, func(m toolCost) float64 { return m.ownProcess })
		hold("peak memory, MB", 48, func(m toolCost) float64 { return m.peak })
		hold("lost", 0, func(m toolCost) float64 { return float64(m.loss.lost()) })
		hold("from start to attached, M instructions", 700, func(m toolCost) float64 { return m.start })
		hold("from the command's end to dtrec's, M instructions", 300, func(m toolCost) float64 { return m.end })
	}
	if none, ok := cost["ext4"][sameNoMatch]; ok {
		b.bars = append(b.bars, bar{what: "ext4: slowdown where nothing matches", value: none.slowdown, byDefault: figure(cost["ext4"][dtrecNoMatch].slowdown), limit: 1.05})
	}
}
