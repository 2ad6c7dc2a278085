// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// last describes the most recent failed call of a process.
type last struct {
	id                       uint64
	operation, path, program string
	errno                    int
}

// failedEnd is a process that ended with a non-zero exit code or by a signal, together with its last failed
// call.
type failedEnd struct {
	last
	pid    uint32
	at     uint64 // event id of its end
	status string
}

// maxFailing bounds the number of running processes whose last failed call is remembered.
const maxFailing = 4096

// fails records a failed call as the last one of its process.
func (s *Summarizer) fails(c *replay.PathCall) {
	if _, known := s.failed[c.PID]; known || len(s.failed) < maxFailing {
		s.failed[c.PID] = last{c.ID, c.Operation, c.Path, c.Program, c.Errno}
	}
}

// ended records a process that ended badly. It must run after the last call of the process has been
// reported.
func (s *Summarizer) ended(t *replay.Task) {
	x, failed := s.failed[t.PID]
	delete(s.failed, t.PID)
	if !failed || t.Exited == 0 || t.Status == 0 || s.picked.picker != nil {
		return
	}
	s.endings = append(s.endings, failedEnd{x, t.PID, t.Exited, t.Status.String()})
	slices.SortFunc(s.endings, func(a, b failedEnd) int { return cmp.Compare(a.at, b.at) })
	s.endings = s.endings[:min(len(s.endings), perRule)]
}

func (s *Summarizer) failedProcesses() (out []Finding) {
	for _, x := range s.endings {
		out = append(out, Finding{
			What: fmt.Sprintf("%s/%d ended at #%d, %s; the last of its calls that failed: %s of %s, %s, #%d", replay.Printable(x.program), x.pid, x.at, x.status,
				x.operation, replay.Printable(x.path), schema.ErrnoName(x.errno), x.id),
			Command: []string{"show", "FILE", fmt.Sprint(x.pid)},
		})
	}
	return out
}
