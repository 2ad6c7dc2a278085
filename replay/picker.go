// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Picker is a source that is handed on, and knows whether its last event is one that a filter
// asks for.
type Picker struct {
	Source
	filter *Filter
	calls  *callModel
	picks  bool
	picked map[uint64]bool // entries of path calls in progress, or told with the last record
	unmet  *unmet
}

// Pick returns a Picker of the source.
func Pick(src Source, f *Filter) *Picker {
	return &Picker{Source: src, filter: f, calls: telling(src.Header()), picked: make(map[uint64]bool), unmet: newUnmet(f)}
}

// Next is that of the source.
func (p *Picker) Next() (schema.Record, error) {
	for _, id := range p.calls.told {
		delete(p.picked, id)
	}
	p.calls.told = p.calls.told[:0]
	rec, err := p.Source.Next()
	if err != nil {
		return rec, err
	}
	if s, c := p.calls.record(rec); s != nil {
		s.path = p.calls.State.walking(s)
		if p.picks = p.filter.Match(s, c); p.picks && c != nil {
			p.picked[c.ID] = true
		}
		if u := p.unmet; !u.shown {
			u.see(s, c)
			u.shown = p.picks
		}
		if s.Call != nil && s.Event.Phase == schema.Exit && callRoles.Has(s.Event.Role) { // one without a path is not told of
			p.calls.told = append(p.calls.told, s.Call.Enter.ID)
		}
	}
	return rec, nil
}

// PicksCall reports whether the filter asks for an event of a path call, of those in it that are of no call within. The call is one that a
// Model has just told of, which is given the records that the Picker hands on.
func (p *Picker) PicksCall(c *PathCall) bool { return p.picked[c.ID] }

// Picks reports whether the filter asks for the last event.
func (p *Picker) Picks() bool { return p.picks }

// InVain says in lines why nothing was picked of what has been read: what the filter asks for in vain, and the nearest there is. It is
// nil where something was.
func (p *Picker) InVain() []string { return p.unmet.why() }

// Filter is what picks.
func (p *Picker) Filter() *Filter { return p.filter }

// telling is a callModel that also gathers the calls it is told of.
func telling(h *schema.Header) *callModel {
	m := newCallModel(h)
	m.Call = func(c *PathCall) { m.ended, m.told = c, append(m.told, c.ID) }
	return m
}
