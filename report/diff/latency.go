// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// histogram counts durations in buckets of at most 1/16 of their value.
type histogram struct {
	count  uint64
	bucket [64 * 16]uint32
}

func (h *histogram) add(ns uint64) {
	h.count++
	if n := &h.bucket[bucketOf(ns)]; *n < math.MaxUint32 {
		*n++
	}
}

// bucketOf returns the bucket of a duration: exact below 16 ns.
func bucketOf(ns uint64) int {
	if ns < 16 {
		return int(ns)
	}
	exp := bits.Len64(ns) - 5
	return exp*16 + int(ns>>exp)
}

// middleOf returns the duration in the middle of a bucket, nanoseconds.
func middleOf(i int) uint64 {
	if i < 16 {
		return uint64(i)
	}
	exp := i/16 - 1
	return uint64(i%16+16)<<exp + 1<<exp/2
}

// quantile returns the duration that a share q of all does not exceed, nanoseconds.
func (h *histogram) quantile(q float64) uint64 {
	rank, seen := uint64(math.Ceil(q*float64(h.count))), uint64(0)
	for i, n := range h.bucket {
		if seen += uint64(n); seen >= rank && n > 0 {
			return middleOf(i)
		}
	}
	return 0
}

// durations is how long the calls of each role took.
type durations struct {
	of    [roles]histogram
	whole replay.Roles // of these nobody has seen when the calls were entered
}

// measure takes the time of a call that ends.
func (d *durations) measure(s *replay.Step) {
	switch e := s.Event; {
	case e.Entry != nil:
		d.whole |= replay.RolesOf(e.Role)
	case s.Call != nil && e.Phase == schema.Exit && e.Role >= 0 && e.Role < roles && e.Time >= s.Call.Enter.Time:
		d.of[e.Role].add(e.Time - s.Call.Enter.Time)
	}
}

// Latency is how long the calls of one role took in the two runs.
type Latency struct {
	Role    string `json:"role"`
	A       Spread `json:"a"`
	B       Spread `json:"b"`
	Differs bool   `json:"differs"` // beyond the threshold of Options.Latency
}

// Spread is what is said of durations, nanoseconds.
type Spread struct {
	Count  uint64 `json:"calls"`
	Median uint64 `json:"median_ns"`
	P99    uint64 `json:"p99_ns"`
}

func (s Spread) String() string { return fmt.Sprintf("%d × %d, %d", s.Count, s.Median, s.P99) }

// The least numbers of calls on each side from which a median and a 99th percentile
// are compared.
const (
	minMedian = 20
	minP99    = 1000
)

func latencies(a, b *durations, percent float64) (rows []Latency) {
	beyond := func(x, y uint64) bool {
		return percent > 0 && float64(max(x, y)) > float64(min(x, y))*(1+percent/100)
	}
	for r := range a.of {
		ha, hb := &a.of[r], &b.of[r]
		if ha.count == 0 && hb.count == 0 || (a.whole | b.whole).Has(schema.Role(r)) {
			continue
		}
		l := Latency{Role: schema.Role(r).Label(), A: ha.spread(), B: hb.spread()}
		n := min(ha.count, hb.count)
		l.Differs = n >= minMedian && beyond(l.A.Median, l.B.Median) || n >= minP99 && beyond(l.A.P99, l.B.P99)
		rows = append(rows, l)
	}
	return rows
}

func (h *histogram) spread() Spread {
	return Spread{h.count, h.quantile(0.5), h.quantile(0.99)}
}
