// SPDX-License-Identifier: Apache-2.0

package test

import (
	"cmp"
	"slices"
	"strings"
)

// operationOf is the operation of each role that begins a path call. Walkers are the roles whose events
// have a path.
var (
	operationOf = map[string]string{"open": "open", "walk": "walk", "walk_parent": "walk", "stat": "stat", "access": "access",
		"readlink": "readlink", "chdir": "chdir", "execve": "exec", "mkdir": "mkdir", "mknod": "mknod", "unlinkat": "unlink", "rmdir": "rmdir",
		"rename": "rename", "link": "link", "symlink": "symlink", "mount": "mount", "chmod": "chmod", "fchmodat": "chmod", "chown": "chown", "utimes": "utimes",
		"statfs": "statfs", "truncate": "truncate", "execveat": "exec", "getxattr": "getxattr", "setxattr": "setxattr", "listxattr": "listxattr",
		"removexattr": "removexattr"}
	walkers = []string{"open", "walk", "walk_parent"}
)

// use is a path call as this test reconstructs it.
type use struct {
	replayEvent
	program     string
	paths       []replayEvent // the entry events of its walks
	slow, alloc bool
	parts       []part
	restarts    int
	lookupID    uint64 // id of the d_lookup in progress
	resolved    string // the path that it resolved to
	outer       uint64 // id of the call that it is within
	took        uint64 // ns
}

// path returns the path that the call was given, the first one of two.
func (u *use) path() string {
	if len(u.paths) > 0 {
		return u.paths[0].Name
	}
	return ""
}

// ownsWalk reports whether a walk belongs to this call.
func (u *use) ownsWalk(e *replayEvent) bool {
	if slices.Contains(walkers, u.Role) || e.Role == "open" && (!strings.HasPrefix(u.Role, "execve") || len(u.paths) > 0) {
		return false
	}
	again := slices.ContainsFunc(u.paths, func(p replayEvent) bool { return p.NameAddr == e.NameAddr && p.Name == e.Name })
	return again || len(u.paths) < 2
}

// summaryBuilder reconstructs the path calls of a trace, with a stack of them for each thread.
type summaryBuilder struct {
	computedSummary
	places dentryPaths
	stacks map[uint32][]*use
	comm   map[uint32]string
	took   map[uint64]uint64
}

// computeSummary counts path calls and classifies each by the events between its entry and its exit.
func computeSummary(events []replayEvent) computedSummary {
	r := summaryBuilder{stacks: map[uint32][]*use{}, comm: map[uint32]string{}, took: map[uint64]uint64{},
		places: dentryPaths{map[string]string{}, map[string]string{}, map[string]string{}, map[string]bool{}}}
	r.computedSummary = computedSummary{births: map[string]uint64{}, errnos: map[string]uint64{}, failures: map[string]uint64{}, missed: map[string]uint64{}, paths: map[string]uint64{},
		programs: map[string]*programRow{}, processes: map[uint32]*process{}, around: map[uint64]uint64{}, findings: newFindingCounts()}
	empty := newNegativeDentries()
	for i := range events {
		r.task(&events[i])
		r.places.update(&events[i])
		r.event(&events[i])
		empty.event(&r, &events[i])
	}
	slices.SortStableFunc(r.slowest, func(a, b uint64) int { return cmp.Or(cmp.Compare(r.took[b], r.took[a])) })
	empty.end(&r)
	return r.computedSummary
}

// task tracks the names of processes, and what they execute.
func (r *summaryBuilder) task(e *replayEvent) {
	p := r.processes[e.PID]
	if p == nil {
		p = &process{}
		r.processes[e.PID] = p
	}
	if p.led = p.led || e.TID == e.PID; e.TID == e.PID || !p.led {
		r.comm[e.PID] = e.Comm
		if !slices.Contains(p.programs, e.Comm) {
			p.programs = append(p.programs, e.Comm)
		}
	}
	p.does = p.does || !slices.Contains([]string{"kill", "drop", "free"}, e.Role)
	switch e.Role {
	case "fork":
		r.processes[e.Child] = &process{parent: e.PID, does: true}
		delete(r.findings.failedChild, e.Child)
	case "exec":
		p.execs = append(p.execs, e.Name)
	case "exit":
		p.exited = e.ID
		r.findings.processExited(e, r.comm[e.PID], p.parent)
	}
}

