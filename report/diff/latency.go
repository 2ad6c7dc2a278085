// SPDX-License-Identifier: Apache-2.0

package diff

import (
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
	i := bucketOf(ns)
	if h.bucket[i] < math.MaxUint32 {
		h.bucket[i]++
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
	rank := uint64(math.Ceil(q * float64(h.count)))
	var seen uint64
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
	if s.Event.Entry != nil {
		d.whole |= replay.RolesOf(s.Event.Role)
		return
	}
	if s.Call == nil || s.Event.Phase != schema.Exit {
		return
	}
	if r, t := s.Event.Role, s.Call.Enter.Time; r >= 0 && r < roles && s.Event.Time >= t {
		d.of[r].add(s.Event.Time - t)
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

// The least numbers of calls on each side from which a median and a 99th percentile
// are compared.
const (
	minMedian = 20
	minP99    = 1000
)

func latencies(a, b *durations, percent float64) []Latency {
	var rows []Latency
	for r := range a.of {
		ha, hb := &a.of[r], &b.of[r]
		if ha.count == 0 && hb.count == 0 || (a.whole | b.whole).Has(schema.Role(r)) {
			continue
		}
		l := Latency{Role: schema.Role(r).Label(), A: ha.spread(), B: hb.spread()}
		n := min(ha.count, hb.count)
		l.Differs = percent > 0 && (n >= minMedian && beyond(l.A.Median, l.B.Median, percent) ||
			n >= minP99 && beyond(l.A.P99, l.B.P99, percent))
		rows = append(rows, l)
	}
	return rows
}

func (h *histogram) spread() Spread {
	return Spread{h.count, h.quantile(0.5), h.quantile(0.99)}
}

// beyond reports whether the larger value exceeds the smaller by more than percent.
func beyond(a, b uint64, percent float64) bool {
	low, high := float64(min(a, b)), float64(max(a, b))
	return high > low*(1+percent/100)
}
