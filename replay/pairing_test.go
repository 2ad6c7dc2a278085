// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Whatever a trace loses, as long as loss records say so, nothing in the rest is joined wrongly: every exit
// is paired with its own entry or with none, and an event is in the open that it was in.
func TestAfterALossNothingIsJoinedThatDoesNotBelongTogether(t *testing.T) {
	for name, whole := range complete(t) {
		for _, told := range []bool{true, false} {
			seed := rand.Uint64()
			t.Run(name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				want := whole.joined()
				kept, all := 0, 0
				for range 12 {
					poor := whole.spoil(rng, told)
					for id, got := range poor.joined() {
						w := want[id]
						if got.entry != 0 && got.entry != w.entry || got.open != 0 && got.open != w.open ||
							got.outer != 0 && got.outer != w.outer || got.depth > w.depth {
							t.Fatalf("seed %d: #%d is joined %+v, it was %+v", seed, id, got, w)
						}
						if w.entry != 0 {
							all++
						}
						if got.entry != 0 {
							kept++
						}
					}
				}
				if t.Logf("%d of %d exits keep their entry", kept, all); kept < all/4 {
					t.Error("hardly any exit keeps its entry")
				}
			})
		}
	}
}

// recording is a trace in memory.
type recording struct {
	header  *schema.Header
	records []schema.Record
}

// join is what an event is joined with; 0: nothing.
type join struct {
	entry, open, outer uint64
	depth              int
}

func (r *recording) joined() map[uint64]join {
	out := make(map[uint64]join)
	s := New(r.header)
	for _, rec := range r.records {
		switch rec := rec.(type) {
		case *schema.Loss:
			s.Loss(rec)
		case *schema.Event:
			step := s.Event(rec)
			j := join{depth: step.Depth}
			if step.Call != nil && rec.Phase == schema.Exit {
				j.entry = step.Call.Enter.ID
			}
			if step.Open != nil {
				j.open = step.Open.Enter.ID
				if step.Open.Outer != nil {
					j.outer = step.Open.Outer.Enter.ID
				}
			}
			out[rec.ID] = j
		}
	}
	return out
}

// spoil drops events, in bursts of all kinds and of one role, and adds loss records for them. told means
// that exits say when their entry was, as recorded by dtrec: an entry that found no room in the buffer was
// counted by the recorder, a missed hit was not.
func (r *recording) spoil(rng *rand.Rand, told bool) *recording {
	out := &recording{header: r.header}
	stacks := make(map[[2]uint64][]uint64)
	var burst, missed bool
	var only schema.Role
	for _, rec := range r.records {
		e := *rec.(*schema.Event)
		if rng.IntN(40) == 0 {
			burst, missed, only = !burst, rng.IntN(2) == 0, schema.Role(rng.IntN(int(schema.RoleUnlink)+1))
		}
		lost := burst && (only == 0 || only == e.Role) && rng.IntN(3) > 0
		key := [2]uint64{uint64(e.TID), uint64(e.Role)}
		stack := stacks[key]
		e.Entered = 0
		switch {
		case !tookRoles.Has(e.Role) || lost && missed:
		case e.Phase == schema.Enter:
			stacks[key] = append(stack, e.Time)
		case len(stack) > 0:
			e.Entered, stacks[key] = stack[len(stack)-1], stack[:len(stack)-1]
		}
		if !told {
			e.Entered = 0
			e.Columns &^= 1 << schema.ColumnTook
		} else if e.Phase == schema.Exit && tookRoles.Has(e.Role) {
			e.Columns = e.Columns.With(schema.ColumnTook)
		}
		if !lost {
			out.records = append(out.records, &e)
			continue
		}
		l := &schema.Loss{Role: e.Role, Count: 1, FirstNs: e.Time, LastNs: e.Time, Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER}
		if missed {
			l.Cause = schema.LossCause_LOSS_CAUSE_MISSED
		}
		if rng.IntN(4) == 0 {
			l.LastNs += rng.Uint64N(50_000)
		}
		out.records = append(out.records, l)
	}
	return out
}

// complete returns traces that lack nothing: recordings of real kernels, and a simulated one with opens
// inside opens.
func complete(t *testing.T) map[string]*recording {
	out := map[string]*recording{"nested": nested()}
	files, err := filepath.Glob("../traces/*.pb")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../test/random/run.pb") {
		r := tracetest.Open(t, file)
		rec := &recording{header: r.Header()}
		for len(rec.records) < 20_000 {
			next, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if e, ok := next.(*schema.Event); ok {
				rec.records = append(rec.records, e.Clone())
			}
		}
		out[filepath.Base(file)] = rec
	}
	return out
}

