// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Equality Kind = 2

var _ = register(func() kind {
	var found *walkStep // the lookup in this open that returned the dentry; nil: none
	var shown []shownClaim
	shownHere := func(v *view) bool { return v.one.Born > v.enter.ID || found != nil }
	return kind{
		number: Equality,
		name:   "equality",
		some:   replay.RolesOf(schema.RoleLookupChain),
		says:   "alloc, insert, lookup and open name one dentry, and it did not end in between",
		open: func(v *view) {
			d := v.w.end().obj
			if v.exit.Errno() != 0 || d == nil || len(v.rows) == 0 {
				return
			}
			d.Note().Comm = v.exit.Comm
			v.one, found = d, v.w.lookedUp(d)
			v.at = span{min(v.enter.Time, d.FirstAt), v.enter.Time, v.exit.Time}
			v.judge()
		},
		exits:    lookups,
		dentries: true,
		event:    func(v *view) { v.later(shown) },
		shows: []operand{
			allocated(one, schema.RoleAlloc), inserted(one),
			{replay.RolesOf(schema.RoleLookup, schema.RoleLookupRCU), func(v *view) {
				if found != nil {
					v.shown(&found.ev)
				}
			}},
			openReturned,
		},
		fails: []test{
			unfollowedLive(one),
			by(KilledBefore, func(v *view) uint64 { return ifBefore(v.one.Killed, v.exit.ID) }, schema.RoleKill),
			when(MountPoint, func(v *view) bool { return !shownHere(v) && v.throughMount() }),
			when(NotShown, func(v *view) bool { return !shownHere(v) }),
			when(NotInserted, func(v *view) bool { return v.one.Born > v.enter.ID && v.one.Inserted == 0 }),
		},
		fill: func(v *view, cl *Claim) {
			if v.one.Born == 0 && !v.one.Forgotten {
				cl.Note.Text = "its allocation was not recorded"
			}
		},
		then: func(v *view, cl *Claim, kept bool) {
			if kept && cl.Verdict == Proven {
				shown = append(shown, shownClaim{v.it, len(v.it.Claims) - 1})
				v.one.Note().Claim = len(shown)
			}
		},
		line: suggestEquality,
		tell: func(cl *Claim, q func(string) string) string {
			if cl.Object.Seq == 0 { // a kernel log has no dentry numbers
				return equals(cl.Terms, false)
			}
			return fmt.Sprintf("%s is one dentry: %s", cl.Object, equals(cl.Terms, false))
		},
		lesson: func(cl *Claim, it *Item) string {
			if len(cl.Terms) < 3 {
				return ""
			}
			var at []string
			for _, t := range cl.Terms {
				at = append(at, fmt.Sprintf("%s #%d", t.Label, t.Event))
			}
			return fmt.Sprintf("%s is one dentry at %s", cl.Object, strings.Join(at, ", "))
		},
		rank: func(_ *Claim, terms int) int { return 1 + terms },
		page: pageText{
			learnedAt: 1,
			learned: func(_ *Findings, n uint64) string {
				return fmt.Sprintf("Pointer equality of one dentry is proven %d times.", n)
			},
			lead: paragraph{at: 1, before: "Pointer equality.",
				after: "The addresses are equal and the dentry did not end between the events, so they are about one dentry."},
			probes: paragraph{at: 1, before: "Start with the equality of one dentry.",
				after: "The insert shows the dentry that entered the cache, and the open's return the one that the file was given; the kill probe shows that it did not end in between."},
		},
	}
})

// Why an equality claim is not proven, in addition to the reasons shared with other kinds.
var (
	KilledBefore = &Reason{Refuted, "the dentry was killed at #%s before the open returned it", false}
	MountPoint   = &Reason{Unproven, "the last component is a mount point, and the open returned another dentry", false}
	NotShown     = &Reason{Unproven, "no lookup or alloc of this open returned the dentry", false}
	NotInserted  = &Reason{Unproven, "the new dentry was not inserted into the hash table", false}
)

// lookedUp returns the last lookup in the open that returned the dentry; nil if there is none.
func (w *walk) lookedUp(d *replay.Object) *walkStep {
	return w.last(func(s *walkStep) bool {
		return s.obj == d && s.ev.Phase == schema.Exit && s.ev.Role.Is(schema.TraitLooksUp)
	})
}

// throughMount reports whether the path ends in a component that is a mount point.
func (v *view) throughMount() bool {
	r := &v.rows[len(v.rows)-1]
	return r.at != nil && r.at.ev.Facts&schema.FactMountpoint != 0 && r.after.Count == 0 && rest(v.enter.Name, r.end) == ""
}

// shownClaim is a claim that is kept in the report.
type shownClaim struct {
	item  *Item
	claim int // index in its Claims
}

// later extends the equality claim of an open by the next lookup outside that open, by the same program,
// that returned the dentry.
func (v *view) later(shown []shownClaim) {
	e, d := v.step.Event, v.step.Object
	n := d.Notes
	if n == nil || n.Claim == 0 || e.Role == schema.RoleLookupChain {
		return
	}
	at := shown[n.Claim-1]
	cl := &at.item.Claims[at.claim]
	last := cl.Terms[len(cl.Terms)-1]
	n.Claim = 0
	if e.Comm != last.Comm || d.Killed != 0 || !followed(d) {
		return
	}
	if _, hit := v.state.Losses.FindWindow(d.FirstAt, e.Time, v.kind.needs|lives); !hit {
		cl.Terms = append(cl.Terms, Term{"later " + v.label(e.Role, schema.Exit), e.Dentry, e.ID, e.Comm})
	}
}

// suggestEquality makes a claim if line i of a log has a copy source: it gathers the lines from there on
// that have the same address. The subject is the path; if the open's line has none, the name on one of
// these lines, or the address.
func suggestEquality(v *view, it *Item, i int) {
	if e := &it.Steps[i].Event; e.Role != schema.RoleAlloc || e.Phase == schema.Enter || !e.Columns.Has(schema.ColumnNameAddr) {
		return
	}
	cl := Claim{Kind: Equality, Verdict: Proven, Subject: it.Path}
	cl.doubt(FromLog, About{})
	v.terms = v.terms[:0]
	copied := it.Steps[i].Event.NameAddr
	for k := i; k < len(it.Steps); k++ {
		e := &it.Steps[k].Event
		if e.NameAddr == copied && e.Columns.Has(schema.ColumnNameAddr) && e.Role != schema.RoleCall {
			v.term(v.f.symbolOf(e), e.NameAddr, e.ID, "")
			cl.Subject = cmp.Or(cl.Subject, e.Name)
		}
	}
	cl.Subject = cmp.Or(cl.Subject, fmt.Sprintf("%#x", copied))
	if len(v.terms) > 1 {
		v.emit(v.p, it, &cl)
	}
}
