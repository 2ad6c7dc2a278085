// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// Filter picks events to show. The zero Filter picks all; an event must satisfy every field that is set. It
// selects what is shown, and does not change what is counted or concluded. A string may be given raw or in
// the form in which it is printed.
type Filter struct {
	PIDs  []uint32      // process ids
	Comms []string      // task names, whole
	Roles []schema.Role // roles
	Paths []string      // paths of path calls: the call and all events in it
	Names []string      // names of a component or of the dentry
	From  uint64        // nanoseconds since boot; 0: from the start
	To    uint64        // nanoseconds since boot; 0: to the end

	Objects []ObjectRef // dentries: all events of each
	Ops     []string    // operations of path calls: the call and all events in it
	Calls   []uint64    // entry ids of path calls: the call and all events in it

	// How a path call ended. With one of these set, an event is shown only if a path call that ended like
	// that ends with it. Slower is in nanoseconds: the call took at least as long.
	Failed  bool
	Errnos  []int // positive
	Slower  uint64
	Classes []Class
}

// ObjectRef names a dentry by its number, or where that is 0 by its address, which several dentries may have had.
type ObjectRef struct{ Seq, Addr uint64 }

// String returns the dentry's number and address, "D3 0xffff…", or "no dentry".
func (r ObjectRef) String() string {
	if r.Seq == 0 {
		return "no dentry"
	}
	return fmt.Sprintf("D%d %#x", r.Seq, r.Addr)
}

func (r ObjectRef) matches(d *Object) bool {
	return d != nil && (r.Seq == d.Seq || r.Seq == 0 && r.Addr == d.Addr)
}

// Match reports whether the step is to be shown. The call is the path call that the step ends, or else the
// one it is in; nil for none.
func (f *Filter) Match(s *Step, c *PathCall) bool {
	e := s.Event
	switch {
	case e.Time < f.From || f.To != 0 && e.Time > f.To,
		len(f.PIDs) > 0 && !slices.Contains(f.PIDs, e.PID),
		len(f.Comms) > 0 && !matchesAny(f.Comms, e.Comm),
		len(f.Roles) > 0 && !slices.Contains(f.Roles, e.Role),
		len(f.Paths) > 0 && !matchesAny(f.Paths, s.path),
		len(f.Names) > 0 && !f.matchesName(s),
		len(f.Objects) > 0 && !slices.ContainsFunc(f.Objects, func(r ObjectRef) bool { return r.matches(s.Object) }),
		len(f.Ops) > 0 && (c == nil || !slices.Contains(f.Ops, c.Operation)),
		len(f.Calls) > 0 && (c == nil || !slices.Contains(f.Calls, c.ID)),
		f.hasOutcome() && (c == nil || c.End != e.ID || !f.matchesOutcome(c)):
		return false
	}
	return true
}

// hasOutcome reports whether the filter asks how a path call ended.
func (f *Filter) hasOutcome() bool {
	return f.Failed || len(f.Errnos)+len(f.Classes) > 0 || f.Slower > 0
}

// matchesOutcome reports whether a path call ended as the filter asks.
func (f *Filter) matchesOutcome(c *PathCall) bool {
	return (!f.Failed || c.Failed()) && (len(f.Errnos) == 0 || slices.Contains(f.Errnos, c.Errno)) &&
		(len(f.Classes) == 0 || slices.Contains(f.Classes, c.Class)) && c.Took >= f.Slower
}

// OnlyExits reports whether the filter can pick only the exits of path calls.
func (f *Filter) OnlyExits() bool { return f.hasOutcome() }

// needsCalls reports whether the filter needs the model of path calls.
func (f *Filter) needsCalls() bool { return f.hasOutcome() || len(f.Ops)+len(f.Calls) > 0 }

// canSkipFrames reports whether the filter can tell from a seek index that a frame has no match.
func (f *Filter) canSkipFrames() bool {
	return !f.needsCalls() && len(f.Objects) == 0 &&
		(f.From != 0 || f.To != 0 && f.To != math.MaxUint64 || len(f.Comms)+len(f.PIDs)+len(f.Paths) > 0)
}

// endsBefore reports whether a frame begins after the filter's end.
func (f *Filter) endsBefore(x *schema.Index, frame int) bool {
	return f.To != 0 && x.FirstNs[frame] > f.To
}

// mayMatchFrame reports whether a frame may hold matching events. With Paths it reports whether the frame may
// hold the entry of a call on one of them, whatever its time: events in the call may be in later frames.
func (f *Filter) mayMatchFrame(x *schema.Index, frame int) bool {
	switch {
	case f.endsBefore(x, frame):
		return false
	case len(f.Paths) > 0:
		return x.MayHoldPath(frame, withUnescaped(f.Paths))
	}
	return x.LastNs[frame] >= f.From && x.MayHoldPID(frame, f.PIDs) && x.MayHoldComm(frame, withUnescaped(f.Comms))
}

// withUnescaped returns the names as given, and unescaped as well where they may be in printed form.
func withUnescaped(names []string) []string {
	var all []string
	for _, g := range names {
		all = append(all, g)
		if strings.Contains(g, `\`) {
			all = append(all, Unescape(g))
		}
	}
	return all
}

// callModel is a Model that tells for each event which path call it belongs to.
type callModel struct {
	*Model
	endedCall *PathCall // by the last event; nil: none
	endedIDs  []uint64  // ids of ended calls, where Picker collects them
}

func newCallModel(h *schema.Header) *callModel {
	m := &callModel{Model: NewModel(h)}
	m.Call = func(c *PathCall) { m.endedCall = c }
	return m
}

// record applies a record. For an event it returns its step, and the path call that it ends or else the one
// it is in.
func (m *callModel) record(rec schema.Record) (*Step, *PathCall) {
	m.endedCall = nil
	s := m.Record(rec)
	if s == nil || m.endedCall != nil && m.endedCall.End == s.Event.ID {
		return s, m.endedCall
	}
	if w := m.last.innermost(); w != nil {
		return s, w.call
	}
	return s, nil
}

// IsZero reports whether the filter picks all.
func (f *Filter) IsZero() bool {
	return !f.needsCalls() && len(f.PIDs)+len(f.Comms)+len(f.Roles)+len(f.Paths)+len(f.Names)+len(f.Objects) == 0 && f.From == 0 && (f.To == 0 || f.To == math.MaxUint64)
}

// matchesProgram reports whether a program record is to be shown: not where the filter picks single events.
func (f *Filter) matchesProgram(p *schema.Program) bool {
	return !f.needsCalls() && len(f.Roles)+len(f.Paths)+len(f.Names)+len(f.Objects) == 0 &&
		(len(f.PIDs) == 0 || slices.Contains(f.PIDs, p.Pid)) && (len(f.Comms) == 0 || matchesAny(f.Comms, shown.FromStored(p.Name)))
}

// matchesName compares the event's name, and for an exit without a dentry the name at the entry of its call.
func (f *Filter) matchesName(s *Step) bool {
	if matchesAny(f.Names, s.Event.Name) {
		return true
	}
	return s.Event.Phase == schema.Exit && s.Call != nil && matchesAny(f.Names, s.Call.Enter.Name)
}

// matchesAny reports whether a name is one of those given.
func matchesAny(names []string, name string) bool {
	return slices.ContainsFunc(names, func(g string) bool { return matchesGiven(g, name) })
}

// matchesGiven reports whether a name is the one given, raw or in printed form. Where both readings differ, either
// matches.
func matchesGiven(g, name string) bool {
	return g == name || strings.Contains(g, `\`) && Unescape(g) == name
}
