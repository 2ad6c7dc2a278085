// SPDX-License-Identifier: Apache-2.0

package dmesg

import "time"

// newRun is how far time must go back for another run to have begun, nanoseconds.
// Lines of several CPUs come out of order by far less; printk serialises them.
const newRun = int64(time.Second)

// newYear is how far a date without a year must go back to be of the next one.
const newYear = int64(180 * 24 * time.Hour)

// year is that of stamp's syslog dates, a leap year.
const year = int64(366 * 24 * time.Hour)

// times turns the times of lines into those of events.
type times struct {
	clock  clock         // of the first line that had a time; noClock: none had
	first  int64         // date of that line
	met    [clocks]bool  // clocks that a line had
	latest [clocks]int64 // their latest stamps
	years  int64         // turned since the first syslog date, nanoseconds
	now    uint64
}

// restarted reports whether a line of that time belongs to another run: its clock has
// gone back, whatever another one says.
func (t *times) restarted(at stamp) bool {
	if !t.met[at.clock] {
		return false
	}
	back := t.back(at)
	return back > newRun && !(at.clock == syslog && back > newYear)
}

// back is how far the stamp is before the latest of its clock, nanoseconds.
func (t *times) back(at stamp) int64 {
	if at.clock == syslog {
		at.ns += t.years
	}
	return t.latest[at.clock] - at.ns
}

// see takes the time of a line in. The first line with a time decides which clock
// events have; a line with another one is as a line without.
func (t *times) see(at stamp) {
	if at.clock == noClock {
		return
	}
	if t.clock == noClock {
		if t.clock = at.clock; at.clock != printk {
			t.first = at.ns
		}
	}
	if at.clock == syslog {
		if t.met[syslog] && t.back(at) > newYear {
			t.years += year
		}
		at.ns += t.years
	}
	if !t.met[at.clock] || at.ns > t.latest[at.clock] {
		t.met[at.clock], t.latest[at.clock] = true, at.ns
	}
	if at.clock == t.clock {
		t.now = uint64(max(0, at.ns-t.first))
	}
}

// next is the time of an event on the line seen last, nanoseconds.
func (t *times) next() uint64 {
	if t.clock == noClock {
		t.now++
	}
	return t.now
}
