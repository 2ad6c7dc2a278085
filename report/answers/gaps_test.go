// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// gapped is a source in which a part of another is missing, and which says so as a recording does.
type gapped struct {
	replay.Source
	lose func(*schema.Event) *schema.Loss // for an event to be lost: the loss record that stands for the first of them
	told bool
}

func (g *gapped) Next() (schema.Record, error) {
	for {
		rec, err := g.Source.Next()
		e, ok := rec.(*schema.Event)
		if err != nil || !ok {
			return rec, err
		}
		loss := g.lose(e)
		if loss == nil {
			return rec, nil
		}
		if !g.told {
			g.told = true
			return loss, nil
		}
	}
}

// in returns a function that loses the events between two moments.
func in(first, last uint64) func(*schema.Event) *schema.Loss {
	return func(e *schema.Event) *schema.Loss {
		if e.Time < first || e.Time > last {
			return nil
		}
		return &schema.Loss{Cause: schema.LossRingBuffer, Count: 1, FirstNs: first, LastNs: last}
	}
}

// unwatched returns a function that marks the dentries at every third address as the recorder does when the watch
// set is full, and loses their ends.
func unwatched(e *schema.Event) *schema.Loss {
	if e.Dentry/64%3 != 0 {
		return nil
	}
	if e.Facts |= schema.FactUnwatched; e.Role != schema.RoleKill && e.Role != schema.RoleFree {
		return nil
	}
	return &schema.Loss{Cause: schema.LossUnwatched, Count: 1, FirstNs: 1, LastNs: 1}
}

// left holds what a source says that was still there when it ended, and what calls left.
type left struct {
	negatives []uint64 // ids of the events that showed them first
	addresses []uint64 // of dentries
	kept      map[uint64]int
	unsure    int
}

func leftBy(t *testing.T, src replay.Source) left {
	t.Helper()
	l, m := left{kept: make(map[uint64]int)}, replay.NewModel(src.Header())
	m.Negative = func(n *replay.Negative) {
		if n.Fate == replay.FateAlive {
			l.negatives = append(l.negatives, n.Born)
		}
	}
	m.Object = func(d *replay.Object) {
		if d.End() == "alive" {
			l.addresses = append(l.addresses, d.Addr)
		}
	}
	m.Call = func(c *replay.PathCall) {
		if l.kept[c.ID] = c.Negatives; c.Unsure {
			l.kept[c.ID] = -1
			l.unsure++
		}
	}
	if err := replay.Read(src, func(rec schema.Record) { m.Record(rec) }); err != nil {
		t.Fatal(err)
	}
	m.End()
	return l
}

// What a trace with a gap says to be left was left, and no count of it is said to be of all that happened.
func TestGapsLeaveNothingAlive(t *testing.T) {
	const file = "../../test/git.pb"
	whole := leftBy(t, tracetest.Open(t, file))
	if len(whole.negatives) == 0 || whole.unsure > 0 {
		t.Fatalf("%d negatives left, %d calls unsure", len(whole.negatives), whole.unsure)
	}
	first, last := spanOf(t, file)
	gaps := map[string]func(*schema.Event) *schema.Loss{"watch set full": unwatched}
	for _, p := range [][2]uint64{{1, 2}, {5, 6}, {3, 4}} {
		gaps["lost from "+strings.Repeat("x", int(p[0]))] = in(first+(last-first)/10*p[0], first+(last-first)/10*p[1])
	}
	unsure := 0
	for name, lose := range gaps {
		open := func() replay.Source { return &gapped{Source: tracetest.Open(t, file), lose: lose} }
		got := leftBy(t, open())
		for _, id := range got.negatives {
			if !slices.Contains(whole.negatives, id) {
				t.Errorf("%s: the negative dentry of #%d is said to be left", name, id)
			}
		}
		for _, addr := range got.addresses {
			if !slices.Contains(whole.addresses, addr) {
				t.Errorf("%s: the dentry at %#x is said to be alive", name, addr)
			}
		}
		for id, kept := range got.kept {
			if kept >= 0 && kept != whole.kept[id] {
				t.Errorf("%s: call #%d is said to have left %d, not %d", name, id, kept, whole.kept[id])
			}
		}
		if len(got.negatives) == 0 && name == "watch set full" {
			t.Errorf("%s: nothing left", name)
		}
		unsure += got.unsure
		caveats(t, name, open)
	}
	if unsure == 0 {
		t.Error("what each call left is said to be known")
	}
}

// caveats fails unless the summary and the tops of a source with a gap say that they are of what was recorded.
func caveats(t *testing.T, name string, open func() replay.Source) {
	t.Helper()
	var out strings.Builder
	sum, err := Summarize(open())
	if err != nil || sum.WriteText(&out, "x.pb") != nil || !strings.Contains(out.String(), "as far as is recorded") || sum.Negatives.Unsure == 0 {
		t.Errorf("%s: %v, %+v, %.900s", name, err, sum.Negatives, out.String())
	}
	for _, of := range []string{"calls", "allocs", "negatives", "left"} {
		out.Reset()
		top, err := TopOf(open(), of, "path", 5)
		if err != nil || top.WriteText(&out) != nil {
			t.Fatal(err)
		}
		exact := name == "watch set full" && (of == "calls" || of == "allocs") // these need no watch
		if strings.Contains(out.String(), "exact") != exact || exact != (top.Doubts == nil) {
			t.Errorf("%s: %s: %.300s", name, of, out.String())
		}
	}
}

// spanOf returns the times of the first and the last event of a trace.
func spanOf(t *testing.T, file string) (first, last uint64) {
	t.Helper()
	info, err := replay.ReadInfo(tracetest.Open(t, file))
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return info.First, info.Last
}
