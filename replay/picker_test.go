// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"io"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// looped is a source that returns the same events again and again.
type looped struct {
	events []schema.Event
	left   int
	id     uint64
	e      schema.Event
}

func (l *looped) Header() *schema.Header { return tracetest.Header() }

func (l *looped) Next() (schema.Record, error) {
	if l.left--; l.left < 0 {
		return nil, io.EOF
	}
	l.e = l.events[int(l.id)%len(l.events)]
	l.id++
	l.e.ID, l.e.Time, l.e.PID, l.e.TID, l.e.Comm = l.id, l.id*1000, 7, 7, "p"
	l.e.Columns = l.e.Role.Shape(l.e.Phase).Columns
	return &l.e, nil
}

// Nothing is remembered of calls that are over, not even of those without a path, which are not handed out.
func TestAPickerForgetsCalls(t *testing.T) {
	for _, events := range [][]schema.Event{
		{{Role: schema.RoleUtimes, Phase: schema.Enter}, {Role: schema.RoleUtimes, Phase: schema.Exit}},
		{opening("f", 0), {Role: schema.RoleOpen, Phase: schema.Exit, Dentry: ownAt, Inode: 5, Name: "f"}},
	} {
		p := Pick(&looped{events: events, left: 1000}, &Filter{PIDs: []uint32{7}})
		for {
			if _, err := p.Next(); err != nil {
				break
			}
			if n := len(p.picked); n > 2 {
				t.Fatalf("%s: %d calls are remembered", events[0].Role.Label(), n)
			}
		}
	}
}
