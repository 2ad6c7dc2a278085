// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"strings"
)

// tolerance is by how much counts may differ unremarked: tools begin and end at different instructions of the process
// they start.
func tolerance(there uint64) uint64 { return 100 + there/1000 }

// loss is what is not in a recording.
type loss struct {
	there, missing uint64 // hits that there were, and that are not in the recording
	said           uint64 // what the tool says it lost
	notes          []string
}

// lost is the larger of what is missing and of what the tool admits to.
func (l loss) lost() uint64 { return max(l.missing, l.said) }

func (l loss) String() string {
	switch {
	case l.there == 0:
		return ""
	case l.lost() == 0:
		return "0"
	case l.said == 0:
		return fmt.Sprintf("%.1f %%, not said", 100*float64(l.missing)/float64(l.there))
	}
	return fmt.Sprintf("%.1f %%", 100*float64(l.lost())/float64(l.there))
}

// compare holds the counts of a recording against those that there were, probe by probe of the latter.
func compare(tool string, there, held counts, missedHits uint64) loss {
	l := loss{there: there.total(), said: held.lost + missedHits}
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
	if l.missing <= tolerance(l.there) {
		l.missing = 0
	}
	if other := held.other(); other > tolerance(l.there) {
		l.notes = append(l.notes, fmt.Sprintf("%s recorded %d events of other functions.", tool, other))
	}
	if len(wrong) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s recorded more than there was: %s.", tool, strings.Join(wrong, ", ")))
	}
	return l
}

// other is how many events are of none of the probes.
func (c counts) other() uint64 {
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
