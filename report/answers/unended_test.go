// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// cut is a source that ends after some events, as a file that was cut does.
type cut struct {
	replay.Source
	events int
	said   bool
}

func (c *cut) Next() (schema.Record, error) {
	if c.events == 0 {
		if c.said {
			return nil, io.EOF
		}
		c.said = true
		return &schema.Damage{Cut: true}, nil
	}
	rec, err := c.Source.Next()
	if _, ok := rec.(*schema.Event); ok {
		c.events--
	}
	return rec, err
}

// A call in progress when the trace ended has not ended, took at least the time until then, and counts for its
// process as it does for all.
func TestCallsThatNeverReturned(t *testing.T) {
	const file = "../../test/git.pb"
	whole := make(map[uint64]*replay.PathCall)
	for c, err := range replay.Calls(tracetest.Open(t, file)) {
		if err != nil {
			t.Fatal(err)
		}
		whole[c.ID] = c
	}
	first, last := spanOf(t, file)
	sources := map[string]func() replay.Source{"lost": func() replay.Source {
		return &gapped{Source: tracetest.Open(t, file), lose: in(first+(last-first)/3, first+(last-first)/2)}
	}}
	for _, n := range []int{100, 1003, 4017, 9001} {
		sources[fmt.Sprint("cut after ", n)] = func() replay.Source { return &cut{Source: tracetest.Open(t, file), events: n} }
	}
	timed := 0
	for name, open := range sources {
		calls, counted, id := uint64(0), uint64(0), uint64(0)
		for c, err := range replay.Calls(open()) {
			if err != nil {
				t.Fatal(err)
			}
			if calls++; c.End == 0 && c.Took > 0 {
				if timed++; whole[c.ID].Took < c.Took {
					t.Errorf("%s: #%d is said not to have ended after %d ns, it took %d", name, c.ID, c.Took, whole[c.ID].Took)
				}
				id = c.ID
			}
		}
		for k, err := range replay.Tasks(open()) {
			if err != nil {
				t.Fatal(err)
			}
			counted += k.Calls
		}
		sum, err := Summarize(open())
		if err != nil || calls != counted || calls != sum.Total.Calls {
			t.Errorf("%s: %d calls, of tasks %d, of the summary %d, %v", name, calls, counted, sum.Total.Calls, err)
		}
		if id != 0 {
			shown, err := Show(open(), Target{event: id})
			var out strings.Builder
			if err != nil || shown.WriteText(&out) != nil || strings.Contains(out.String(), " 0 ns") || !strings.Contains(out.String(), "and not ended") {
				t.Errorf("%s: #%d: %v\n%s", name, id, err, out.String())
			}
		}
	}
	if timed == 0 {
		t.Error("no call was in progress")
	}
}
