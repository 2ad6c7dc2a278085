// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Options say how a trace is judged. The zero value leaves nothing out and calls nobody.
type Options struct {
	// Without are roles to leave out, as if they had not been recorded. The Findings then say which claims
	// are lost.
	Without replay.Roles
	// Select picks opens to be shown in full: by "#" and the id of an event in it, by the number of a
	// dentry in it, such as "D12", by its path, or by the last component of its path.
	Select []string
	// Bare keeps no calls, claims, examples or processes: of the Findings only Verdicts may be used.
	Bare bool
	// Each is called with every claim as it is judged, also with those that a report has no room for. The
	// claim is valid until Each returns; a Clone of it stays valid. Findings.Void, known only at the end,
	// takes all verdicts back.
	Each func(*Claim)
	// Only is called after each event was applied, and reports whether claims made with that event count;
	// nil: all do. If it is set, claims that can only be decided at the end of the trace do not count.
	Only func() bool
	// Follow is called after each record was applied. A dentry may be kept no longer than
	// replay.State.Reuse says.
	Follow func(*Moment)
	// Beside is the Reading to use if something else looks at the same state. It is not given the events of
	// Without. nil: Judge uses a reading of its own.
	Beside Reading
}

// Reading applies each record of a trace once, to a state that several readers may look at.
type Reading interface {
	// Record applies the next record. It returns where an event stands, valid until the next record.
	Record(schema.Record) *replay.Step
	State() *replay.State
}

// alone is the reading of a judge that shares it with nobody.
type alone struct{ state *replay.State }

func (a alone) Record(rec schema.Record) *replay.Step { return a.state.Record(rec) }
func (a alone) State() *replay.State                  { return a.state }

// Moment is one record of a trace and what was judged with it. It is valid until the next record.
type Moment struct {
	Record  schema.Record
	Step    *replay.Step   // where an event stands; nil for another record
	Rulings []Ruling       // every claim on opens and dentries, and those on a single event that are not proven
	Losses  *replay.Losses // where events are missing so far
}

// Ruling is the verdict on a claim, without its operands.
type Ruling struct {
	Kind    Kind
	Verdict Verdict
	Why     *Reason // why unproven or refuted; nil when proven
	About   string  // what the reason is about; empty if that is nothing or an event
}

// Reason returns in words why the claim is unproven or refuted, without the id of an event; empty if it is
// proven.
func (r *Ruling) Reason() string { return r.Why.about(About{Text: r.About}, true) }

// Unseen reports whether the claim is unproven only because of what the recording
// lacks: a probe, a count of what it missed, events that were lost, or what happened
// before it began.
func (r *Ruling) Unseen() bool { return r.Why != nil && r.Why.Unseen }

// Judge reads a trace to its end and judges every claim that can be made of it. The error is that of the
// source; the Findings then cover what was read before it.
func Judge(r replay.Source, o Options) (*Findings, error) {
	h := replay.WithoutRoles(r.Header(), o.Without)
	if o.Beside == nil {
		o.Beside = alone{replay.New(h)}
		o.Beside.State().Reuse()
	}
	c := newCollector(h, o)
	var whole *collector
	if o.Without != 0 {
		whole = newCollector(r.Header(), Options{Bare: o.Bare, Only: o.Only, Beside: alone{replay.New(r.Header())}})
	}
	err := replay.Read(r, func(rec schema.Record) {
		if whole != nil {
			whole.record(rec)
		}
		if e, ok := rec.(*schema.Event); !ok || !o.Without.Has(e.Role) {
			s := c.record(rec)
			if o.Follow != nil {
				c.moment.Record, c.moment.Step, c.moment.Losses = rec, s, &c.state.Losses
				o.Follow(&c.moment)
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
