// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// A state that reuses dentries says the same of each as one that makes new ones.
func TestSpentDentries(t *testing.T) {
	taken := 0
	for name, trace := range spentTraces(t) {
		taken += sameOfEach(t, name, trace)
	}
	if taken < 100 {
		t.Errorf("%d dentries were taken", taken)
	}
}

// spentTraces returns traces in which many dentries end, by name.
func spentTraces(t *testing.T) map[string][]byte {
	t.Helper()
	traces := make(map[string][]byte)
	files, err := filepath.Glob("../traces/*.pb")
	if err != nil || len(files) == 0 {
		t.Fatal("no traces", err)
	}
	for _, file := range append(files, "../test/random/run.pb", "../test/git.pb") {
		if traces[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if traces["generated"], err = tracetest.Bytes(func(emit func(*schema.Event)) { tracetest.Generate(50000, emit) }); err != nil {
		t.Fatal(err)
	}
	return traces
}

// Under Reuse, a dentry that a call in progress has met is not overwritten until the call has returned, and
// one on which Keep was called never is. Others are reused.
func TestReusedDentriesAreOverWithTheirCalls(t *testing.T) {
	used := 0
	for name, trace := range spentTraces(t) {
		r, err := schema.NewReader(bytes.NewReader(trace), 1)
		if err != nil {
			t.Fatal(name, err)
		}
		used += reused(t, name, r)
		r.Close()
	}
	if used < 100 {
		t.Errorf("%d dentries were used again", used)
	}
}

// met is a dentry, and the number that it had when a call met it.
type met struct {
	d   *Object
	seq uint64
}

// reused returns how many dentries were reused, and checks those that the calls in progress have met.
func reused(t *testing.T, name string, src Source) (again int) {
	s, seqs, within, kept := New(src.Header()), make(map[*Object]uint64), make(map[uint64][]met), []met(nil)
	s.Reuse()
	hold := func(e *schema.Event, held []met) {
		for _, m := range held {
			if m.d.Seq != m.seq {
				t.Fatalf("%s: at #%d D%d has become D%d", name, e.ID, m.seq, m.d.Seq)
			}
		}
	}
	for {
		rec, err := src.Next()
		if err != nil {
			hold(&schema.Event{}, kept)
			return again
		}
		step := s.Record(rec)
		if step == nil {
			continue
		}
		if step.Call != nil && step.Event.Phase == schema.Exit && step.Event.Entry == nil {
			hold(step.Event, within[step.Call.Enter.ID]) // the call has ended with this event, whose dentry may be new
			delete(within, step.Call.Enter.ID)
		}
		d := step.Object
		if d == nil {
			continue
		}
		if was, known := seqs[d]; known && was != d.Seq {
			again++
		}
		if seqs[d] = d.Seq; d.Seq%16 == 0 {
			d.Keep()
			kept = append(kept, met{d, d.Seq})
		}
		s.EachInProgress(func(c *Call) {
			hold(step.Event, within[c.Enter.ID])
			within[c.Enter.ID] = append(within[c.Enter.ID], met{d, d.Seq})
		})
	}
}

// sameOfEach returns how many dentries were reused.
func sameOfEach(t *testing.T, name string, trace []byte) (taken int) {
	r, err := schema.NewReader(bytes.NewReader(trace), 1)
	if err != nil {
		return 0
	}
	defer r.Close()
	makes, takes := New(r.Header()), New(r.Header())
	takes.Objects.freeList.enabled = true
	for {
		rec, err := r.Next()
		if err != nil {
			return taken
		}
		before := takes.Objects.freeList.count
		m, s := makes.Record(rec), takes.Record(rec)
		if takes.Objects.freeList.count < before {
			taken++
		}
		if m == nil {
			continue
		}
		if (m.Object == nil) != (s.Object == nil) || m.Object != nil && alone(*m.Object) != alone(*s.Object) {
			t.Fatalf("%s: #%d is of %+v, want %+v", name, m.Event.ID, s.Object, m.Object)
		}
	}
}

// alone returns the dentry without what it points to, except for its contradiction.
func alone(d Object) Object {
	if d.older, d.younger = nil, nil; d.Contradicted != nil {
		d.Contradicted = nil
		d.HitRole = -d.HitRole - 1
	}
	return d
}
