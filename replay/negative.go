// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// Negative is a stretch of the life of a dentry in which it was in the cache without an
// inode. Ids are event ids.
type Negative struct {
	Dentry *Object
	Name   string
	Dir    string // the path of its directory when it came to be, see Model.Path
	FSType string // where its call or its alloc said; empty: not known

	Birth     Birth
	Born      uint64 // the event that showed it so first
	BornAt    uint64 // nanoseconds since boot
	Operation string // of the path call that made it; empty: made in none that is recorded
	Call      uint64 // that call's entry; 0: none
	Program   string // that made it
	PID       uint32
	Hits      uint64 // lookups that it answered

	Fate  Fate
	End   uint64 // the event that ended it; 0: none did
	EndAt uint64
	EndBy string // the program that did
	Evict uint64 // the drop_caches call that did; 0: it was none
}

// Birth says how a dentry came to be in the cache without an inode.
type Birth uint8

const (
	BirthLookup Birth = iota // a name was looked up that is not there
	BirthUnlink              // vfs_unlink took its inode
	BirthRmdir               // rmdir did
	BirthDelete              // d_delete did, called by neither as far as is recorded
)

// Births are the births by name, in their order.
var Births = []string{"lookup", "unlink", "rmdir", "delete"}

func (b Birth) String() string { return Births[b] }

// Fate says what became of a dentry without inode.
type Fate uint8

const (
	FateAlive   Fate = iota // the trace ended first
	FateKilled              // it was killed
	FateReused              // it got an inode: a file was made of that name
	FateMade                // the same, by the path call that had looked the name up
	FateDropped             // it left the hash table, and nothing else was seen of it
	FateUnknown             // it was forgotten, or its memory was seen to be another's
)

// Fates are the fates by name, in their order.
var Fates = []string{"alive", "killed", "reused", "made", "dropped", "unknown"}

func (f Fate) String() string { return Fates[f] }

// toldBy are the roles of which a Negative is made: of its birth, what ended it, and the lookups it answered; and of what the call that
// looked its name up then made of it.
var toldBy = RolesOf(schema.RoleOpen, schema.RoleUnlink, schema.RoleLookup, schema.RoleLookupChain, schema.RoleLookupRCU, schema.RoleInsert, schema.RoleInstantiate,
	schema.RoleDelete, schema.RoleDrop, schema.RoleKill, schema.RoleFree, schema.RoleMove) | RolesThat(schema.Names)

// NegativesLack returns the roles that a trace with the header lacks for its Negatives to be all there were, each with its birth, its
// end and its hits.
func NegativesLack(h *schema.Header) Roles {
	whole, vague := Recorded(h)
	lack := toldBy &^ (whole &^ vague)
	if _, exits := Phased(h); !exits.Has(schema.RoleDelete) { // its entry does not say what became of the dentry
		lack |= RolesOf(schema.RoleDelete)
	}
	return lack
}

// dirsBudget bounds the bytes of the directories of negatives.
const dirsBudget = 8 << 20

// negativeAt returns the stretch that a dentry is in, nil for none.
func (m *Model) negativeAt(d *Object) *Negative {
	n := m.negatives[d.Addr]
	if n != nil && n.Dentry != d {
		m.lose(n)
		n = nil
	}
	return n
}

// lose hands out a stretch of whose end nothing more will be seen.
func (m *Model) lose(n *Negative) {
	if n.Fate == FateAlive {
		n.Fate = FateUnknown
	}
	m.over(n)
}

// over hands out a stretch and forgets it.
func (m *Model) over(n *Negative) {
	delete(m.negatives, n.Dentry.Addr)
	m.dirBytes -= len(n.Dir)
	if m.Negative != nil {
		m.Negative(n)
	}
	if m.State.Objects.spent.oldest != nil && len(m.stretches) < maxStretches {
		m.stretches = append(m.stretches, n)
	}
}

// maxStretches is how many stretches are kept to be used again.
const maxStretches = 64

// emptied begins a stretch.
func (m *Model) emptied(t *threadCalls, s *Step, birth Birth) {
	d, e := s.Object, s.Event
	if m.negativeAt(d) != nil {
		return
	}
	n := recycled(&m.stretches)
	*n = Negative{Dentry: d, Name: d.Name, Dir: m.PathAt(d.Parent), Birth: birth, Born: e.ID, BornAt: e.Time,
		Program: t.task.Program, PID: e.PID, FSType: e.FSType}
	if m.dirBytes += len(n.Dir); m.dirBytes > dirsBudget {
		m.dirBytes -= len(n.Dir) - len(above)
		n.Dir = above
	}
	if w := t.inner(); w != nil {
		n.Operation, n.Call = w.call.Operation, w.call.ID
		if m.held < maxAllParts {
			m.held++
			w.born = append(w.born, d.Addr)
		}
	}
	m.negatives[d.Addr] = n
}

