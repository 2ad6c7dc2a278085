// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// failedCall is a failed call of a process.
type failedCall struct {
	id, end                  uint64 // event ids of its entry and its return
	operation, path, program string
	errno                    int
}

// failures holds what a running process has failed at last. A search for a library that it then opened is
// no failure.
type failures struct {
	last      failedCall   // the last failed call that was no search for a library
	sought    []failedCall // for each library not opened since: the last call that looked for it; in their order
	searched  uint64       // return of the last failed call of a search for libraries
	forgotten uint64       // return of the last call for which sought had no room
}

// failedEnd is a process that ended with a non-zero exit code or by a signal, together with its last failed
// call.
type failedEnd struct {
	failedCall
	searched bool // calls of searches for libraries failed after it
	pid      uint32
	parent   uint32
	at       uint64 // event id of its end
	forked   uint64 // event id of its fork; 0: not in the trace
	first    uint64 // event id of its own first event
	status   string
}

// Bounds of what is remembered: running processes that had a failed call, for each the libraries that it has
// not opened, and the processes that ended badly which the last sentence about them names.
const (
	maxFailing = 4096
	maxSought  = 64
	maxNamed   = 4
)

// fails records a failed call of a process; search says that it belongs to a search for libraries.
func (s *Summarizer) fails(c *replay.PathCall, search bool) {
	f := s.failed[c.PID]
	if f == nil {
		if len(s.failed) == maxFailing {
			s.failedLeft = true
			return
		}
		f = new(failures)
		s.failed[c.PID] = f
	}
	call := failedCall{c.ID, c.End, c.Operation, c.Path, c.Program, c.Errno}
	if !search {
		f.last = call
		return
	}
	f.searched = c.End
	name := baseOf(c.Path)
	if !isLibrary(name) {
		return // a directory that was searched
	}
	f.opened(name)
	if len(f.sought) == maxSought {
		f.forgotten = f.sought[0].end
		f.sought = slices.Delete(f.sought, 0, 1)
	}
	f.sought = append(f.sought, call)
}

// opened removes a library from those that the process has not opened.
func (f *failures) opened(name string) {
	f.sought = slices.DeleteFunc(f.sought, func(c failedCall) bool { return baseOf(c.path) == name })
}

// ended records a process that ended badly. It must run after the last call of the process has been
// reported.
func (s *Summarizer) ended(t *replay.Task) {
	f := s.failed[t.PID]
	delete(s.failed, t.PID)
	if t.Exited == 0 || t.Status == 0 || s.picked.picker != nil {
		return
	}
	end := failedEnd{pid: t.PID, parent: t.Parent, at: t.Exited, forked: t.Forked, first: t.First, status: t.Status.String()}
	end.program = t.Program
	if t.Forked != 0 && len(s.children) < maxFailing {
		s.children = append(s.children, end)
	}
	if f == nil {
		return
	}
	x := f.last
	if n := len(f.sought); n > 0 && f.sought[n-1].end > x.end {
		x = f.sought[n-1]
	}
	if x.id == 0 || f.forgotten > x.end {
		return
	}
	s.endedBadly++
	end.failedCall, end.searched = x, f.searched > x.end
	s.endings = append(s.endings, end)
	slices.SortFunc(s.endings, func(a, b failedEnd) int { return cmp.Compare(a.at, b.at) })
	s.endings = s.endings[:min(len(s.endings), perRule+maxNamed)]
}

func (s *Summarizer) failedProcesses() (out []Finding) {
	shown := min(len(s.endings), perRule)
	for _, x := range s.endings[:shown] {
		apart := ""
		if x.searched {
			apart = ", apart from searches for libraries that it opened"
		}
		out = append(out, Finding{
			What:    fmt.Sprintf("%s/%d ended at #%d, %s%s; its last recorded failed call%s: %s", replay.Printable(x.program), x.pid, x.at, x.status, s.afterChild(&x), apart, x.failedCall),
			Command: []string{"show", "FILE", fmt.Sprint(x.pid)},
		})
	}
	if shown == len(s.endings) {
		return out
	}
	var names []string
	for _, x := range s.endings[shown:] {
		names = append(names, fmt.Sprintf("%s/%d (%s)", replay.Printable(x.program), x.pid, x.failedCall))
	}
	if s.endedBadly > uint64(len(s.endings)) {
		names = append(names, "…")
	}
	least := ""
	if s.failedLeft {
		least = "at least "
	}
	return append(out, Finding{
		What:    least + fmt.Sprintf("%s ended so later: %s", plural.Of(s.endedBadly-uint64(shown), "more process"), strings.Join(names, ", ")),
		Command: []string{"info", "--tasks", "FILE"},
	})
}

// afterChild names the last child of a process that ended badly before it did, empty if there is none or not
// all were remembered. A child was made after the first event of its parent: another process may have had the
// parent's pid before.
func (s *Summarizer) afterChild(x *failedEnd) string {
	var last failedEnd
	for _, c := range s.children {
		if c.parent == x.pid && c.forked > x.first && c.at < x.at && c.at > last.at {
			last = c
		}
	}
	if last.at == 0 || len(s.children) == maxFailing {
		return ""
	}
	return fmt.Sprintf(", after its child %s/%d at #%d, %s", replay.Printable(last.program), last.pid, last.at, last.status)
}

// String says what the call was of, and how it failed.
func (c failedCall) String() string {
	return fmt.Sprintf("%s of %s, %s, #%d", c.operation, replay.Printable(c.path), schema.ErrnoName(c.errno), c.id)
}
