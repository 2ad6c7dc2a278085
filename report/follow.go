// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Options say how a trace is judged. The zero value leaves nothing out and tells nobody.
type Options struct {
	// Without are roles to leave out, as if they had not been recorded: the Findings say
	// which claims have fallen.
	Without replay.Roles
	// Select picks opens that are shown in full: by "#" and the number of an event in it, by
	// the number of a dentry in it, "D12", by their path, or by the last component of that.
	Select []string
	// Bare keeps no call, claim, example or process: of the Findings nothing is asked but Verdicts.
	Bare bool
	// Each is told of every claim as it is judged, also of those that a report has no room
	// for. The claim is valid until it returns, a Clone of it for good. What Void says at the end takes every
	// verdict back.
	Each func(*Claim)
	// Only is asked after each event was given out whether the claims count that are made with
	// it; nil: all do. Those that only the end of the trace decides do not then.
	Only func() bool
	// Follow is told of every record when it was applied. A dentry is to be kept no longer than replay.State.Reuse says.
	Follow func(*Moment)
	// Beside reads the trace too, but for Without; nil: nothing does.
	Beside Reading
}

// Reading applies the records of a trace, each once, to a state that several may look at.
type Reading interface {
	// Record applies the next record; of an event it returns where it stands, until the next one.
	Record(schema.Record) *replay.Step
	State() *replay.State
}

// alone is the reading of a judge that nothing else reads beside.
type alone struct{ state *replay.State }

func (a alone) Record(rec schema.Record) *replay.Step { return a.state.Record(rec) }
func (a alone) State() *replay.State                  { return a.state }

// Moment is one record of a trace and what was judged with it. It is valid until the next.
type Moment struct {
	Record  schema.Record
	Step    *replay.Step   // where an event stands; nil for another record
	Rulings []Ruling       // every claim on opens and dentries, and what one event alone does not prove
	Losses  *replay.Losses // where events are missing so far
}

// Ruling is a claim as it was judged, without its operands.
type Ruling struct {
	Kind    Kind
	Verdict Verdict
	Why     *Reason // why unproven or refuted; nil when proven
	About   string  // what the reason is about; empty for none, and for an event
}

// Reason is why the claim is unproven or refuted, in words, without the number of an
// event; empty when proven.
func (r *Ruling) Reason() string { return r.Why.about(About{Text: r.About}, true) }

// Unseen reports whether the claim is unproven only because of what the recording
// lacks: a probe, a count of what it missed, events that were lost, or what happened
// before it began.
func (r *Ruling) Unseen() bool { return r.Why != nil && r.Why.Unseen }

// Judge reads a trace to its end and judges every claim it can make of it. The error is
// the source's; what was read before it is in the Findings.
func Judge(r replay.Source, o Options) (*Findings, error) {
	h := replay.Without(r.Header(), o.Without)
	if o.Beside == nil {
		o.Beside = alone{replay.New(h)}
		o.Beside.State().Reuse()
	}
	c := newCollector(h, o.Beside)
	c.bare, c.each, c.follow, c.only, c.asked, c.f.Unmet = o.Bare, o.Each, o.Follow, o.Only, o.Select, slices.Clone(o.Select)
	var whole *collector
	if o.Without != 0 {
		whole = newCollector(r.Header(), alone{replay.New(r.Header())})
		whole.bare, whole.only = o.Bare, o.Only
	}
	err := replay.Read(r, func(rec schema.Record) {
		if whole != nil {
			whole.record(rec)
		}
		if e, ok := rec.(*schema.Event); !ok || !o.Without.Has(e.Role) {
			s := c.record(rec)
			if c.follow != nil {
				c.moment.Record, c.moment.Step, c.moment.Losses = rec, s, &c.state.Losses
				c.follow(&c.moment)
				c.moment.Rulings = c.moment.Rulings[:0]
			}
		}
	})
	c.finish()
	if whole != nil {
		whole.finish()
		c.f.Without, c.f.Ablations = o.Without, ablations(whole.f, c.f, o.Without)
	}
	return c.f, err
}
