// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"slices"

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
	at       uint64 // event id of its end
	status   string
}

// Bounds of what is remembered of running processes: those that had a failed call, and for each the libraries
// that it has not opened.
const (
	maxFailing = 4096
	maxSought  = 64
)

// fails records a failed call of a process; search says that it belongs to a search for libraries.
func (s *Summarizer) fails(c *replay.PathCall, search bool) {
	f := s.failed[c.PID]
	if f == nil {
		if len(s.failed) == maxFailing {
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
	if f == nil || t.Exited == 0 || t.Status == 0 || s.picked.picker != nil {
		return
	}
	x := f.last
	if n := len(f.sought); n > 0 && f.sought[n-1].end > x.end {
		x = f.sought[n-1]
	}
	if x.id == 0 || f.forgotten > x.end {
		return
	}
	s.endings = append(s.endings, failedEnd{x, f.searched > x.end, t.PID, t.Exited, t.Status.String()})
	slices.SortFunc(s.endings, func(a, b failedEnd) int { return cmp.Compare(a.at, b.at) })
	s.endings = s.endings[:min(len(s.endings), perRule)]
}

func (s *Summarizer) failedProcesses() (out []Finding) {
	for _, x := range s.endings {
		apart := ""
		if x.searched {
			apart = ", apart from searches for libraries that it opened"
		}
		out = append(out, Finding{
			What: fmt.Sprintf("%s/%d ended at #%d, %s; its last recorded failed call%s: %s of %s, %s, #%d", replay.Printable(x.program), x.pid, x.at, x.status, apart,
				x.operation, replay.Printable(x.path), schema.ErrnoName(x.errno), x.id),
			Command: []string{"show", "FILE", fmt.Sprint(x.pid)},
		})
	}
	return out
}
