// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Negative Kind = 6

var _ = register(func() kind {
	var n missing
	return kind{
		number:   Negative,
		name:     "negative",
		says:     "a missing name has a dentry without inode, kept or not when the call returned; or it did not enter the cache",
		open:     n.open,
		walks:    true,
		needs:    lookups | replay.RolesOf(schema.RoleDrop),
		some:     replay.RolesOf(schema.RoleDelete),
		exits:    replay.RolesOf(schema.RoleAlloc),
		dentries: true,
		event:    func(v *view) { n.births.add(v.step) },
		shows: []operand{
			allocated(one, schema.RoleAlloc), inserted(one),
			whereAs(schema.RoleDelete, func(v *view) uint64 {
				if n.form == negEmptied {
					return v.one.Deleted
				}
				return 0
			}),
			{show: n.answer},
			whereAs(schema.RoleDrop, n.dropped),
			whereAs(schema.RoleKill, n.killed),
			{show: earlierOpen},
			openReturned,
		},
		fails: []test{
			when(TooManyEvents, func(v *view) bool { return v.w.overflow }),
			when(CutName, func(v *view) bool {
				return v.enter.NameCut() || n.row.lookup != nil && n.row.lookup.ev.NameCut()
			}),
			when(TwoParents, func(v *view) bool { return n.row.torn }),
			when(WhichDentry, func(v *view) bool {
				return n.form == negNowhere && (n.found == nil || v.w.allocs(n.what)) || n.form == negOutside && v.w.inserts(v.one)
			}),

			unfollowed(one), maybeKilled(one),
			by(AfterItsEnd, n.ifFound(func(v *view) uint64 { return ifBefore(v.one.Killed, n.found.ev.ID) })),
			by(LostMeanwhile, n.ifFound(func(v *view) uint64 {
				return ifAfter(max(v.one.Killed, v.one.Dropped), max(v.one.Inserted, n.found.ev.ID))
			})),
			when(InodeUnread, func(v *view) bool {
				return n.isFound() && n.found.ev.Facts&schema.FactInodeUnknown != 0 || n.form == negEntered && v.one.Inserted == v.one.InodeUnread
			}),
			when(HasInode, func(v *view) bool { return n.isFound() && n.found.ev.Inode != 0 }),
			when(Unhashed, func(v *view) bool { return n.isFound() && n.found.ev.Facts&schema.FactUnhashed != 0 }),
			when(InsertedPositive, func(v *view) bool {
				// A rename inserts the dentry again, under another name and perhaps with the inode that it got meanwhile.
				return n.form == negEntered && !v.one.InsertedNegative && v.one.Inserted == v.one.FirstInserted
			}),
			by(MovedAway, func(v *view) uint64 {
				switch {
				case n.isFound():
					return ifAfter(v.one.Moved, max(v.one.Inserted, n.found.ev.ID))
				case n.form == negEntered:
					return ifAfter(v.one.Moved, v.one.Inserted)
				}
				return 0
			}, schema.RoleMove),
			{[]*Reason{GotInode}, replay.RolesOf(schema.RoleInstantiate), n.filled},
			by(Overtaken, func(v *view) uint64 {
				if n.form != negOutside {
					return 0
				}
				return n.births.rival(v.one, n.row, v.exit.TID)
			}),
			when(OtherName, func(v *view) bool { return v.one != nil && v.one.Name != n.what }),
		},
		fill: n.fate,
		then: func(v *view, cl *Claim, _ bool) {
			if !n.detail.Kept {
				return
			}
			if v.opens() && !v.mute {
				v.f.kept++
			}
			t := v.one.Note()
			t.Missing, t.By, t.Comm = v.exit.ID, v.exit.Role, v.exit.Comm
		},
		tell: func(cl *Claim, q func(string) string) string {
			return cl.Detail.(*Missing).form.says(q(cl.Means), cl.Object) + ": " + equals(cl.Terms, false)
		},
		lesson: func(cl *Claim, _ *Item) string {
			if !cl.Detail.(*Missing).Kept {
				return ""
			}
			return fmt.Sprintf("the missing %s was cached without inode as %s (#%d) when the call returned (#%d)", code(cl.Means), cl.Object,
				cl.Terms[0].Event, cl.Terms[len(cl.Terms)-1].Event)
		},
		rank: func(cl *Claim, terms int) int {
			if !cl.Detail.(*Missing).Kept {
				return 0 // the example shall be of a name that stays
			}
			return 1 + terms
		},
		page: pageText{
			learnedAt: 3,
			learned: func(f *Findings, _ uint64) string {
				if f.kept == 0 {
					return ""
				}
				return fmt.Sprintf("A missing name still has a dentry: proven in %d opens.", f.kept)
			},
			lead: paragraph{at: 4, before: "A negative dentry is proven by pointer equality too.",
				after: "The name was in the cache when the call returned, although the file is missing.",
				none:  "No missing name is proven to stay in the cache"},
		},
	}
})

