// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// unmet finds out why a filter picks nothing: what it asks for that is nowhere in the trace, and the
// nearest match.
type unmet struct {
	filter      *Filter
	wants       []want
	matched     uint64 // events that match
	shown       bool   // the format has printed at least one
	first, last uint64 // times of the first and the latest event
	hasEvents   bool   // there are events
}

// want is one thing that a filter asks for.
type want struct {
	filter  Filter // a filter for this thing only
	matched bool
	message string // the message that it is not in the trace
	hint    string // a hint to add to message; empty: none
	names   *search
}

func newUnmet(f *Filter) *unmet {
	u := &unmet{filter: f}
	add := func(alone Filter, says string) *want {
		u.wants = append(u.wants, want{filter: alone, message: says})
		return &u.wants[len(u.wants)-1]
	}
	named := func(alone Filter, says, name string) {
		s := &search{given: name}
		add(alone, says+" "+s.String()).names = s
	}
	for _, p := range f.Paths {
		named(Filter{Paths: []string{p}}, "no path call in the trace was given the path", p)
	}
	for _, n := range f.Names {
		named(Filter{Names: []string{n}}, "no event in the trace is about the name", n)
	}
	for _, c := range f.Comms {
		named(Filter{Comms: []string{c}}, "no event in the trace is of a task called", c)
	}
	for _, pid := range f.PIDs {
		add(Filter{PIDs: []uint32{pid}}, fmt.Sprintf("no event in the trace is of process %d", pid))
	}
	for _, r := range f.Roles {
		add(Filter{Roles: []schema.Role{r}}, "no event in the trace has the role "+r.Label())
	}
	for _, d := range f.Objects {
		add(Filter{Objects: []ObjectRef{d}}, "no event in the trace is about "+d.asGiven())
	}
	for _, op := range f.Ops {
		add(Filter{Ops: []string{op}}, "no path call in the trace is of the operation "+op)
	}
	for _, id := range f.Calls {
		add(Filter{Calls: []uint64{id}}, fmt.Sprintf("no path call in the trace begins with event #%d", id))
	}
	for _, n := range f.Errnos {
		add(Filter{Errnos: []int{n}}, "no path call that returned in the trace failed with "+schema.ErrnoName(n))
	}
	for _, c := range f.Classes {
		add(Filter{Classes: []Class{c}}, "no path call that returned in the trace is "+c.String())
	}
	if f.Failed {
		add(Filter{Failed: true}, "no path call that returned in the trace failed")
	}
	if f.Slower > 0 {
		add(Filter{Slower: f.Slower}, "no path call that returned in the trace took "+time.Duration(f.Slower).String()+" or more")
	}
	return u
}

// asGiven returns the dentry in the form in which it was asked for.
func (r ObjectRef) asGiven() string {
	if r.Seq != 0 {
		return fmt.Sprintf("D%d", r.Seq)
	}
	return fmt.Sprintf("%#x", r.Addr)
}

// see takes an event into account, whether it matches or not, until one is shown. The call is as in Match.
func (u *unmet) see(s *Step, c *PathCall) {
	e := s.Event
	if !u.hasEvents {
		u.hasEvents, u.first = true, e.Time
	}
	u.last = max(u.last, e.Time)
	for i := range u.wants {
		w := &u.wants[i]
		switch {
		case w.matched:
		case w.filter.Match(s, c):
			w.matched = true
		case len(w.filter.Calls) > 0 && e.ID == w.filter.Calls[0] && c != nil:
			w.hint = fmt.Sprintf("; it is in the call of #%d", c.ID)
		case len(w.filter.Comms) > 0:
			w.names.offer(e.Comm)
		case len(w.filter.Paths) > 0:
			if c != nil && c.End == e.ID && w.hint == "" && matchesGiven(w.filter.Paths[0], c.Resolved) {
				w.hint = "; a call on it was given " + Printable(c.Path)
			}
			if e.Phase == schema.Enter && walkRoles.Has(e.Role) {
				w.names.offer(e.Name)
			}
		case len(w.filter.Names) > 0:
			for _, name := range []string{s.Named().Name, e.Name} {
				if name != "" {
					w.names.offer(name)
				}
			}
		}
	}
}

// reasons returns the reasons in lines; nil where an event was shown.
func (u *unmet) reasons() (lines []string) {
	at := func(ns uint64) string {
		var t shown.Text
		t.Seconds(ns, 0)
		return t.String()
	}
	switch f := u.filter; {
	case u.shown:
		return nil
	case !u.hasEvents:
		return []string{"the trace has no event"}
	case u.matched > 0:
		return []string{fmt.Sprintf("events that match: %d; this format has no line for them", u.matched)}
	case f.To != 0 && f.From > f.To:
		return []string{"no event can be at " + at(f.From) + " or later and at " + at(f.To) + " or earlier"}
	case f.From > u.last:
		return []string{"no event in the trace is that late; the last one is at " + at(u.last)}
	case f.To != 0 && f.To < u.first:
		return []string{"no event in the trace is that early; the first one is at " + at(u.first)}
	}
	for i := range u.wants {
		switch w := &u.wants[i]; {
		case w.matched || w.names != nil && w.names.found:
		case w.names != nil && w.names.tried && w.hint == "":
			lines = append(lines, w.message+"; nearest: "+Printable(w.names.nearest))
		default:
			lines = append(lines, w.message+w.hint)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "no event in the trace meets all conditions at once")
	}
	return lines
}

// search looks for a name as given, and for the one nearest to it.
type search struct {
	given    string
	found    bool
	tried    bool   // nearest is set
	nearest  string // of the names offered
	distance int
	last     string // the name offered last
}

func (s *search) offer(name string) {
	if s.found || s.tried && name == s.last {
		return
	}
	s.last = name
	if s.found = matchesGiven(s.given, name); s.found {
		return
	}
	limit := s.distance
	if !s.tried {
		limit = len(s.given) + len(name) + 1
	}
	if d := s.distanceTo(name, limit); d < limit {
		s.tried, s.nearest, s.distance = true, name, d
	}
}

// distanceTo returns the distance of a name from the one given, or limit if it is not less: 0 where one of them is
// the end of the other, as a path is that is relative to a directory, else the number of bytes to insert, delete or
// replace.
func (s *search) distanceTo(name string, limit int) int {
	want := Unescape(s.given)
	if strings.HasSuffix(name, "/"+want) || name != "" && strings.HasSuffix(want, "/"+name) {
		return 0
	}
	if abs(len(want)-len(name)) >= limit {
		return limit
	}
	row := make([]int, len(name)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(want) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(name) {
			d := diagonal
			if want[i] != name[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
			least = min(least, d)
		}
		if least >= limit {
			return limit
		}
	}
	return row[len(name)]
}

func abs(n int) int { return max(n, -n) }

// String returns the name in printable form, mostly as it was given.
func (s *search) String() string { return Printable(Unescape(s.given)) }
