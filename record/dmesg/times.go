// SPDX-License-Identifier: Apache-2.0

package dmesg

import "time"

// newRun is the backward jump of time, in nanoseconds, that marks the start of another run. Lines from
// several CPUs are out of order by far less, as printk serialises them.
const newRun = int64(time.Second)

// newYear is the backward jump, in nanoseconds, by which a date without a year is taken to be in the next
// year.
const newYear = int64(180 * 24 * time.Hour)

// year is the length of the year that syslog dates are given, a leap year, in nanoseconds.
const year = int64(366 * 24 * time.Hour)

// times turns the times of lines into times of events.
type times struct {
	clock  clock         // that of the first line with a time; noClock if there was none
	first  int64         // date of that line; 0 for printk
	seen   [clocks]bool  // clocks seen so far
	latest [clocks]int64 // the latest stamp of each clock
	years  int64         // added for new years since the first syslog date, nanoseconds
	now    uint64
}

// restarted reports whether a line with this time belongs to another run, because its clock has gone back.
// Other clocks do not matter.
func (t *times) restarted(at stamp) bool {
	if !t.seen[at.clock] {
		return false
	}
	back := t.back(at)
	return back > newRun && !(at.clock == syslog && back > newYear)
}

// back returns how many nanoseconds the stamp is before the latest of its clock.
func (t *times) back(at stamp) int64 {
	if at.clock == syslog {
		at.ns += t.years
	}
	return t.latest[at.clock] - at.ns
}

// observe takes in the time of a line. The first line with a time decides which clock the events use; a line with
// another clock is treated like a line without a time.
func (t *times) observe(at stamp) {
	if at.clock == noClock {
		return
	}
	if t.clock == noClock {
		if t.clock = at.clock; at.clock != printk {
			t.first = at.ns
		}
	}
	if at.clock == syslog {
		if t.seen[syslog] && t.back(at) > newYear {
			t.years += year
		}
		at.ns += t.years
	}
	if !t.seen[at.clock] || at.ns > t.latest[at.clock] {
		t.seen[at.clock], t.latest[at.clock] = true, at.ns
	}
	if at.clock == t.clock {
		t.now = uint64(max(0, at.ns-t.first))
	}
}

// next returns the time of an event on the latest line, nanoseconds. Without any clock it counts the events.
func (t *times) next() uint64 {
	if t.clock == noClock {
		t.now++
	}
	return t.now
}
