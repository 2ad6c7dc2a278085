// SPDX-License-Identifier: Apache-2.0

package test

import (
	"slices"
	"strconv"
	"strings"
)

// operationOf is what each role that begins a path call is for; walkers are those that bring
// a path.
var (
	operationOf = map[string]string{"open": "open", "walk": "walk", "walk_parent": "walk", "stat": "stat", "access": "access",
		"readlink": "readlink", "chdir": "chdir", "execve": "exec", "mkdir": "mkdir", "mknod": "mknod", "unlinkat": "unlink", "rmdir": "rmdir",
		"rename": "rename", "link": "link", "symlink": "symlink", "mount": "mount"}
	walkers = []string{"open", "walk", "walk_parent"}
)

// use is a path call as this test finds it.
type use struct {
	spoken
	program     string
	paths       []spoken // the entries of its walks
	asked       map[string]bool
	slow, alloc bool
}

// takes reports whether a walk is of an operation.
func (u *use) takes(e *spoken) bool {
	if slices.Contains(walkers, u.Role) || e.Role == "open" && (u.Role != "execve" || len(u.paths) > 0) {
		return false
	}
	again := slices.ContainsFunc(u.paths, func(p spoken) bool { return p.NameAddr == e.NameAddr && p.Name == e.Name })
	return again || len(u.paths) < 2
}

// reckoner finds the path calls of a trace, a stack of them on every thread.
type reckoner struct {
	reckoned
	stacks map[uint32][]*use
	comm   map[uint32]string
	took   map[uint64]uint64
}

// reckon counts calls by what stands between their entry and their exit.
func reckon(events []spoken) reckoned {
	r := reckoner{stacks: map[uint32][]*use{}, comm: map[uint32]string{}, took: map[uint64]uint64{}}
	r.reckoned = reckoned{births: map[string]uint64{}, errnos: map[string]uint64{}, failures: map[string]uint64{}, missed: map[string]uint64{},
		programs: map[string]uint64{}, processes: map[uint32]bool{}, around: map[uint64]uint64{}}
	for i := range events {
		e := &events[i]
		r.processes[e.PID] = true
		if e.Role == "fork" {
			r.processes[e.Child] = true
		}
		if e.TID == e.PID || r.comm[e.PID] == "" {
			r.comm[e.PID] = e.Comm
		}
		r.event(e)
	}
	slices.SortStableFunc(r.slowest, func(a, b uint64) int { return int(r.took[b]) - int(r.took[a]) })
	r.negatives(events)
	return r.reckoned
}

func (r *reckoner) event(e *spoken) {
	stack := r.stacks[e.TID]
	if operationOf[e.Role] != "" && e.Phase == "enter" {
		if n := len(stack); n > 0 && slices.Contains(walkers, e.Role) && stack[n-1].takes(e) {
			stack[n-1].paths = append(stack[n-1].paths, *e)
			return
		}
		u := &use{spoken: *e, program: r.comm[e.PID], asked: map[string]bool{}}
		if slices.Contains(walkers, e.Role) {
			u.paths = []spoken{*e}
		}
		r.stacks[e.TID] = append(stack, u)
		return
	}
	if e.Phase == "exit" {
		for i := len(stack) - 1; i >= 0; i-- {
			if stack[i].ID == e.Call {
				r.ended(stack[i], e)
				r.stacks[e.TID] = stack[:i]
				return
			}
		}
	}
	if n := len(stack); n > 0 {
		r.within(stack[n-1], e)
	}
}

// within takes an event in a call. A name that a walk did not bring, and no lookup asked for
// before, is no component.
func (r *reckoner) within(u *use, e *spoken) {
	r.around[e.ID] = u.ID
	switch {
	case strings.HasPrefix(e.Role, "lookup") && e.Phase == "enter":
		u.asked[e.NameAddr] = true
		u.slow = u.slow || e.Role != "lookup_rcu"
	case e.Role == "alloc" && e.Phase == "enter":
		if u.asked[e.NameAddr] || u.holds(e.NameAddr) {
			u.alloc = true
			r.missed[e.Name]++
		}
	}
}

// holds reports whether a name lies in a path of the call.
func (u *use) holds(addr string) bool {
	at, err := strconv.ParseUint(addr, 0, 64)
	return err == nil && slices.ContainsFunc(u.paths, func(p spoken) bool {
		from, err := strconv.ParseUint(p.NameAddr, 0, 64)
		return err == nil && at-from < p.Len
	})
}

func (r *reckoner) ended(u *use, e *spoken) {
	r.calls++
	r.programs[u.program]++
	r.took[u.ID] = e.TimeNs - u.TimeNs
	r.slowest = append(r.slowest, u.ID)
	if e.Errno != "" {
		r.failed++
		r.errnos[e.Errno]++
		path := ""
		if len(u.paths) > 0 {
			path = u.paths[0].Name
		}
		r.failures[e.Errno+" "+path]++
	}
	switch {
	case u.alloc:
		r.miss++
	case u.slow:
		r.ref++
	default:
		r.rcu++
	}
}
