// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
)

// Row holds the figures of the calls of one program, or of all programs.
type Row struct {
	Program    string  `json:"program"`   // empty: all programs, or those beyond maxPrograms
	Processes  uint64  `json:"processes"` // processes that had this name for at least part of the trace
	Calls      uint64  `json:"calls"`
	Operations []Count `json:"operations"` // most frequent first
	Failed     uint64  `json:"failed"`
	Unfinished uint64  `json:"unfinished"` // calls whose return is not in the trace
	RCU        uint64  `json:"rcu"`        // calls by class, see replay.Class
	Ref        uint64  `json:"ref"`
	Miss       uint64  `json:"miss"`
	Unknown    uint64  `json:"unknown"`
	Restarted  uint64  `json:"restarted"`
	Allocs     uint64  `json:"allocs"`
	Took       uint64  `json:"took_ns"` // time in calls; a nested call's time is counted once; if Unfinished is not 0, it was more
	Slowest    *Slow   `json:"slowest,omitempty"`

	counting []Count // by operation; a linear search does, as there are few
}

// add counts a call. took is the time in nanoseconds that it adds to Took.
func (r *Row) add(c *replay.PathCall, took uint64) {
	r.Calls++
	r.operation(c.Operation)
	switch c.Class {
	case replay.ClassRCU:
		r.RCU++
	case replay.ClassRef:
		r.Ref++
	case replay.ClassMiss:
		r.Miss++
	default:
		r.Unknown++
	}
	if c.Restarts > 0 {
		r.Restarted++
	}
	r.Allocs += uint64(c.Allocs)
	r.Took += took
	switch {
	case c.End == 0:
		r.Unfinished++
	case c.Failed():
		r.Failed++
	}
	if timed(c) && (r.Slowest == nil || c.Took > r.Slowest.Took) {
		slow := slowOf(c)
		r.Slowest = &slow
	}
}

// took returns the time in calls in words: at least as long, if calls have no return in the trace.
func (r *Row) took() string {
	switch {
	case r.Unfinished == 0:
		return duration(r.Took)
	case r.Took == 0:
		return "not known"
	}
	return "≥ " + duration(r.Took)
}

// atLeast returns the number of calls of a class in words: any call without a known class may be one of them.
func (r *Row) atLeast(n uint64) string {
	switch {
	case r.Unknown == 0:
		return fmt.Sprint(n)
	case n == 0:
		return "?"
	}
	return fmt.Sprint("≥ ", n)
}

// processes returns the number of processes, or "-" if calls of processes that the trace does not name are all that
// there is.
func (r *Row) processes() string {
	if r.Processes == 0 {
		return "-"
	}
	return fmt.Sprint(r.Processes)
}

func (r *Row) finish() {
	r.Operations = append([]Count{}, r.counting...)
	slices.SortFunc(r.Operations, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
}

func (r *Row) operation(name string) {
	i := 0
	for i < len(r.counting) && r.counting[i].Name != name {
		i++
	}
	if i == len(r.counting) {
		r.counting = append(r.counting, Count{Name: name})
	}
	r.counting[i].Count++
}
