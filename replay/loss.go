// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dtrec/dtrec/schema"
)

// Window is a stretch of time in which events of some role are missing.
type Window struct {
	First, Last uint64      // nanoseconds since boot, both included
	Role        schema.Role // 0: any
	Count       uint64      // events; 0: not known
	Why         string
	mispairs    bool // after it, an exit may name a wrong time of its entry (TOOK)
	begun       bool // calls in progress have been told of it
}

// maxWindows bounds the windows that are kept apart; further ones are joined with the last.
const maxWindows = 1024

// Losses knows where events are missing.
type Losses struct {
	Total    uint64 // events known to be missing
	Recorded uint64 // those of them that loss records count
	// Late reports that a window became known only after events of its own time, so that no conclusion
	// drawn before is safe.
	Late bool

	windows    []Window
	covered    []stretch // the time in windows, in order and disjoint; see searchCovered
	gap        stretch   // the gap in covered that the last query fell in; both ends are covered
	stale      bool      // windows have changed since covered was made
	openDamage int       // 1 + index of the window of damage that no event has followed yet; 0: none

	lostByRole      [maxRole]reach // by role, at 0 of any role: until when events are missing, of windows that have begun
	mispairedByRole [maxRole]reach // the same, of windows with mispairs
	nextBegin       uint64         // when the next window begins that has not begun; 0: none
	lostUntil       uint64         // the largest last of lostByRole

	// The losses of LOSS_CAUSE_UNWATCHED, joined. The events of such dentries carry FACT_UNWATCHED, so the
	// window makes nothing else uncertain. Without Why there are none.
	unwatched Window
}

// Windows returns the windows in the order in which they were read, and after them, as one window, that of
// dentries that could not be watched.
func (l *Losses) Windows() []Window {
	if l.unwatched.Why == "" {
		return l.windows
	}
	return append(slices.Clip(l.windows), l.unwatched)
}

// FindWindow returns a window in which events of the given roles between two times may be missing, so that a
// statement that rests on all of them is unsafe; ok is false if there is none.
func (l *Losses) FindWindow(first, last uint64, roles Roles) (w Window, ok bool) {
	if !l.HasWindow(first, last) {
		return Window{}, false
	}
	for _, w := range l.windows {
		if w.First <= last && first <= w.Last && (w.Role == 0 || roles.Has(w.Role)) {
			return w, true
		}
	}
	return Window{}, false
}

// HasWindow reports whether a window, of whatever role, overlaps the time from first to last.
func (l *Losses) HasWindow(first, last uint64) bool {
	return (l.stale || first <= l.gap.first || l.gap.last <= last) && l.searchCovered(first, last)
}

// stretch is a time, both ends included.
type stretch struct{ first, last uint64 }

// searchCovered is HasWindow without the short cut. It looks in the sorted covered, as there may be many windows and
// most times are in none; it also notes the gap in which the times lie, for HasWindow.
func (l *Losses) searchCovered(first, last uint64) bool {
	if l.stale {
		l.stale, l.covered, l.gap = false, l.covered[:0], stretch{}
		for _, w := range slices.SortedFunc(slices.Values(l.windows), func(a, b Window) int { return cmp.Compare(a.First, b.First) }) {
			if n := len(l.covered); n > 0 && w.First <= l.covered[n-1].last {
				l.covered[n-1].last = max(l.covered[n-1].last, w.Last)
			} else {
				l.covered = append(l.covered, stretch{w.First, w.Last})
			}
		}
	}
	i, _ := slices.BinarySearchFunc(l.covered, first, func(s stretch, t uint64) int { return cmp.Compare(s.last, t) })
	if i < len(l.covered) && l.covered[i].first <= last {
		return true
	}
	if l.gap = (stretch{0, math.MaxUint64}); i > 0 {
		l.gap.first = l.covered[i-1].last
	}
	if i < len(l.covered) {
		l.gap.last = l.covered[i].first
	}
	return false
}

// addRecord takes a loss record of the file; now is the time of the last event read. A record that comes after
// events of its own window breaks a rule of the format, and sets Late.
func (l *Losses) addRecord(r *schema.Loss, now uint64) {
	if r.Cause == schema.LossUnreadableName {
		return // the events are there, and carry FACT_NAME_UNREADABLE
	}
	l.Total = sum(l.Total, r.Count)
	l.Recorded = sum(l.Recorded, r.Count)
	if r.Cause == schema.LossUnwatched {
		l.addUnwatched(r) // the events are there, and carry FACT_UNWATCHED
		return
	}
	w := windowOf(r)
	l.Late = l.Late || w.First < now
	l.add(w, now)
}

// cause describes the losses of one cause.
type cause struct {
	why       string // as Window.Why
	mispairs  bool   // see Window; a thread that was in a call when it could not be followed may have an exit later
	uncounted bool   // the record's count is not of events, whose number is not known
	counts    string // what its records count, as printed; empty: "events lost" and the label of the cause
}

const (
	rebuilt  = "another tracer came to the function or left it, and calls in progress were not seen to return"
	unhooked = "kernel functions were unhooked, or may have been (kernel.ftrace_enabled, kprobes/enabled)"
)

var causes = map[schema.LossCause]cause{
	schema.LossRingBuffer:     {why: "ring buffer full"},
	schema.LossUnwatched:      {why: "watch set full", mispairs: true, counts: "dentries not watched, the watch set is full"},
	schema.LossMissed:         {why: "probe hits missed", mispairs: true},
	schema.LossRebuilt:        {why: rebuilt, uncounted: true, counts: "times that " + rebuilt},
	schema.LossSwitchedOff:    {why: unhooked, mispairs: true, uncounted: true, counts: "times " + unhooked},
	schema.LossWatchOverflow:  {why: "a process could not be followed", mispairs: true, counts: "processes not followed, the set of them is full"},
	schema.LossLimit:          {why: "recording cut short by a limit"},
	schema.LossUnreadableName: {counts: "names could not be read"}, // the events are there, and carry FACT_NAME_UNREADABLE
}