// nested returns a recording of threads that nest calls of all roles at random.
func nested() *recording {
	rng := rand.New(rand.NewPCG(7, 7))
	r := &recording{header: tracetest.Header()}
	roles := []schema.Role{schema.RoleOpen, schema.RoleOpen, schema.RoleLookup, schema.RoleLookupRCU, schema.RoleAlloc,
		schema.RoleMove, schema.RoleDelete, schema.RoleEvict}
	stacks := make([][]schema.Role, 3)
	for id := uint64(1); id <= 20_000; id++ {
		tid := rng.IntN(len(stacks))
		e := &schema.Event{ID: id, Time: id * 1000, PID: 1, TID: uint32(tid + 1), Phase: schema.Enter}
		if stack := stacks[tid]; len(stack) > rng.IntN(6) {
			e.Phase, e.Role = schema.Exit, stack[len(stack)-1]
			stacks[tid] = stack[:len(stack)-1]
		} else {
			e.Role = roles[rng.IntN(len(roles))]
			stacks[tid] = append(stack, e.Role)
		}
		r.records = append(r.records, e)
	}
	return r
}

// A loss record is taken for the worst that it may mean.
func TestNoLossHidesItself(t *testing.T) {
	all := ^Roles(0)
	for _, tt := range []struct {
		name        string
		loss        *schema.Loss
		first, last uint64
	}{
		{"its window ends before it begins", &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 1, FirstNs: 900, LastNs: 100}, 100, 900},
		{"it counts none", &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, FirstNs: 100, LastNs: 900}, 100, 900},
		{"of a role not known", &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_MISSED, Role: 77, Count: 1, FirstNs: 100, LastNs: 900}, 100, 900},
		{"of a role below none", &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_MISSED, Role: -1, Count: 1, FirstNs: 100, LastNs: 900}, 100, 900},
		{"of a cause not known", &schema.Loss{Cause: 77, Role: schema.RoleFork, Count: 1, FirstNs: 900, LastNs: 100}, 100, ^uint64(0)},
		{"of a cause below none", &schema.Loss{Cause: -1, Role: schema.RoleFork, Count: 1, FirstNs: 100, LastNs: 100}, 100, ^uint64(0)},
		{"to the end of time", &schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: ^uint64(0), FirstNs: ^uint64(0), LastNs: 100}, 100, ^uint64(0)},
	} {
		var l Losses
		l.addRecord(tt.loss, 50)
		l.addRecord(tt.loss, 50)
		for _, at := range []uint64{tt.first, tt.first/2 + tt.last/2, tt.last} {
			if _, hit := l.FindWindow(at, at, all); !hit {
				t.Errorf("%s: nothing is missing at %d", tt.name, at)
			}
		}
		if l.Total < tt.loss.Count || l.Recorded < tt.loss.Count {
			t.Errorf("%s: %d of twice %d lost", tt.name, l.Total, tt.loss.Count)
		}
	}
	var l Losses
	if l.addRecord(&schema.Loss{Cause: schema.LossCause_LOSS_CAUSE_RING_BUFFER, Count: 1, FirstNs: 900, LastNs: 100}, 500); !l.Late {
		t.Error("the window reaches back to what has been judged")
	}
}

// The exit of a call still says which call it ends after a loss of any role. What the call encloses is not
// known any more.
func TestAnExitKnowsItsEntryAcrossALoss(t *testing.T) {
	for _, tt := range []struct {
		cause schema.LossCause
		stray bool
	}{{schema.LossCause_LOSS_CAUSE_RING_BUFFER, false}, {schema.LossCause_LOSS_CAUSE_REBUILT, false}, {schema.LossCause_LOSS_CAUSE_MISSED, true}} {
		f := newFeed()
		f.do(1, schema.RoleOpen, schema.Enter, 0)
		f.Loss(&schema.Loss{Cause: tt.cause, Role: schema.RoleOpen, Count: 1, FirstNs: 1500, LastNs: 1600})
		if s := f.do(1, schema.RoleLookup, schema.Enter, 0); s.Open != nil || s.Depth != 0 || s.MaybeOpen == nil {
			t.Errorf("a lookup after the loss: depth %d, open %v, perhaps within %v", s.Depth, s.Open, s.MaybeOpen)
		}
		f.do(1, schema.RoleLookup, schema.Exit, 0)
		s := f.Event(&schema.Event{ID: 9, Time: 9000, PID: 1, TID: 1, Role: schema.RoleOpen, Phase: schema.Exit, Entered: 1000,
			Columns: schema.Columns(0).With(schema.ColumnTook)})
		if s.Stray != tt.stray || !s.Stray && s.Call.Enter.ID != 1 {
			t.Errorf("%s: stray %v", tt.cause.Label(), s.Stray)
		}
	}
}

// One thread cannot keep an ever growing number of calls whose exits were lost.
func TestCallsThatNeverEndAreBounded(t *testing.T) {
	f := newFeed()
	f.Loss(&schema.Loss{Cause: 99, Count: 1, FirstNs: 1, LastNs: 1})
	for range 1000 {
		f.do(1, schema.RoleOpen, schema.Enter, 0)
	}
	if n := len(f.threads[1].calls) + len(f.threads[1].pending); n > maxPending+1 {
		t.Errorf("%d calls are kept", n)
	}
	if slices.Contains(f.threads[1].pending, nil) {
		t.Error("an empty place is kept")
	}
}