// Why a negative claim is not proven, in addition to the reasons shared with other kinds.
var (
	WhichDentry      = &Reason{Unproven, "no event shows which dentry the missing name got", false}
	InodeUnread      = &Reason{Unproven, "it could not be read whether it has an inode", false}
	GotInode         = &Reason{Unproven, "it got an inode at #%s", false}
	HasInode         = &Reason{Unproven, "the dentry has an inode", false}
	InsertedPositive = &Reason{Unproven, "the dentry was inserted with an inode", false}
	MovedAway        = &Reason{Unproven, "a rename at #%s took it away, or put another in its place", false}
	Overtaken        = &Reason{Unproven, "the allocated dentry was not inserted, and one that another thread allocated at #%s may have come first", false}
	LostMeanwhile    = &Reason{Unproven, "a lookup found it, and it was killed or dropped at #%s", false}
	Unhashed         = &Reason{Unproven, "it was out of the hash table by then", false}
)

// Missing is the Detail of a negative claim.
type Missing struct {
	form form
	Kept bool // the name is in the cache, without an inode, when the open returns
}

func (m *Missing) clone() Detail { out := *m; return &out }
func (m *Missing) bytes() int    { return 0 }

// missing holds the claim at hand, and the last allocs.
type missing struct {
	row    *row // the component
	what   string
	form   form
	found  *walkStep // the lookup that returned the dentry, or NULL
	detail Missing
	births births
}

// form is what a negative claim says about the missing name.
type form uint8

const (
	negEntered form = iota // a dentry without inode was allocated for it and inserted
	negFound               // a lookup returned a dentry without inode
	negEmptied             // the same, and d_delete had taken the inode away
	negOutside             // a dentry was allocated for it and stayed out of the hash table
	negNowhere             // the last lookup found nothing, and nothing was allocated
)

// says returns the sentence for the name and the dentry.
func (f form) says(name string, d Ref) string {
	switch f {
	case negEntered:
		return fmt.Sprintf("%s entered the cache as %s, without inode", name, d)
	case negFound:
		return fmt.Sprintf("%s is in the cache as %s, without inode", name, d)
	case negEmptied:
		return fmt.Sprintf("%s is in the cache as %s, without inode since d_delete", name, d)
	case negOutside:
		return fmt.Sprintf("%s, allocated for %s, did not enter the cache", d, name)
	}
	return fmt.Sprintf("the last lookup of %s returned NULL, and nothing was allocated for it", name)
}

// open makes the claim on what became, in the cache, of a name that an open or another call found missing.
// If the name has a dentry without an inode, the claim says whether it was still there when the call
// returned.
func (n *missing) open(v *view) {
	if v.exit.Errno() != enoent || len(v.rows) == 0 {
		return
	}
	last := v.ending()
	if !v.opens() && last.at != nil && last.at.ev.Inode != 0 {
		return // the name exists: of an operation on two paths, the other one is missing
	}
	n.row, v.one, n.what, n.found = last, last.result, last.name(v.enter.Name), nil
	first := v.enter.Time
	switch d := v.one; {
	case d == nil:
		n.form, n.found = negNowhere, v.w.nothing(last)
	case last.at.ev.Role.Is(schema.TraitLooksUp):
		n.form, n.found = negFound, last.at
		if d.Inserted != 0 && d.Inserted != d.InodeUnread && !d.InsertedNegative && d.Deleted != 0 {
			n.form = negEmptied
		}
	case d.Inserted == 0:
		n.form = negOutside
	default:
		n.form = negEntered
	}
	if v.one != nil {
		first = min(first, v.one.FirstAt)
	}
	v.at = span{first, v.enter.Time, v.exit.Time}
	v.judge()
}

// nothing returns the last lookup of the missing name that returned NULL; nil if there is none.
func (w *walk) nothing(missing *row) *walkStep {
	if missing.lookup == nil {
		return nil
	}
	return w.last(func(s *walkStep) bool {
		return s.ev.Phase == schema.Exit && s.ev.Role.Is(schema.TraitLooksUp) && s.obj == nil && s.ev.ID >= missing.lookup.ev.ID
	})
}

