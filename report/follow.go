// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Follower judges a trace one record at a time, for a caller that looks at the
// records as well.
type Follower struct {
	c      *collector
	judged []Ruling
}

// Ruling is a claim as it was judged, without its operands.
type Ruling struct {
	Kind    Kind
	Verdict Verdict
	Why     Why    // why unproven or refuted
	About   string // what the reason is about; empty for none, and for an event
}

// Reason is why the claim is unproven or refuted, in words, without the number of an
// event; empty when proven.
func (r *Ruling) Reason() string { return r.Why.about(cmp.Or(r.About, "…")) }

// Follow begins a trace with its header.
func Follow(h *schema.Header) *Follower {
	f := &Follower{c: newCollector(h)}
	f.c.watch = func(r Ruling) { f.judged = append(f.judged, r) }
	return f
}

// Record applies a record. Of an event it returns where it stands, and what could
// be judged with it: every claim about opens and dentries, and what one event
// alone does not prove. Both are valid until the next record.
func (f *Follower) Record(rec schema.Record) (*replay.Step, []Ruling) {
	f.judged = f.judged[:0]
	s := f.c.record(rec)
	return s, f.judged
}

// Losses knows where events are missing so far.
func (f *Follower) Losses() *replay.Losses { return &f.c.state.Losses }

// Finish judges what only the end of the trace decides and returns everything.
func (f *Follower) Finish() *Findings {
	f.c.watch = nil
	f.c.finish()
	return f.c.f
}

// Unseen reports whether the claim is unproven only because of what the recording
// lacks: a probe, a count of what it missed, events that were lost, or what happened
// before it began.
func (r *Ruling) Unseen() bool { return whyTable[r.Why].Unseen }
