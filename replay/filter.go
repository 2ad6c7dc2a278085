// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Filter picks events to show. The zero Filter picks all; every field set must
// hold. It filters what is shown, never what is counted or concluded. A string is given
// as it is, or as it is printed.
type Filter struct {
	PIDs  []uint32      // process ids
	Comms []string      // task names, whole
	Roles []schema.Role // roles
	Paths []string      // paths of a path call: the call and all within it
	Names []string      // names of a component, or of the dentry
	From  uint64        // nanoseconds since boot; 0: from the start
	To    uint64        // nanoseconds since boot; 0: to the end

	Objects []Ref    // dentries: all events of one
	Ops     []string // operations of a path call: the call and all within it
	Calls   []uint64 // entries of path calls: the call and all within it

	// Of how a path call ended. With one of these an event is shown only if such a call ends
	// with it.
	Failed  bool
	Errnos  []int // positive
	Slower  uint64
	Classes []Class
}

// Ref names a dentry: by its number, or where that is 0 by its address, which several may
// have had.
type Ref struct{ Seq, Addr uint64 }

// String is the dentry's number and address, "D3 0xffff…".
func (r Ref) String() string {
	if r.Seq == 0 {
		return "no dentry"
	}
	return fmt.Sprintf("D%d %#x", r.Seq, r.Addr)
}

func (r Ref) is(d *Object) bool {
	return d != nil && (r.Seq == d.Seq || r.Seq == 0 && r.Addr == d.Addr)
}

// Match reports whether the step is to be shown. The call is the path call that it ends, or
// else the one it is in; nil for none.
func (f *Filter) Match(s *Step, c *PathCall) bool {
	e := s.Event
	switch {
	case e.Time < f.From || f.To != 0 && e.Time > f.To,
		len(f.PIDs) > 0 && !slices.Contains(f.PIDs, e.PID),
		len(f.Comms) > 0 && !among(f.Comms, e.Comm),
		len(f.Roles) > 0 && !slices.Contains(f.Roles, e.Role),
		len(f.Paths) > 0 && !among(f.Paths, s.path),
		len(f.Names) > 0 && !f.named(s),
		len(f.Objects) > 0 && !slices.ContainsFunc(f.Objects, func(r Ref) bool { return r.is(s.Object) }),
		len(f.Ops) > 0 && (c == nil || !slices.Contains(f.Ops, c.Operation)),
		len(f.Calls) > 0 && (c == nil || !slices.Contains(f.Calls, c.ID)),
		f.ends() && (c == nil || c.End != e.ID || !f.ended(c)):
		return false
	}
	return true
}

// ends reports whether it is asked for how a path call ended.
func (f *Filter) ends() bool {
	return f.Failed || len(f.Errnos)+len(f.Classes) > 0 || f.Slower > 0
}

// ended reports whether a path call ended as is asked for.
func (f *Filter) ended(c *PathCall) bool {
	return (!f.Failed || c.Failed()) && (len(f.Errnos) == 0 || slices.Contains(f.Errnos, c.Errno)) &&
		(len(f.Classes) == 0 || slices.Contains(f.Classes, c.Class)) && c.Took >= f.Slower
}

// Returns reports whether the filter picks nothing but the events that path calls return with.
func (f *Filter) Returns() bool { return f.ends() }

// ofCalls reports whether the filter asks for what only the model of path calls tells.
func (f *Filter) ofCalls() bool { return f.ends() || len(f.Ops)+len(f.Calls) > 0 }

// skips reports whether the filter can tell from a seek index that a frame has nothing for it.
func (f *Filter) skips() bool {
	return !f.ofCalls() && len(f.Objects) == 0 &&
		(f.From != 0 || f.To != 0 && f.To != math.MaxUint64 || len(f.Comms)+len(f.PIDs)+len(f.Paths) > 0)
}

// over reports whether a frame lies after all that the filter asks for.
func (f *Filter) over(x *schema.Index, frame int) bool { return f.To != 0 && x.FirstNs[frame] > f.To }

// mayBeIn reports whether a frame may hold events that match, or the entry of an open of which
// what is in it matches, wherever that stands.
func (f *Filter) mayBeIn(x *schema.Index, frame int) bool {
	switch {
	case f.over(x, frame):
		return false
	case len(f.Paths) > 0:
		return x.MayHoldPath(frame, either(f.Paths))
	}
	return x.LastNs[frame] >= f.From && x.MayHoldPID(frame, f.PIDs) && x.MayHoldComm(frame, either(f.Comms))
}

// either is the names as given, and what they stand for if they are as printed.
func either(names []string) []string {
	var all []string
	for _, g := range names {
		all = append(all, g)
		if strings.Contains(g, `\`) {
			all = append(all, Unescape(g))
		}
	}
	return all
}

// callModel is a model that says of each event which path call it is of.
type callModel struct {
	*Model
	ended *PathCall // by the last event; nil: none
	told  []uint64  // calls told of since this was emptied, where somebody does
}

func newCallModel(h *schema.Header) *callModel {
	m := &callModel{Model: NewModel(h)}
	m.Call = func(c *PathCall) { m.ended = c }
	return m
}

// record applies a record; of an event it returns where it stands, and the path call that it ends, or else the one it is in.
func (m *callModel) record(rec schema.Record) (*Step, *PathCall) {
	m.ended = nil
	s := m.Record(rec)
	if s == nil || m.ended != nil && m.ended.End == s.Event.ID {
		return s, m.ended
	}
	if w := m.last.inner(); w != nil {
		return s, w.call
	}
	return s, nil
}

// IsZero reports whether the filter picks all.
func (f *Filter) IsZero() bool {
	return !f.ofCalls() && len(f.PIDs)+len(f.Comms)+len(f.Roles)+len(f.Paths)+len(f.Names)+len(f.Objects) == 0 && f.From == 0 && (f.To == 0 || f.To == math.MaxUint64)
}

// program reports whether what a program was is to be shown: not where single events are
// picked.
func (f *Filter) program(p *schema.Program) bool {
	return !f.ofCalls() && len(f.Roles)+len(f.Paths)+len(f.Names)+len(f.Objects) == 0 &&
		(len(f.PIDs) == 0 || slices.Contains(f.PIDs, p.Pid)) && (len(f.Comms) == 0 || among(f.Comms, p.Name))
}

// named looks at the event's name, and for an exit without a dentry at that of the
// call it leaves.
func (f *Filter) named(s *Step) bool {
	if among(f.Names, s.Event.Name) {
		return true
	}
	return s.Event.Phase == schema.Exit && s.Call != nil && among(f.Names, s.Call.Enter.Name)
}

// among reports whether a name is one of those given.
func among(names []string, name string) bool {
	return slices.ContainsFunc(names, func(g string) bool { return given(g, name) })
}

// given reports whether a name is the one given: as it is, or as it is printed. Where
// there are both of these, both are meant.
func given(g, name string) bool {
	return g == name || strings.Contains(g, `\`) && Unescape(g) == name
}