// allocs reports whether a dentry of that name was allocated within the open.
func (w *walk) allocs(name string) bool {
	return nil != w.last(func(s *walkStep) bool {
		return s.ev.Role == schema.RoleAlloc && s.ev.Phase == schema.Exit && s.ev.Name == name
	})
}

// inserts reports whether another dentry with the name of d was inserted within the open.
func (w *walk) inserts(d *replay.Object) bool {
	return nil != w.last(func(s *walkStep) bool { return s.ev.Role == schema.RoleInsert && s.obj != d && s.ev.Name == d.Name })
}

// isFound reports whether a lookup of this open returned the dentry.
func (n *missing) isFound() bool { return n.form == negFound || n.form == negEmptied }

func (n *missing) ifFound(event func(*view) uint64) func(*view) uint64 {
	return func(v *view) uint64 {
		if !n.isFound() {
			return 0
		}
		return event(v)
	}
}

// ifBefore returns the event if it came before the other; otherwise 0.
func ifBefore(event, other uint64) uint64 {
	if event < other {
		return event
	}
	return 0
}

// ifAfter returns the event if it came after the other; otherwise 0.
func ifAfter(event, other uint64) uint64 {
	if event > other {
		return event
	}
	return 0
}

// filled fails if the dentry got an inode.
func (n *missing) filled(v *view) (*Reason, About) {
	d := v.one
	if d != nil && n.form != negOutside && (d.Positive > d.Inserted && d.Deleted < d.Positive || d.Inode != 0) {
		return GotInode, About{Event: d.Positive}
	}
	return nil, About{}
}

// dropped returns the event that took a new dentry out of the hash table before it was killed; 0: none.
func (n *missing) dropped(v *view) uint64 {
	if d := v.one; n.form == negEntered && d.Dropped > d.Inserted && (d.Killed == 0 || d.Dropped < d.Killed) {
		return d.Dropped
	}
	return 0
}

// killed returns the event that ended a new dentry; 0: none.
func (n *missing) killed(v *view) uint64 {
	if n.form == negOutside || n.form == negEntered && n.dropped(v) == 0 {
		return v.one.Killed
	}
	return 0
}

// whereAs is an operand that only some forms have: the entry of that role on the dentry; 0: none.
func whereAs(role schema.Role, event func(*view) uint64) operand {
	return operand{show: func(v *view) {
		if id := event(v); id != 0 {
			v.term(v.label(role, schema.Enter), v.one.Addr, id, "")
		}
	}}
}

// answer shows what the last lookup of the name returned.
func (n *missing) answer(v *view) {
	if n.found != nil {
		v.shown(&n.found.ev)
	}
}

// earlierOpen shows an earlier open or call that found the same dentry, which had the same name then.
func earlierOpen(v *view) {
	if v.one == nil {
		return
	}
	if t := v.one.Note(); t.Missing > v.one.Moved {
		v.term("earlier "+v.label(t.By, schema.Exit), v.exit.Ret, t.Missing, t.Comm)
	}
}

// fate adds what became of the dentry until the open returned.
func (n *missing) fate(v *view, cl *Claim) {
	n.detail = Missing{form: n.form}
	cl.Detail, cl.Means = &n.detail, n.what
	if cl.Verdict != Proven {
		return
	}
	killed, dropped := n.killed(v), n.dropped(v)
	switch {
	case n.form == negNowhere:
		cl.Note.Text = n.removed(v)
	case n.form == negOutside && killed == 0:
		cl.Note = Note{"not inserted, alive at ", v.exit.ID}
	case n.form == negOutside:
		cl.Note = Note{"not inserted, killed at ", killed}
	case dropped != 0:
		cl.Note = Note{"not kept: dropped at ", dropped}
	case killed != 0:
		cl.Note = Note{"not kept: killed at ", killed}
	default:
		n.detail.Kept, cl.Note.Text = true, "kept"
	}
}

// removed says that the directory was already out of the hash table when the name was looked up; empty if
// that is not known.
func (n *missing) removed(v *view) string {
	asked := &n.row.lookup.ev
	dir := v.state.Objects.At(asked.Parent)
	if dir == nil || dir.First > asked.ID || !followed(dir) {
		return ""
	}
	if out := dir.UnhashedSince(); out != 0 && out < n.found.ev.ID {
		return fmt.Sprintf("the directory %s was out of the hash table at #%d", ref(dir), out)
	}
	return ""
}
