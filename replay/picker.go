// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Picker passes on the records of a source, and knows whether the filter picks the last event.
type Picker struct {
	Source
	filter *Filter
	calls  *callModel
	picks  bool
	picked map[uint64]bool // ids of calls with a picked event, until the record after their exit
	unmet  *unmet
}

// Pick returns a Picker of the source.
func Pick(src Source, f *Filter) *Picker {
	return &Picker{Source: src, filter: f, calls: newPickerModel(src.Header()), picked: make(map[uint64]bool), unmet: newUnmet(f)}
}

// Next returns the next record of the source, and its error.
func (p *Picker) Next() (schema.Record, error) {
	for _, id := range p.calls.endedIDs {
		delete(p.picked, id)
	}
	p.calls.endedIDs = p.calls.endedIDs[:0]
	rec, err := p.Source.Next()
	if err != nil {
		return rec, err
	}
	if s, c := p.calls.record(rec); s != nil {
		s.path = p.calls.State.callPath(s)
		if p.picks = p.filter.Match(s, c); p.picks && c != nil {
			p.picked[c.ID] = true
		}
		if u := p.unmet; !u.shown {
			u.see(s, c)
			u.shown = p.picks
		}
		if s.Call != nil && s.Event.Phase == schema.Exit && callRoles.Has(s.Event.Role) { // the model does not hand out a call without a path
			p.calls.endedIDs = append(p.calls.endedIDs, s.Call.Enter.ID)
		}
	}
	return rec, nil
}

// PicksCall reports whether the filter picks an event of the path call, not counting those of calls inside
// it. The call must just have been handed out by a Model that gets the records from the Picker.
func (p *Picker) PicksCall(c *PathCall) bool { return p.picked[c.ID] }

// Picks reports whether the filter picks the last event.
func (p *Picker) Picks() bool { return p.picks }

// WhyNone returns lines that say why none of the events so far was picked: what the filter asks for in vain,
// and the nearest match. It returns nil where an event was picked.
func (p *Picker) WhyNone() []string { return p.unmet.reasons() }

// Filter returns the filter that picks.
func (p *Picker) Filter() *Filter { return p.filter }

// newPickerModel returns a callModel that also collects the ids of the calls that are handed out.
func newPickerModel(h *schema.Header) *callModel {
	m := newCallModel(h)
	m.Call = func(c *PathCall) { m.endedCall, m.endedIDs = c, append(m.endedIDs, c.ID) }
	return m
}
