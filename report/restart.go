// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Restart Kind = 14

var _ = register(func() kind {
	var first, again *walkStep // the lookups of one component, in rcu-walk and in ref-walk
	return kind{
		number: Restart,
		name:   "restart",
		says:   "the walk began in rcu-walk and started over in ref-walk",
		// Only the entry of d_lookup shows that a __d_lookup was not made by a d_lookup.
		needs: lookups,
		walks: true,
		open: func(v *view) {
			if first, again = v.w.restart(); again != nil {
				v.at = whole(v.enter.Time, v.exit.Time)
				v.judge()
			}
		},
		shows: []operand{{show: func(v *view) {
			for _, s := range []*walkStep{first, again} {
				v.term(v.label(s.ev.Role, s.ev.Phase), s.ev.NameAddr, s.ev.ID, s.ev.Comm)
			}
		}}},
		fails: []test{
			when(CutName, func(v *view) bool { return first.ev.NameCut() || again.ev.NameCut() }),
			when(TooManyEvents, func(v *view) bool { return v.w.overflow }),
		},
		fill: func(v *view, cl *Claim) { cl.Means = again.ev.Name },
		tell: func(cl *Claim, q func(string) string) string {
			return fmt.Sprintf("the walk began in rcu-walk and started over in ref-walk; %s was looked up twice: %s", q(cl.Means), equals(cl.Terms, false))
		},
		lesson: func(cl *Claim, _ *Item) string {
			return fmt.Sprintf("the walk left rcu-walk and started over: it looked %s up at #%d and again at #%d", code(cl.Means), cl.Terms[0].Event, cl.Terms[1].Event)
		},
	}
})

// restart finds a component that was looked up in rcu-walk and later in ref-walk, by a __d_lookup outside
// any d_lookup. lookup_fast looks up a component once per walk, and a d_lookup does not show that a walk
// began. Both results are nil if there is none.
func (w *walk) restart() (first, again *walkStep) {
	if w.roles&chained == 0 {
		return nil, nil
	}
	within := uint64(0) // the d_lookup in progress
	for i := range w.steps {
		s := &w.steps[i]
		switch e := &s.ev; {
		case within != 0 && s.enter == within:
			within = 0
		case e.Phase != schema.Enter || !e.Role.Is(schema.TraitLooksUp):
		case e.Columns.Has(schema.ColumnDentry) || within != 0:
		case !inRef.Has(e.Role):
			if first == nil {
				first = s
			}
		case !chained.Has(e.Role):
			within = e.ID
		case first != nil:
			if r := w.rcu(s); r != nil {
				return r, s
			}
		}
	}
	return nil, nil
}

// inRef are the lookups that a ref-walk makes, chained those of them that search one hash chain.
var (
	inRef   = replay.RolesOf(schema.RoleLookup, schema.RoleLookupChain)
	chained = replay.RolesOf(schema.RoleLookupChain)
)

// rcu returns the last lookup of the same name by __d_lookup_rcu before again; nil if there is none, or if
// the name was allocated before again, which then is the second look at it.
func (w *walk) rcu(again *walkStep) (found *walkStep) {
	for i := range w.steps {
		s := &w.steps[i]
		if s.ev.ID >= again.ev.ID {
			break
		}
		switch {
		case s.ev.NameAddr != again.ev.NameAddr || s.ev.Name != again.ev.Name || s.ev.Phase != schema.Enter:
		case s.ev.Role.Is(schema.TraitBegins):
			return nil
		case s.ev.Role.Is(schema.TraitLooksUp) && !inRef.Has(s.ev.Role):
			found = s
		}
	}
	return found
}
