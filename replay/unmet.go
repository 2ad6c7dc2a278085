// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// unmet finds out why nothing is shown: what a filter asks for that is nowhere in the
// trace, and the nearest there is.
type unmet struct {
	filter  *Filter
	matched uint64 // events that match
	shown   bool   // a format has printed some of them
	paths   []search
	names   []search
	comms   []search
	pids    map[uint32]bool
	roles   Roles
	last    uint64 // time of the last event
	any     bool   // there are events
}

func newUnmet(f *Filter) *unmet {
	return &unmet{filter: f, paths: searches(f.Paths), names: searches(f.Names), comms: searches(f.Comms), pids: make(map[uint32]bool)}
}

// see takes an event into account, whether it matches or not, until one is shown.
func (u *unmet) see(s *Step) {
	e := s.Event
	u.any, u.last = true, max(u.last, e.Time)
	if e.Phase == schema.Enter && walkRoles.Has(e.Role) {
		offer(u.paths, e.Name)
	}
	for _, name := range []string{s.Asked().Name, e.Name} {
		if name != "" {
			offer(u.names, name)
		}
	}
	offer(u.comms, e.Comm)
	for _, pid := range u.filter.PIDs {
		u.pids[pid] = u.pids[pid] || e.PID == pid
	}
	u.roles |= RolesOf(e.Role)
}

// why says it in lines, none where something is shown or nothing was asked for.
func (u *unmet) why() []string {
	switch f := u.filter; {
	case u.shown:
		return nil
	case !u.any:
		return []string{"the trace has no event"}
	case u.matched > 0:
		return []string{fmt.Sprintf("events that match: %d; this format has a line for none of them", u.matched)}
	case f.From > u.last:
		var at shown.Text
		at.Seconds(u.last, 0)
		return []string{"no event in the trace is as late, the last one is at " + at.String()}
	}
	lines := tell(u.paths, "no path call in the trace is on")
	lines = append(lines, tell(u.names, "no event in the trace is about the name")...)
	lines = append(lines, tell(u.comms, "no event in the trace is of a task called")...)
	for _, pid := range u.filter.PIDs {
		if !u.pids[pid] {
			lines = append(lines, fmt.Sprintf("no event in the trace is of process %d", pid))
		}
	}
	for _, r := range u.filter.Roles {
		if !u.roles.Has(r) {
			lines = append(lines, "no event in the trace has the role "+r.Label())
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "no event in the trace is all that is asked for at once")
	}
	return lines
}

// search is for a name as it was given.
type search struct {
	given    string
	found    bool
	tried    bool   // nearest is one
	nearest  string // of those offered
	distance int
	last     string // the one offered last
}

func searches(given []string) []search {
	out := make([]search, len(given))
	for i, g := range given {
		out[i] = search{given: g}
	}
	return out
}

func offer(to []search, name string) {
	for i := range to {
		to[i].offer(name)
	}
}

func (s *search) offer(name string) {
	if s.found || s.tried && name == s.last {
		return
	}
	s.last = name
	if s.found = given(s.given, name); s.found {
		return
	}
	limit := s.distance
	if !s.tried {
		limit = len(s.given) + len(name) + 1
	}
	if d := s.to(name, limit); d < limit {
		s.tried, s.nearest, s.distance = true, name, d
	}
}

// to is how far a name is from the one given, or limit if it is as far: nothing for a path
// that ends with it, else how many bytes must be put in, taken out or replaced.
func (s *search) to(name string, limit int) int {
	if strings.HasSuffix(name, "/"+s.given) {
		return 0
	}
	want := Unescape(s.given)
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

// tell has a line for each search in vain.
func tell(of []search, what string) []string {
	var out []string
	for i := range of {
		s := &of[i]
		switch {
		case s.found:
		case s.tried:
			out = append(out, fmt.Sprintf("%s %s; nearest: %s", what, s, Printable(s.nearest)))
		default:
			out = append(out, fmt.Sprintf("%s %s", what, s))
		}
	}
	return out
}

// String is the name as it is printed, which is mostly as it was given.
func (s *search) String() string { return Printable(Unescape(s.given)) }
