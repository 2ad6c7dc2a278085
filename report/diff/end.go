// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// finish adds the statements about the runs as wholes. What programs met comes before what the kernels call it.
func (c *comparison) finish(o Options) {
	r, ofKernel := c.result, c.result.Differences
	r.Differences = c.differences
	c.outcomes()
	r.Differences = append(r.Differences, ofKernel...)
	for _, run := range c.runs {
		f := run.findings
		run.Programs, run.Events, run.Lost, run.Complete = len(run.order), f.Events, f.Lost, f.Footer != nil && !f.Cut
		c.doubts(run)
	}
	r.A, r.B, r.Timed = c.runs[0].Run, c.runs[1].Run, o.Latency > 0
	r.Latency = latencies(c.runs[0], c.runs[1], o.Latency)
	if c.unread > 0 {
		r.doubt("%s could not be read again", plural.Of(c.unread, "call"))
	}
	c.notes()
}

// outcomes compares the exit codes and outputs of the programs that both runs recorded. Programs of the
// same name are compared in order.
func (c *comparison) outcomes() {
	rest := c.runs[1].programs
	for _, a := range c.runs[0].programs {
		name := cmp.Or(c.runs[0].rename[a.Name], a.Name)
		i := slices.IndexFunc(rest, func(p *schema.Program) bool { return p.Name == name })
		if i < 0 {
			continue
		}
		b := rest[i]
		rest = slices.Delete(rest, i, i+1)
		var lines []Line
		if a.ExitCode != b.ExitCode {
			lines = changed(fmt.Sprintf("exit code %d", a.ExitCode), fmt.Sprintf("exit code %d", b.ExitCode))
		}
		if c.runs[0].printed(a) != c.runs[1].printed(b) && !bytes.Equal(a.Stdout, b.Stdout) {
			lines = append(lines, changed(firstUnlike(string(a.Stdout), string(b.Stdout)), firstUnlike(string(b.Stdout), string(a.Stdout)))...)
		}
		if len(lines) > 0 {
			c.result.Differences = append(c.result.Differences, &Difference{Kind: Outcome, Pair: Pair{Program: replay.Printable(name)}, Lines: lines})
		}
	}
}

// printed returns the output of a program without what varies between runs.
func (r *run) printed(p *schema.Program) string {
	text, _ := r.names.fold(string(p.Stdout), &schema.Event{PID: p.Pid, TID: p.Pid, Time: p.EndNs})
	return text
}

// firstUnlike describes the first line of an output that differs from the other output.
func firstUnlike(out, other string) string {
	lines, others := strings.Split(out, "\n"), strings.Split(other, "\n")
	for n, line := range lines {
		if n >= len(others) || line != others[n] {
			return "printed " + quote(line)
		}
	}
	return "printed nothing more"
}

// doubts adds reasons why runs without a difference found may still differ.
func (c *comparison) doubts(r *run) {
	doubt := c.result.doubt
	switch f := r.findings; {
	case f.Footer == nil:
		doubt("%s is cut: what came after its %s is not known", r.File, plural.Of(f.Events, "event"))
	case r.short():
		doubt("%s ended early (%s)", r.File, f.Footer.EndedBy)
	}
	if r.unkept > 0 {
		doubt("%s: what the last %s printed, and how they ended, was not compared", r.File, plural.Of(r.unkept, "program"))
	}
	if r.left > 0 {
		doubt("%s has more than %d calls: the last %d were not compared", r.File, uint64(maxCalls), r.left)
	}
	if r.Lost > 0 {
		doubt("%s lost %s", r.File, plural.Of(r.Lost, "event"))
	} else if r.findings.Footer != nil && slices.ContainsFunc(r.findings.Damage, func(d schema.Damage) bool { return !d.Behind }) {
		doubt("%s is damaged", r.File)
	}
}

