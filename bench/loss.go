// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
)

// loss measures what is lost when the work runs without a pause: on one CPU with counted instructions, and
// repeatedly with two processes on two CPUs by the host's clock.
func (b *bench) loss(ctx context.Context) ([]*table, error) {
	one, err := b.longRun(ctx)
	if err != nil {
		return nil, err
	}
	two, err := b.twoCPUs(ctx)
	if err != nil {
		return []*table{one}, err
	}
	return []*table{one, two}, nil
}

func (b *bench) longRun(ctx context.Context) (*table, error) {
	list := []recording{{Name: "long", Tool: counter, Dir: places[1].dir, Rounds: b.long, Procs: 1, Bring: true}}
	for _, tool := range b.losslessTools() {
		list = append(list, recording{Name: "long", Tool: tool.name, Dir: places[1].dir, Rounds: b.long, Procs: 1, Bring: true})
	}
	results, err := b.boot(ctx, "long", "icount", 1, list)
	if err != nil {
		return nil, err
	}
	t := &table{title: "A long run on tmpfs, one virtual CPU, flat out", head: []string{"", "hits", "lost", "said", "peak, MB", "bytes a hit"}}
	for _, tool := range b.losslessTools() {
		r, l, err := b.compareWithCount("long", results, "long", tool.name)
		if err != nil {
			t.add(tool.name, "failed: "+firstLine(err.Error()), "", "", "", "")
			continue
		}
		peak := float64(r.Peak) * 1024 / mega
		t.add(tool.name, thousands(int64(l.happened)), l.String(), thousands(int64(l.reportedLost)), figure(peak), figure(float64(r.Bytes)/float64(l.happened)))
		if tool.name == dtrecTool {
			b.bars = append(b.bars, bar{what: fmt.Sprintf("lost of %s hits on one CPU", thousands(int64(l.happened))), value: float64(l.lost())},
				bar{what: "the long run's peak memory, MB", value: peak, limit: 48})
		}
	}
	return t, nil
}

func (b *bench) twoCPUs(ctx context.Context) (*table, error) {
	rounds := b.rounds
	name := func(i int) string { return fmt.Sprintf("two%d", i) }
	list := []recording{{Name: name(0), Tool: counter, Dir: places[1].dir, Rounds: rounds, Procs: 2, Bring: true}}
	for i := range b.repeat {
		for _, tool := range b.losslessTools() {
			list = append(list, recording{Name: name(i), Tool: tool.name, Dir: places[1].dir, Rounds: rounds, Procs: 2, Bring: true})
		}
	}
	results, err := b.boot(ctx, "two", "", 2, list)
	if err != nil {
		return nil, err
	}
	for i := range results { // how often a walk is restarted is a matter of chance, but how often a path is opened is not
		results[i].Hits = opensOf(results[i].Hits)
	}
	t := &table{title: fmt.Sprintf("Two processes on two virtual CPUs, flat out, %d rounds by the host's clock", b.repeat),
		head: []string{"", "hits of open", "rounds with loss", "missing, worst round", "said, worst round"}}
	for _, tool := range b.losslessTools() {
		var worst loss
		lossy := 0
		for i := range b.repeat {
			_, l, err := b.compareWithCount("two", results, name(i), tool.name)
			if err != nil {
				return nil, err
			}
			if l.lost() > 0 {
				lossy++
			}
			worst.happened, worst.missing, worst.reportedLost = l.happened, max(worst.missing, l.missing), max(worst.reportedLost, l.reportedLost)
		}
		t.add(tool.name, thousands(int64(worst.happened)), fmt.Sprint(lossy), thousands(int64(worst.missing)), thousands(int64(worst.reportedLost)))
		if tool.name == dtrecTool {
			b.bars = append(b.bars, bar{what: "rounds with loss on two CPUs", value: float64(lossy)})
		}
	}
	return t, nil
}

// opensOf returns only the hits of opens.
func opensOf(hits map[string]uint64) map[string]uint64 {
	return map[string]uint64{"open_enter": hits["open_enter"], "open_exit": hits["open_exit"]}
}

// compareWithCount compares a recording with the counted run of its part.
func (b *bench) compareWithCount(part string, results []result, name, tool string) (result, loss, error) {
	var there counts
	for _, r := range results {
		if r.Tool == counter {
			var err error
			if there, err = b.hits(part, r); err != nil {
				return r, loss{}, err
			}
		}
	}
	r, err := findResult(results, name, tool)
	if err != nil {
		return r, loss{}, err
	}
	c, err := b.hits(part, r)
	if err != nil {
		return r, loss{}, err
	}
	return r, compare(tool, there, c, r.Missed), nil
}