// ends gives a stretch its fate. Another event may still give it another.
func (n *Negative) ends(fate Fate, t *threadCalls, e *schema.Event) {
	n.Fate, n.End, n.EndAt, n.EndBy = fate, e.ID, e.Time, t.task.Program
}

// filled ends a stretch: the dentry has an inode.
func (m *Model) filled(t *threadCalls, s *Step) {
	n := m.negativeAt(s.Object)
	if n == nil {
		return
	}
	n.ends(FateReused, t, s.Event)
	if w := t.inner(); w != nil && w.call.ID == n.Call {
		n.Fate = FateMade
	}
	m.over(n)
}

// found takes a lookup that returned a dentry.
func (m *Model) found(d *Object, e *schema.Event) {
	n := m.negativeAt(d)
	switch {
	case n == nil:
	case e.Negative():
		if n.Hits++; d.Killed == 0 && n.Fate == FateKilled {
			n.Fate, n.End, n.EndAt, n.EndBy = FateAlive, 0, 0, "" // the kill was an attempt
		}
	case e.Inode != 0:
		n.Fate, n.End, n.EndAt = FateReused, e.ID, e.Time
		m.over(n)
	}
}

func (m *Model) inserted(t *threadCalls, s *Step) {
	d, e := s.Object, s.Event
	if d == nil {
		return
	}
	if w := t.inner(); w != nil {
		w.inserted(d, e)
	}
	switch {
	case !e.Negative():
		m.filled(t, s)
	case !m.State.Objects.moves(d, e.TID):
		m.emptied(t, s, BirthLookup)
	}
}

// inserted notes that the filesystem has answered for the last component.
func (w *walker) inserted(d *Object, e *schema.Event) {
	if p := w.partOf(d); p != nil && p.allocated != 0 && p.inserted == 0 {
		p.Filesystem, p.inserted, p.Negative = e.Time-p.allocated, e.Time, e.Negative()
	}
}

// lately is how many components of a path are looked at, the last ones: a filesystem answers
// before the walk goes on.
const lately = 4

// partOf is the last component that came to a dentry, nil for none.
func (w *walker) partOf(d *Object) *Component {
	for k := range w.used {
		parts := w.routes[k].parts
		for i := len(parts) - 1; i >= max(0, len(parts)-lately); i-- {
			if parts[i].Dentry == d {
				return &parts[i]
			}
		}
	}
	return nil
}

func (m *Model) instantiated(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	m.filled(t, s)
	if w := t.inner(); w != nil {
		if p := w.partOf(s.Object); p != nil && p.Create == 0 && (p.inserted != 0 || p.Negative) {
			p.Create = s.Event.Time - max(p.inserted, p.found)
		}
	}
}

func (m *Model) deleted(t *threadCalls, s *Step) {
	e := s.Event
	if s.Object == nil || e.Phase != schema.Exit || !e.Negative() || e.Facts&schema.FactUnhashed != 0 {
		return
	}
	birth := BirthDelete
	if m.State.Around(e.TID, RolesOf(schema.RoleUnlink)) != nil {
		birth = BirthUnlink
	} else if m.State.Around(e.TID, RolesOf(schema.RoleRmdir)) != nil {
		birth = BirthRmdir
	}
	m.emptied(t, s, birth)
}

func (m *Model) dropped(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil && n.Fate == FateAlive {
		n.ends(FateDropped, t, s.Event)
	}
}

func (m *Model) killed(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil && n.Fate != FateKilled {
		n.ends(FateKilled, t, s.Event)
		n.Evict = s.Object.Evict
	}
}

func (m *Model) freed(_ *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil {
		m.lose(n)
	}
}

// moved keeps the path of what the call around it gives another, and ends the stretch of a dentry
// whose place that takes.
func (m *Model) moved(t *threadCalls, s *Step) {
	e := s.Event
	if w := t.inner(); w != nil && e.Phase == schema.Enter && s.Object != nil && w.call.Resolved == "" && w.partOf(s.Object) != nil {
		w.call.Resolved = m.Path(s.Object)
	}
	if n := m.negatives[e.Target]; e.Phase == schema.Enter && e.Target != 0 && n != nil && n.Fate == FateAlive && e.Facts&schema.FactExchange == 0 {
		n.ends(FateDropped, t, e)
	}
}

// forgotten is told of a dentry that is forgotten.
func (m *Model) forgotten(d *Object) {
	m.gone(d)
	if n := m.negativeAt(d); n != nil {
		m.lose(n)
	}
}
