// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// life collects what is known of one dentry.
type life struct {
	lines
	dentry  *replay.Object
	path    string
	found   finds
	opened  finds
	claims  lines
	next    *replay.Object // the next dentry at its address
	nextID  uint64
	chains  bool
	inserts uint64
}

// finds is a run of similar lookups, which are shown as one line.
type finds struct {
	line *Line
	what string
	n    uint64
}

// lives holds the dentries that are shown.
type lives struct {
	all    []*life
	of     map[*replay.Object]*life
	at     map[uint64]*life // by address, the last one
	more   uint64           // number of dentries beyond maxSections
	latest uint64           // Seq of the last dentry counted in more
	chains bool             // events of __d_lookup are recorded
	wanted func(*replay.Object) bool
}

// livesOf shows the dentries for which wanted is true.
func livesOf(h *schema.Header, wanted func(*replay.Object) bool) *inquiry {
	recorded, _ := replay.RecordedRoles(h)
	x := &lives{of: make(map[*replay.Object]*life), at: make(map[uint64]*life), chains: recorded.Has(schema.RoleLookupChain), wanted: wanted}
	return &inquiry{step: x.step, claim: x.claim, sections: x.sections}
}

func (x *lives) step(m *replay.Model, s *replay.Step) {
	if p := m.State.Objects.At(s.Event.Parent); p != nil && p.First == s.Event.ID && p != s.Object && x.of[p] == nil && x.wanted(p) {
		if l := x.begin(m, p); l != nil { // events may show a directory only as the parent of others
			l.add(s.Event.ID, s.Event.Time, "the directory of %s", replay.Printable(s.Event.Name))
		}
	}
	d := s.Object
	if d == nil {
		return
	}
	l := x.of[d]
	if l == nil {
		if before := x.at[d.Addr]; before != nil && before.next == nil {
			before.next, before.nextID = d, s.Event.ID
		}
		if !x.wanted(d) {
			return
		}
		l = x.begin(m, d)
	}
	if l != nil {
		l.step(m, s)
	}
}

// begin starts to follow a dentry. It returns nil if maxSections dentries are followed already.
func (x *lives) begin(m *replay.Model, d *replay.Object) *life {
	if len(x.all) >= maxSections {
		if d.Seq != x.latest {
			x.more, x.latest = x.more+1, d.Seq
		}
		return nil
	}
	l := &life{dentry: d, path: m.Path(d), chains: x.chains}
	if b := d.Former; b.Seq != 0 {
		l.add(b.Killed, 0, "before it, D%d had this address%s", b.Seq, killedAt(b.Killed))
	}
	x.of[d], x.at[d.Addr] = l, l
	x.all = append(x.all, l)
	return l
}

func (x *lives) claim(c *report.Claim) {
	for _, l := range x.all {
		if c.Object.Seq == l.dentry.Seq || c.Other.Seq == l.dentry.Seq {
			addClaim(&l.claims, c)
		}
	}
}

func (x *lives) sections() (out []Section) {
	for _, l := range x.all {
		out = append(out, l.sections()...)
	}
	if x.more > 0 {
		out = append(out, Section{Title: plural.Of(x.more, "more dentry") + " had this address"})
	}
	return out
}

func killedAt(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf(", killed at #%d", id)
}

// happens says what an event means in the life of a dentry, by role and phase (entry or exit). Lookups and
// opens are handled in life.step, because runs of them share a line.
var happens = map[schema.Role][3]func(*life, *replay.Model, *replay.Step) string{
	schema.RoleAlloc: {schema.Exit: func(_ *life, m *replay.Model, _ *replay.Step) string { return "allocated" + by(m) }},
	schema.RoleInsert: {schema.Exit: func(l *life, m *replay.Model, s *replay.Step) string {
		l.inserts++
		l.path = m.Path(s.Object)
		return "in the hash table as " + replay.PrintablePath(l.path) + state(s.Event) + by(m)
	}},
	schema.RoleInstantiate: {schema.Exit: func(_ *life, m *replay.Model, s *replay.Step) string {
		return fmt.Sprintf("gets inode %#x", s.Event.Inode) + by(m)
	}},
	schema.RoleUnlink: {schema.Enter: func(_ *life, m *replay.Model, _ *replay.Step) string { return "vfs_unlink" + by(m) }},
	schema.RoleDelete: {
		schema.Enter: func(_ *life, m *replay.Model, _ *replay.Step) string { return "d_delete" + by(m) },
		schema.Exit: func(_ *life, _ *replay.Model, s *replay.Step) string {
			if s.Event.Facts&schema.FactUnhashed != 0 {
				return "out of the hash table: somebody holds it" + state(s.Event)
			}
			return "left in the hash table" + state(s.Event)
		}},
	schema.RoleDrop: {schema.Enter: func(_ *life, m *replay.Model, _ *replay.Step) string { return "dropped from the hash table" + by(m) }},
	schema.RoleKill: {schema.Enter: func(l *life, m *replay.Model, s *replay.Step) string {
		text := "killed"
		if m.State.Objects.KillsMayFail() {
			text = "killed, if nobody took it again"
		}
		if text += state(s.Event) + by(m); l.dentry.Evict != 0 {
			text += fmt.Sprintf(", in drop_caches #%d", l.dentry.Evict)
		}
		return text
	}},
	schema.RoleFree: {schema.Enter: func(_ *life, m *replay.Model, _ *replay.Step) string { return "its memory is given back" + by(m) }},
	schema.RoleMove: {
		schema.Enter: func(_ *life, m *replay.Model, s *replay.Step) string {
			return "moved from " + replay.PrintablePath(m.Path(s.Object)) + by(m)
		},
		schema.Exit: func(l *life, m *replay.Model, s *replay.Step) string {
			l.path = m.Path(s.Object)
			return "to " + replay.PrintablePath(l.path)
		}},
}