// notes adds remarks that explain differences or their absence.
func (c *comparison) notes() {
	r, note := c.result, c.result.note
	if r.A.ID == r.B.ID && r.A.ID != "" {
		note("both files are of one run, %s", r.A.ID)
	}
	if r.A.Kernel != r.B.Kernel && r.Count() == 0 {
		note("the kernels differ: %s and %s", r.A.Kernel, r.B.Kernel)
	}
	if r.A.Command != r.B.Command {
		note("the commands differ: %s and %s", r.A.Command, r.B.Command)
	}
	headers := [2]*schema.Header{c.runs[0].in.Header(), c.runs[1].in.Header()}
	for side, run := range c.runs {
		for _, text := range unlike(headers[side], headers[1-side]) {
			note("%s %s", run.File, text)
		}
	}
	for _, k := range report.Kinds() {
		for _, r := range c.runs {
			if c.inOne.has(k.Kind) && k.Columns&^r.findings.Columns() != 0 {
				note("%s has no claim of kind %s, perhaps because its recorder did not write what the claim needs: left out", r.File, k.Name)
			}
		}
	}
	if wa, wb := attached(headers[0]), attached(headers[1]); wa != wb {
		note("the probes were attached by %s and by %s", wa, wb)
	}
	for _, old := range slices.Sorted(maps.Keys(c.runs[0].rename)) {
		note("%s of A is taken for %s of B: %s", replay.Printable(old), replay.Printable(c.runs[0].rename[old]), plural.Of(c.runs[0].renamed[old], "call"))
	}
	if r.A.Calls == 0 || r.B.Calls == 0 {
		note("a run without calls: there is nothing to compare")
	}
}

// histogram counts durations in buckets no wider than 1/16 of their value; below 32 ns they are exact.
type histogram [64 * 16]uint64

// bucketOf returns the bucket of a duration in nanoseconds.
func bucketOf(ns uint64) int {
	exp := max(bits.Len64(ns)-5, 0)
	return exp*16 + int(ns>>exp)
}

// middleOf returns the duration in the middle of a bucket, in nanoseconds.
func middleOf(i int) uint64 {
	exp := max(i/16-1, 0)
	return uint64(i-exp*16)<<exp + 1<<exp/2
}

// quantile returns the duration, in nanoseconds, that a share q of the n durations counted does not exceed.
func (h *histogram) quantile(n uint64, q float64) uint64 {
	rank := uint64(math.Ceil(q * float64(n)))
	for i, seen := 0, uint64(0); i < len(h); i++ {
		if seen += h[i]; seen >= rank && h[i] > 0 {
			return middleOf(i)
		}
	}
	return 0
}

func (h *histogram) spread() (s Spread) {
	for _, n := range h {
		s.Count += n
	}
	s.Median, s.P99 = h.quantile(s.Count, 0.5), h.quantile(s.Count, 0.99)
	return s
}

// measure counts the duration of a kernel call at its exit.
func (r *run) measure(s *replay.Step) {
	e := s.Event
	if s.Call != nil && e.Phase == schema.Exit && e.Role >= 0 && e.Role < roles && e.Time >= s.Call.Enter.Time {
		r.took[e.Role][bucketOf(e.Time-s.Call.Enter.Time)]++
	}
}

// Latency holds the durations of the calls of one role in the two runs.
type Latency struct {
	Role    string `json:"role"`
	A       Spread `json:"a"`
	B       Spread `json:"b"`
	Differs bool   `json:"differs"` // by more than Options.Latency
}

// Spread summarises durations, in nanoseconds.
type Spread struct {
	Count  uint64 `json:"calls"`
	Median uint64 `json:"median_ns"`
	P99    uint64 `json:"p99_ns"`
}

func (s Spread) String() string { return fmt.Sprintf("%d × %d, %d", s.Count, s.Median, s.P99) }

// Minimum numbers of calls on each side for comparing medians and 99th percentiles.
const (
	minMedian = 20
	minP99    = 1000
)

// latencies compares the durations of the roles whose entry and exit both runs recorded as events of their own.
func latencies(a, b *run, percent float64) (rows []Latency) {
	joined := joinedRoles(a.in.Header()) | joinedRoles(b.in.Header())
	beyond := func(x, y uint64) bool {
		return percent > 0 && float64(max(x, y)) > float64(min(x, y))*(1+percent/100)
	}
	for r := range a.took {
		l := Latency{Role: schema.Role(r).Label(), A: a.took[r].spread(), B: b.took[r].spread()}
		if l.A.Count == 0 && l.B.Count == 0 || joined.Has(schema.Role(r)) {
			continue
		}
		n := min(l.A.Count, l.B.Count)
		l.Differs = n >= minMedian && beyond(l.A.Median, l.B.Median) || n >= minP99 && beyond(l.A.P99, l.B.P99)
		rows = append(rows, l)
	}
	return rows
}
