// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
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
	list := []recording{onTmpfs("long", counter, b.long)}
	for _, tool := range b.losslessTools() {
		list = append(list, onTmpfs("long", tool.name, b.long))
	}
	results, err := b.boot(ctx, "long", "icount", 1, list)
	if err != nil {
		return nil, err
	}
	t := &table{title: "A long run on tmpfs, one virtual CPU, flat out", head: []string{"", "hits", "lost", "said", "peak, MB", "bytes a hit"}}
	for _, tool := range b.losslessTools() {
		r, l, err := b.compareWithCount("long", results, "long", "long", tool.name)
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
	name := func(i int) string { return fmt.Sprintf("two%d", i) }
	list := []recording{onTmpfs(name(0), counter, b.rounds)}
	for i := range b.repeat {
		for _, tool := range b.losslessTools() {
			list = append(list, onTmpfs(name(i), tool.name, b.rounds))
		}
	}
	for i := range list {
		list[i].Procs = 2
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
			_, l, err := b.compareWithCount("two", results, name(0), name(i), tool.name)
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

// compareWithCount compares a recording with the counted run of this name. A tool that does not record the work has
// nothing to compare.
func (b *bench) compareWithCount(part string, results []result, counted, name, tool string) (r result, l loss, err error) {
	reference, err := findResult(results, counted, counter)
	if err != nil {
		return r, l, err
	}
	there := counts{hits: reference.Hits}
	if r, err = findResult(results, name, tool); err != nil {
		return r, l, err
	}
	count := toolNamed(tool).count
	if count == nil {
		return r, loss{happened: there.total()}, nil
	}
	held, err := count(b.path(part, r.recording), r.Said)
	return r, compare(tool, there, held, r.Missed), err
}

// tolerance is the difference between counts that is ignored: tools begin and end at different instructions
// of the process they start.
func tolerance(there uint64) uint64 { return 100 + there/1000 }

// loss says what a recording lacks.
type loss struct {
	happened, missing uint64 // hits that happened, and those among them that the recording lacks
	reportedLost      uint64 // hits that the tool says it lost
	notes             []string
}

// lost returns the larger one of what is missing and what the tool admits to.
func (l loss) lost() uint64 { return max(l.missing, l.reportedLost) }

func (l loss) String() string {
	switch {
	case l.happened == 0:
		return ""
	case l.lost() == 0:
		return "0"
	case l.reportedLost == 0:
		return fmt.Sprintf("%.1f %%, not said", 100*float64(l.missing)/float64(l.happened))
	}
	return fmt.Sprintf("%.1f %%", 100*float64(l.lost())/float64(l.happened))
}

// compare compares the counts of a recording with those that happened, for each probe that was counted.
func compare(tool string, there, held counts, missedHits uint64) loss {
	l := loss{happened: there.total(), reportedLost: held.lost + missedHits}
	var wrong []string
	for _, p := range probes() {
		want, counted := there.hits[p.name]
		if !counted {
			continue
		}
		n := held.hits[p.name]
		if role, ok := strings.CutSuffix(p.name, "_enter"); ok && n == 0 {
			n = held.hits[role+"_exit"] // dtrec records a leaf once, on return, for both
		}
		l.missing += want - min(n, want)
		if n > want+tolerance(want) {
			wrong = append(wrong, fmt.Sprintf("%s %d of %d", p.name, n, want))
		}
	}
	if l.missing <= tolerance(l.happened) {
		l.missing = 0
	}
	if other := held.otherEvents(); other > tolerance(l.happened) {
		l.notes = append(l.notes, fmt.Sprintf("%s recorded %d events of other functions.", tool, other))
	}
	if len(wrong) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s recorded more than there was: %s.", tool, strings.Join(wrong, ", ")))
	}
	return l
}

// otherEvents returns the number of events that belong to none of the probes.
func (c counts) otherEvents() uint64 {
	n := c.total()
	for _, p := range probes() {
		n -= c.hits[p.name]
	}
	return n
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
