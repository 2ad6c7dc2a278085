// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"strings"
)

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