// windowOf returns the window of a loss record. It does not trust the record: whatever it holds, the window
// is no smaller than it may mean.
func windowOf(r *schema.Loss) Window {
	w := Window{First: min(r.FirstNs, r.LastNs), Last: max(r.FirstNs, r.LastNs), Role: r.Role, Count: r.Count}
	if _, known := r.Role.Info(); !known {
		w.Role = 0
	}
	c, known := causes[r.Cause]
	if !known {
		c = cause{why: "lost for a cause that this dtrec does not know", mispairs: true}
	}
	if w.Why, w.mispairs = c.why, c.mispairs; c.uncounted {
		w.Count = 0
	}
	if r.Cause == schema.LossWatchOverflow && r.Role == schema.RoleFork { // a process that is not followed has no events at all
		w.mispairs = false
	}
	if r.Cause.Endless() {
		w.Last, w.Role = math.MaxUint64, 0
	}
	if r.LastNs < r.FirstNs {
		w.Why += "; its record ends before it begins"
	}
	return w
}

// addUnwatched joins a loss of LOSS_CAUSE_UNWATCHED with those before.
func (l *Losses) addUnwatched(r *schema.Loss) {
	w := windowOf(r)
	if l.unwatched.Why == "" {
		l.unwatched = w
	} else {
		l.unwatched.join(w)
	}
}

// addBackwards notes an event at time at that comes after one at time now.
func (l *Losses) addBackwards(at, now uint64) {
	l.Late = true
	l.add(Window{First: at, Last: now, Why: "time runs backwards"}, now)
}

func (l *Losses) addDamage(d *schema.Damage, now uint64) {
	l.stale = true
	l.Total = sum(l.Total, d.Events)
	w := Window{First: now, Last: math.MaxUint64, Count: d.Events, Why: fmt.Sprintf("file damaged at byte %d", d.Offset), mispairs: true}
	if d.Cut {
		w.Why = fmt.Sprintf("file cut at byte %d", d.Offset)
	}
	switch {
	case l.openDamage > 0:
		l.windows[l.openDamage-1].join(w)
	case len(l.windows) < maxWindows:
		w.begun = true // State.Damage drops the calls in progress, and later calls are not affected
		l.windows = append(l.windows, w)
		l.openDamage = len(l.windows)
	default:
		l.add(w, now)
	}
}

// endDamage ends the window that damage opened: the file goes on at time now.
func (l *Losses) endDamage(now uint64) {
	if l.openDamage > 0 {
		w := &l.windows[l.openDamage-1]
		l.stale = true
		w.Last, l.openDamage = max(w.First, now), 0
	}
}

// add keeps a window apart, or joins it with the last one.
func (l *Losses) add(w Window, now uint64) {
	l.stale = true
	if len(l.windows) < maxWindows {
		l.windows = append(l.windows, w)
	} else {
		l.windows[maxWindows-1].join(w)
	}
	last := &l.windows[len(l.windows)-1]
	switch {
	case w.begun:
	case last.First <= now:
		l.begin(last)
	case l.nextBegin == 0 || last.First < l.nextBegin:
		l.nextBegin = last.First
	}
}

// join makes the window cover the other as well.
func (w *Window) join(other Window) {
	w.First, w.Last = min(w.First, other.First), max(w.Last, other.Last)
	w.Count = sum(w.Count, other.Count)
	w.mispairs = w.mispairs || other.mispairs
	if w.Role != other.Role {
		w.Role = 0
	}
	if w.Why != other.Why {
		w.Why = "several causes"
	}
}

// reach is the time up to which something is missing.
type reach struct {
	any  bool
	last uint64
}

func (r *reach) extend(last uint64) { r.any, r.last = true, max(r.last, last) }

func (r *reach) covers(time uint64) bool { return r.any && time <= r.last }

// begin makes the window count for the calls in progress.
func (l *Losses) begin(w *Window) {
	w.begun = true
	l.lostUntil = max(l.lostUntil, w.Last)
	l.lostByRole[w.Role].extend(w.Last)
	if w.mispairs {
		l.mispairedByRole[w.Role].extend(w.Last)
	}
}

// beginDue begins the windows whose time has come.
func (l *Losses) beginDue(now uint64) {
	if l.nextBegin != 0 && now >= l.nextBegin {
		l.beginWindows(now)
	}
}

func (l *Losses) beginWindows(now uint64) {
	l.nextBegin = 0
	for i := range l.windows {
		if w := &l.windows[i]; w.begun {
			continue
		} else if w.First <= now {
			l.begin(w)
		} else if l.nextBegin == 0 || w.First < l.nextBegin {
			l.nextBegin = w.First
		}
	}
}

// lostSince reports whether events of the role may be missing between the time and now.
func (l *Losses) lostSince(time uint64, r schema.Role) bool {
	return l.lostByRole[0].covers(time) || l.lostByRole[slotOf(r)].covers(time)
}

// mispairedSince reports whether, between the time and now, the recorder may have lost track of which call
// of the role a thread is in.
func (l *Losses) mispairedSince(time uint64, r schema.Role) bool {
	return l.mispairedByRole[0].covers(time) || l.mispairedByRole[slotOf(r)].covers(time)
}

// sum adds two counts. A file may have made them up, so the sum does not wrap around.
func sum(a, b uint64) uint64 {
	if a+b < a {
		return math.MaxUint64
	}
	return a + b
}
