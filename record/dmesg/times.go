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
	any    bool // a line had a time
	clock  clock
	first  int64 // date of the first line that had one
	latest int64 // latest stamp
	years  int64 // turned since the first, nanoseconds
	now    uint64
}

// restarted reports whether a line of that time belongs to another run.
func (t *times) restarted(at stamp) bool {
	if !t.any || at.clock != t.clock {
		return false
	}
	back := t.latest - (at.ns + t.years)
	return back > newRun && !(at.clock == syslog && back > newYear)
}

// see takes the time of a line in. The first line with a time decides which clock
// counts; a line with another one is as a line without.
func (t *times) see(at stamp) {
	if at.clock == noClock || t.any && at.clock != t.clock {
		return
	}
	if !t.any {
		t.any, t.clock, t.first, t.latest = true, at.clock, at.ns, at.ns
		if at.clock == printk {
			t.first = 0
		}
	}
	if at.clock == syslog && t.latest-(at.ns+t.years) > newYear {
		t.years += year
	}
	ns := at.ns + t.years
	t.latest = max(t.latest, ns)
	t.now = uint64(max(0, ns-t.first))
}

// next is the time of an event on the line seen last, nanoseconds.
func (t *times) next() uint64 {
	if !t.any {
		t.now++
	}
	return t.now
}