// lookups maps each role that looks a name up to how it found the dentry.
var lookups = map[schema.Role]string{schema.RoleLookup: "by d_lookup", schema.RoleLookupChain: "by __d_lookup", schema.RoleLookupRCU: "in rcu-walk"}

// state says whether the dentry had an inode at the event; empty if the inode could not be read.
func state(e *schema.Event) string {
	switch {
	case e.Inode != 0:
		return fmt.Sprintf(", inode %#x", e.Inode)
	case e.Facts&schema.FactInodeUnknown != 0:
		return ""
	}
	return ", without inode"
}

// step adds an event of the dentry.
func (l *life) step(m *replay.Model, s *replay.Step) {
	e := s.Event
	if way := lookups[e.Role]; way != "" {
		if e.Phase == schema.Exit && (e.Role != schema.RoleLookup || !l.chains) { // a d_lookup is shown by the __d_lookup within it
			l.found.add(&l.lines, e, "found "+way+state(e)+byProgram(m))
		}
		return
	}
	text := happens[e.Role]
	if e.Phase >= 0 && e.Phase <= schema.Exit && text[e.Phase] != nil {
		l.found, l.opened = finds{}, finds{}
		l.add(e.ID, e.Time, "%s", text[e.Phase](l, m, s))
		return
	}
	if e.Columns.Has(schema.ColumnRet) && e.Phase == schema.Exit && s.Call != nil {
		l.opened.add(&l.lines, e, "returned by "+e.Role.Label()+" of "+replay.Printable(s.Call.Enter.Name)+byProgram(m))
	}
}

// byProgram is like by, but without the process and the call, so that similar lines can be merged.
func byProgram(m *replay.Model) string {
	if t := m.EventContext().Task; t != nil {
		return " by " + replay.Printable(t.Program)
	}
	return ""
}

// add adds an event to the current run if it has the same text, or begins a new line.
func (f *finds) add(to *lines, e *schema.Event, what string) {
	if f.line != nil && f.what == what {
		f.n++
		f.line.Text = fmt.Sprintf("%s, %s until #%d", what, times(f.n), e.ID)
		return
	}
	*f = finds{to.add(e.ID, e.Time, "%s", what), what, 1}
}

func (l *life) sections() []Section {
	d := l.dentry
	switch end := d.End(); {
	case end == "missed" && d.Freed == 0:
		l.add(d.KillMissed, 0, "its end was not recorded: by here its memory is another dentry's")
	case end == "forgotten":
		l.add(0, 0, "forgotten: more dentries were known at once than are remembered")
	case end == "unknown" && d.Unwatched != 0:
		l.add(d.Unwatched, 0, "the watch set had no room for it: whether it was alive when the trace ended is not known")
	case end == "unknown":
		l.add(0, 0, "whether it was alive when the trace ended is not known: events that may have shown its end are missing")
	case end == "alive":
		l.add(0, 0, "alive when the trace ended, as far as is recorded")
	}
	if l.next != nil {
		l.add(l.nextID, 0, "after it, D%d has this address", l.next.Seq)
	}
	born := ""
	if d.Born == 0 {
		born = ", its allocation is not recorded"
	}
	out := []Section{l.section(fmt.Sprintf("D%d %s %#x%s", d.Seq, replay.PrintablePath(l.path), d.Addr, born))}
	return append(out, l.claims.sections(fmt.Sprintf("claims about D%d", d.Seq))...)
}
