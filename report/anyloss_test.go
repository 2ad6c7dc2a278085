// SPDX-License-Identifier: Apache-2.0

package report

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dtrec/dtrec/schema"
	"github.com/dtrec/dtrec/schema/tracetest"
)

// Whatever a loss record contains: with it no claim is proven that is not proven without it, and no claim
// is proven whose window the loss touches.
func TestNoLossRecordProvesAnything(t *testing.T) {
	traces := wholeTraces(t)
	for _, file := range tracetest.FileNames(t, "testdata/contradictions/*.pb", "../test/cases/nameless.pb") {
		traces[filepath.Base(file)] = inMemory(t, file)
	}
	for name, whole := range traces {
		seed := rand.Uint64()
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			want := certain(t, whole)
			proven := 0
			for range max(24, 30_000/len(whole.records)) {
				l, at := anyLoss(rng, whole), rng.IntN(len(whole.records))
				poor := &memory{header: whole.header, records: slices.Insert(slices.Clone(whole.records), at, schema.Record(l))}
				for key, cl := range certain(t, noFooter(poor)) {
					if cl.Verdict != Proven {
						continue
					}
					proven++
					if w, ok := want[key]; !ok || w.Verdict != Proven {
						t.Fatalf("seed %d: %s is proven with %v before record %d", seed, key, l, at)
					}
					if touches(l, poor, &cl) {
						t.Fatalf("seed %d: %s is proven across %v", seed, key, l)
					}
				}
			}
			if t.Logf("%d proven", proven); proven == 0 {
				t.Error("nothing is proven")
			}
		})
	}
}

// noFooter removes the footer, whose count of losses would no longer be right.
func noFooter(m *memory) *memory {
	m.records = slices.DeleteFunc(m.records, func(r schema.Record) bool { _, ok := r.(*schema.Footer); return ok })
	return m
}

// anyLoss returns a random loss record with anything that a file can hold.
func anyLoss(rng *rand.Rand, m *memory) *schema.Loss {
	when := func() uint64 {
		switch rng.IntN(12) {
		case 0:
			return 0
		case 1:
			return math.MaxUint64
		case 2:
			return rng.Uint64()
		}
		for {
			if e, ok := m.records[rng.IntN(len(m.records))].(*schema.Event); ok {
				return e.Time
			}
		}
	}
	l := &schema.Loss{Cause: schema.LossCause(rng.IntN(10) - 1), Role: schema.Role(rng.IntN(24) - 1), FirstNs: when(),
		Count: []uint64{0, 1, 7, math.MaxUint64}[rng.IntN(4)]}
	if l.LastNs = when(); rng.IntN(3) == 0 {
		l.LastNs = l.FirstNs
	}
	return l
}

// touches reports whether the window of a loss that can be of any role covers operands of a claim that
// rests on more than one event. A loss record may come after events of the time at which its window begins,
// and is then about what happened after them.
func touches(l *schema.Loss, m *memory, cl *Claim) bool {
	switch {
	case l.Cause == schema.LossCause_LOSS_CAUSE_UNREADABLE_NAME, l.Cause == schema.LossCause_LOSS_CAUSE_UNWATCHED,
		cl.Kind == Hash, cl.Kind == Bucket, cl.Kind == Storage:
		return false
	}
	if _, known := l.Role.Info(); known {
		return false
	}
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, term := range append(slices.Clone(cl.Terms), cl.Left, cl.Right) {
		if term.Event != 0 {
			at := m.event(term.Event).Time
			first, last = min(first, at), max(last, at)
		}
	}
	return first <= last && min(l.FirstNs, l.LastNs) < last && first <= max(l.FirstNs, l.LastNs)
}