func (r *summaryBuilder) event(e *replayEvent) {
	stack := r.stacks[e.TID]
	if operationOf[e.Role] != "" && e.Phase == "enter" {
		if n := len(stack); n > 0 && slices.Contains(walkers, e.Role) && stack[n-1].ownsWalk(e) {
			stack[n-1].addWalk(e)
			return
		}
		u := &use{replayEvent: *e, program: r.comm[e.PID]}
		if slices.Contains(walkers, e.Role) {
			u.addWalk(e)
		}
		r.stacks[e.TID] = append(stack, u)
		return
	}
	if e.Phase == "exit" {
		for i := len(stack) - 1; i >= 0; i-- {
			if stack[i].ID == e.Call {
				if i > 0 {
					stack[i].outer = stack[i-1].ID
				}
				r.callEnded(stack[i], e)
				r.stacks[e.TID] = stack[:i]
				return
			}
		}
	}
	if n := len(stack); n > 0 {
		r.eventInCall(stack[n-1], e)
	}
}

// addWalk adds a path to a call. A path that is walked again starts over.
func (u *use) addWalk(e *replayEvent) {
	for i, p := range u.paths {
		if p.NameAddr == e.NameAddr && p.Name == e.Name && p.Role == e.Role {
			u.restarts++
			u.parts = slices.DeleteFunc(u.parts, func(x part) bool { return x.route == i })
			return
		}
	}
	u.paths = append(u.paths, *e)
}

// eventInCall handles an event inside a call.
func (r *summaryBuilder) eventInCall(u *use, e *replayEvent) {
	r.around[e.ID] = u.ID
	switch lookup := strings.HasPrefix(e.Role, "lookup"); {
	case lookup && e.Phase == "enter":
		u.slow = u.slow || e.Role != "lookup_rcu"
		if e.Role != "lookup_chain" || u.lookupID == 0 {
			u.addLookup(r, e)
		}
		if e.Role == "lookup" {
			u.lookupID = e.ID
		}
	case e.Role == "alloc" && e.Phase == "enter":
		u.addLookup(r, e)
		if last := u.last(-1); last != nil && last.made && last.addr == e.NameAddr {
			u.alloc = true
			r.missed[e.Name]++
		}
	case e.Role == "walk" && e.Phase == "exit" || e.Role == "open" && e.Phase == "exit":
		if r.places.noteMount(u, e); e.Dentry != nil && u.resolved == "" {
			u.resolved = r.places.path(*e.Dentry)
		}
	case e.Role == "move" && e.Phase == "enter" && u.resolved == "":
		u.resolved = r.places.path(*e.Dentry)
	case lookup || e.Role == "alloc" || e.Role == "insert":
		if e.Call != 0 && e.Call == u.lookupID {
			u.lookupID = 0
		}
		u.setResult(e)
	}
}

func (r *summaryBuilder) callEnded(u *use, e *replayEvent) {
	if len(u.paths) == 0 && e.Errno == "" {
		return // a call on a descriptor
	}
	took := e.TimeNs - u.TimeNs
	r.took[u.ID] = took
	r.slowest = append(r.slowest, u.ID)
	p := r.programs[u.program]
	if p == nil {
		p = &programRow{Program: u.program, operations: map[string]uint64{}}
		r.programs[u.program] = p
	}
	for _, row := range []*programRow{p, &r.total} {
		row.add(u, e, took)
	}
	process := r.processes[u.PID]
	process.calls++
	if e.Errno != "" {
		process.failed++
		r.failed++
		r.errnos[e.Errno]++
		r.failures[e.Errno+" "+u.path()]++
	}
	if r.places.noteMount(u, e); e.Dentry != nil && slices.Contains(walkers, u.Role) {
		u.resolved = r.places.path(*e.Dentry)
	} else if n := len(u.parts); u.resolved == "" && e.Errno == "" && n > 0 {
		u.resolved = joinPath(r.places.path(u.parts[n-1].parent), u.parts[n-1].name)
	}
	u.took = took
	r.paths[u.path()]++
	r.findings.callEnded(u, e, &r.places)
}

// add counts a call that has returned.
func (p *programRow) add(u *use, e *replayEvent, took uint64) {
	p.Calls++
	if p.operations == nil {
		p.operations = map[string]uint64{}
	}
	p.operations[operationOf[u.Role]]++
	switch {
	case u.alloc:
		p.Miss++
	case u.slow || u.restarts > 0:
		p.Ref++
	default:
		p.RCU++
	}
	if u.restarts > 0 {
		p.Restarted++
	}
	if e.Errno != "" {
		p.Failed++
	}
	if u.outer == 0 {
		p.Took += took
	}
}
