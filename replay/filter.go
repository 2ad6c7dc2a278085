// SPDX-License-Identifier: Apache-2.0

package replay

import (
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
	Paths []string      // paths of an open: the open and all within it
	Names []string      // names of a component, or of the dentry
	From  uint64        // nanoseconds since boot; 0: from the start
	To    uint64        // nanoseconds since boot; 0: to the end
}

// Match reports whether the step is to be shown.
func (f *Filter) Match(s *Step) bool {
	e := s.Event
	switch {
	case e.Time < f.From || f.To != 0 && e.Time > f.To,
		len(f.PIDs) > 0 && !slices.Contains(f.PIDs, e.PID),
		len(f.Comms) > 0 && !among(f.Comms, e.Comm),
		len(f.Roles) > 0 && !slices.Contains(f.Roles, e.Role),
		len(f.Paths) > 0 && (s.Open == nil || !among(f.Paths, s.Open.Enter.Name)),
		len(f.Names) > 0 && !f.named(s):
		return false
	}
	return true
}

// program reports whether what a program was is to be shown: not where single events are
// picked.
func (f *Filter) program(p *schema.Program) bool {
	return len(f.Roles)+len(f.Paths)+len(f.Names) == 0 &&
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
