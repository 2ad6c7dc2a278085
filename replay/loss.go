// SPDX-License-Identifier: Apache-2.0

package replay

import (
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
}

// maxWindows bounds the windows kept apart; more are joined into wider ones.
const maxWindows = 1024

// Losses knows where events are missing.
type Losses struct {
	Total    uint64 // events known to be missing
	Recorded uint64 // those of them that loss records count
	// Late: a window was learnt of only after events of its own time, so that
	// nothing concluded before is safe.
	Late bool

	windows []Window
	open    int // 1 + index of the window of damage that no event has followed yet

	// Of dentries that could not be watched: their events say so, and nothing else is
	// touched. Count 0: none.
	unwatched Window
}

// Windows returns the windows in the order they were met; last, as one, those of
// dentries that could not be watched.
func (l *Losses) Windows() []Window {
	if l.unwatched.Count == 0 {
		return l.windows
	}
	return append(slices.Clip(l.windows), l.unwatched)
}

// Touched returns the window that makes a statement unsafe that rests on every
// event of the given roles between two times; ok is false where there is none.
func (l *Losses) Touched(first, last uint64, roles Roles) (w Window, ok bool) {
	for _, w := range l.windows {
		if w.First <= last && first <= w.Last && (w.Role == 0 || roles.Has(w.Role)) {
			return w, true
		}
	}
	return Window{}, false
}

// record takes a loss record of the file; now is the time of the last event read.
// A record that comes after events of its own window breaks the format's rule.
func (l *Losses) record(r *schema.Loss, now uint64) {
	if r.Cause == schema.LossCause_LOSS_CAUSE_UNREADABLE_NAME {
		return // the events are there and say so themselves
	}
	l.Total += r.Count
	l.Recorded += r.Count
	if r.Cause == schema.LossCause_LOSS_CAUSE_UNWATCHED {
		l.watchFull(r) // so do these
		return
	}
	w := Window{First: r.FirstNs, Last: r.LastNs, Role: r.Role, Count: r.Count}
	switch r.Cause {
	case schema.LossCause_LOSS_CAUSE_RING_BUFFER:
		w.Why = "ring buffer full"
	case schema.LossCause_LOSS_CAUSE_MISSED:
		w.Why = "probe hits missed"
	case schema.LossCause_LOSS_CAUSE_WATCH_OVERFLOW:
		w.Why, w.Last, w.Role = "a process could not be followed", math.MaxUint64, 0
	case schema.LossCause_LOSS_CAUSE_LIMIT:
		w.Why, w.Last, w.Role = "recording cut short by a limit", math.MaxUint64, 0
	default:
		w.Why, w.Last, w.Role = "lost for a cause not known here", math.MaxUint64, 0
	}
	l.Late = l.Late || r.FirstNs < now
	l.add(w)
}

// watchFull joins a loss of LOSS_CAUSE_UNWATCHED with those before.
func (l *Losses) watchFull(r *schema.Loss) {
	w := &l.unwatched
	if w.Count == 0 {
		*w = Window{First: r.FirstNs, Last: r.LastNs, Role: r.Role, Why: "watch set full"}
	}
	w.First, w.Last, w.Count = min(w.First, r.FirstNs), max(w.Last, r.LastNs), w.Count+r.Count
	if w.Role != r.Role {
		w.Role = 0
	}
}

// backwards notes an event at time at after one at time now.
func (l *Losses) backwards(at, now uint64) {
	l.Late = true
	l.add(Window{First: at, Last: now, Why: "time runs backwards"})
}

func (l *Losses) damage(d *schema.Damage, now uint64) {
	l.Total += d.Events
	w := Window{First: now, Last: math.MaxUint64, Count: d.Events, Why: fmt.Sprintf("file damaged at byte %d", d.Offset)}
	if d.Cut {
		w.Why = fmt.Sprintf("file cut at byte %d", d.Offset)
	}
	if l.add(w) {
		l.open = len(l.windows)
	}
}

// resumed ends the window that damage opened: the file goes on at time now.
func (l *Losses) resumed(now uint64) {
	if l.open > 0 {
		l.windows[l.open-1].Last, l.open = now, 0
	}
}

// add keeps a window apart, or joins it with the last one and returns false.
func (l *Losses) add(w Window) bool {
	if len(l.windows) < maxWindows {
		l.windows = append(l.windows, w)
		return true
	}
	last := &l.windows[maxWindows-1]
	last.First, last.Last = min(last.First, w.First), max(last.Last, w.Last)
	last.Count += w.Count
	last.Role = 0
	if last.Why != w.Why {
		last.Why = "several causes"
	}
	return false
}

// Roles is a set of roles.
type Roles uint32

// RolesOf returns the set of the given roles.
func RolesOf(roles ...schema.Role) Roles {
	var s Roles
	for _, r := range roles {
		s |= 1 << r
	}
	return s
}

// asks are the roles that look a name up in a directory.
var asks = RolesOf(schema.RoleLookup, schema.RoleLookupChain, schema.RoleLookupRCU)

// Has reports whether the set holds r.
func (s Roles) Has(r schema.Role) bool { return r >= 0 && r < 32 && s&(1<<r) != 0 }
