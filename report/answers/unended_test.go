// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"io"
	"slices"
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

// A call that hangs is the slowest one, and is said not to have returned. One whose return was lost at once is
// not timed.
func TestCallThatHangs(t *testing.T) {
	s := NewSummarizer(tracetest.Header())
	for i := range uint64(someCalls) {
		s.call(&replay.PathCall{ID: 2*i + 1, End: 2*i + 2, Operation: "stat", Path: "/etc/hosts", Program: "cat", Took: 20_000})
	}
	s.call(&replay.PathCall{ID: 100, Operation: "open", Path: "/mnt/nfs/a", Program: "cat", Took: 12_300_000_000})
	s.call(&replay.PathCall{ID: 101, Operation: "open", Path: "/mnt/nfs/b", Program: "dog"})
	sum := s.End()
	var found []string
	for _, f := range sum.Findings {
		found = append(found, f.What)
	}
	if want := []string{"open of /mnt/nfs/a by cat had not returned after 12.3 s"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	var text strings.Builder
	if err := sum.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 calls without a known return\n", " ≥ 12.3 s  #100  open /mnt/nfs/a by cat; it had not returned by then\n", " ≥ 12.3 s  ≥ 12.3 s  #100  cat: stat 10, open 1\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "/mnt/nfs/b") {
		t.Errorf("a call that is not timed is among the slowest:\n%s", text.String())
	}
}
