// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Negative is a period in the life of a dentry in which it was in the cache without an inode. Ids are event
// ids.
type Negative struct {
	Dentry *Object
	Name   string
	Dir    string // the path of its directory when the period began, see Model.Path
	FSType string // see Model.FSType

	Birth     Birth
	Born      uint64 // the event that first showed it negative
	BornAt    uint64 // nanoseconds since boot
	Operation string // of the path call that made it; empty: none recorded
	Call      uint64 // that call's entry; 0: none
	Program   string // that made it
	PID       uint32
	Hits      uint64 // lookups that returned it
	seenAt    uint64 // time of the last event that showed it negative

	Fate  Fate
	End   uint64 // the event that ended the period; 0: none did
	EndAt uint64
	EndBy string // the program that did
	Evict uint64 // the drop_caches call that did; 0: none
}

// Birth says how a dentry came to be in the cache without an inode.
type Birth uint8

const (
	BirthLookup Birth = iota // a name that does not exist was looked up
	BirthUnlink              // vfs_unlink took its inode
	BirthRmdir               // rmdir took its inode
	BirthDelete              // d_delete did, and neither unlink nor rmdir is recorded around it
)

// Births lists the names of the births, in order.
var Births = []string{"lookup", "unlink", "rmdir", "delete"}

func (b Birth) String() string { return Births[b] }

// Fate says what became of a negative dentry.
type Fate uint8

const (
	FateAlive   Fate = iota // the trace ended first
	FateKilled              // it was killed
	FateReused              // it got an inode: a file of that name was made
	FateMade                // the same, by the path call that had looked the name up
	FateDropped             // it left the hash table, and nothing else was seen of it
	FateUnknown             // it was forgotten, its memory was seen to be another's, or its end may have left no event
)

// Fates lists the names of the fates, in order.
var Fates = []string{"alive", "killed", "reused", "made", "dropped", "unknown"}

func (f Fate) String() string { return Fates[f] }

// negativeRoles are the roles that a Negative is derived from: its birth, its end, the lookups it answered, and
// what the call that looked its name up then did with it.
var negativeRoles = RolesOf(schema.RoleOpen, schema.RoleUnlink, schema.RoleLookup, schema.RoleLookupChain, schema.RoleLookupRCU, schema.RoleInsert, schema.RoleInstantiate,
	schema.RoleDelete, schema.RoleDrop, schema.RoleKill, schema.RoleFree, schema.RoleMove) | RolesThat(schema.TraitNames)

// NegativeRoles returns the roles without whose events a trace does not show every Negative, or not its
// birth, end or hits.
func NegativeRoles() Roles { return negativeRoles }

// negativeEndRoles are the roles of which an event ends a Negative.
var negativeEndRoles = endRoles | RolesOf(schema.RoleInsert, schema.RoleInstantiate, schema.RoleDrop, schema.RoleMove)

// endMayBeMissing reports whether the end of a period may have left no event.
func (m *Model) endMayBeMissing(n *Negative) bool {
	return n.Dentry.Unwatched != 0 || m.mayLack(n.seenAt, negativeEndRoles)
}

// mayLack reports whether events of some of negativeRoles may be missing between a time and now: they were lost,
// or are not recorded. What is missing because the file ends here is not meant.
func (m *Model) mayLack(since uint64, roles Roles) bool {
	_, lost := m.State.Losses.FindWindow(since, m.State.now-min(m.State.now, 1), roles)
	return lost || roles&m.missing != 0
}

// dirsBudget bounds the bytes of the directory paths of negatives.
const dirsBudget = 8 << 20

// negativeAt returns the period that a dentry is in, or nil.
func (m *Model) negativeAt(d *Object) *Negative {
	n := m.negatives[d.Addr]
	if n != nil && n.Dentry != d {
		m.loseNegative(n)
		n = nil
	}
	return n
}

// loseNegative hands out a period whose end will not be seen.
func (m *Model) loseNegative(n *Negative) {
	if n.Fate == FateAlive {
		n.Fate = FateUnknown
	}
	m.handOutNegative(n)
}

// handOutNegative hands out a period and forgets it.
func (m *Model) handOutNegative(n *Negative) {
	delete(m.negatives, n.Dentry.Addr)
	m.dirBytes -= len(n.Dir)
	if m.Negative != nil {
		m.Negative(n)
	}
	if m.State.Objects.freeList.oldestEntry != nil && len(m.freeNegatives) < maxFreeNegatives {
		m.freeNegatives = append(m.freeNegatives, n)
	}
}

// maxFreeNegatives bounds the Negatives that are kept to be used again.
const maxFreeNegatives = 64

// beginNegative begins a period.
func (m *Model) beginNegative(t *threadCalls, s *Step, birth Birth) {
	d, e := s.Object, s.Event
	if m.negativeAt(d) != nil {
		return
	}
	n := recycled(&m.freeNegatives)
	*n = Negative{Dentry: d, Name: d.Name, Dir: m.PathAt(d.Parent), Birth: birth, Born: e.ID, BornAt: e.Time,
		Program: t.task.Program, PID: e.PID, FSType: m.FSType(d), seenAt: e.Time}
	if m.dirBytes += len(n.Dir); m.dirBytes > dirsBudget {
		m.dirBytes -= len(n.Dir) - len(unknownDir)
		n.Dir = unknownDir
	}
	if w := t.innermost(); w != nil {
		n.Operation, n.Call = w.call.Operation, w.call.ID
		if m.heldItems < maxAllParts {
			m.heldItems++
			w.negatives = append(w.negatives, d.Addr)
		}
	}
	m.negatives[d.Addr] = n
}

// FSType returns the type of a dentry's filesystem, as its alloc, an open or a lookup below it named it. Its
// parent is on the same one. It returns an empty string where none is known.
func (m *Model) FSType(d *Object) string {
	if dir := m.State.Objects.At(d.Parent); d.FSType == "" && dir != nil {
		return dir.FSType
	}
	return d.FSType
}

// maxFSType bounds the length of a name that noteFSType remembers.
const maxFSType = 32

// noteFSType notes the filesystem of a dentry, if the event names it.
func (o *Objects) noteFSType(d *Object, e *schema.Event) {
	if d.FSType != "" || e.FSType == "" || len(e.FSType) > maxFSType {
		return
	}
	if o.fsType != e.FSType {
		o.fsType = strings.Clone(e.FSType)
	}
	d.FSType = o.fsType
}

// setFate sets the fate of a period. A later event may still change it.
func (n *Negative) setFate(fate Fate, t *threadCalls, e *schema.Event) {
	n.Fate, n.End, n.EndAt, n.EndBy = fate, e.ID, e.Time, t.task.Program
}

// endByInode ends a period, as the dentry has got an inode.
func (m *Model) endByInode(t *threadCalls, s *Step) {
	n := m.negativeAt(s.Object)
	if n == nil {
		return
	}
	n.setFate(FateReused, t, s.Event)
	if w := t.innermost(); w != nil && w.call.ID == n.Call {
		n.Fate = FateMade
	}
	m.handOutNegative(n)
}

// noteHit counts a lookup that returned a negative dentry, and ends its period if it has an inode.
func (m *Model) noteHit(d *Object, e *schema.Event) {
	n := m.negativeAt(d)
	switch {
	case n == nil:
	case e.Negative():
		n.seenAt = e.Time
		if n.Hits++; d.Killed == 0 && n.Fate == FateKilled {
			n.Fate, n.End, n.EndAt, n.EndBy = FateAlive, 0, 0, "" // the kill was only an attempt
		}
	case e.Inode != 0:
		n.Fate, n.End, n.EndAt = FateReused, e.ID, e.Time
		m.handOutNegative(n)
	}
}

func (m *Model) onInsert(t *threadCalls, s *Step) {
	d, e := s.Object, s.Event
	if d == nil {
		return
	}
	if w := t.innermost(); w != nil {
		w.noteInserted(d, e)
	}
	switch {
	case !e.Negative():
		m.endByInode(t, s)
	case !m.State.Objects.inMove(d, e.TID):
		m.beginNegative(t, s, BirthLookup)
	}
}

// noteInserted notes the time at which the filesystem has answered for the component.
func (w *walker) noteInserted(d *Object, e *schema.Event) {
	if p := w.partOf(d); p != nil && p.allocatedAt != 0 && p.insertedAt == 0 {
		p.Filesystem, p.insertedAt, p.Negative = e.Time-p.allocatedAt, e.Time, e.Negative()
	}
}

// maxLookBack bounds the components that are searched, from the last one back: a filesystem answers for a
// component before the walk goes on.
const maxLookBack = 4

// partOf returns the last component that led to the dentry, or nil.
func (w *walker) partOf(d *Object) *Component {
	for k := range w.used {
		parts := w.routes[k].parts
		for i := len(parts) - 1; i >= max(0, len(parts)-maxLookBack); i-- {
			if parts[i].Dentry == d {
				return &parts[i]
			}
		}
	}
	return nil
}

func (m *Model) onInstantiate(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	m.endByInode(t, s)
	if w := t.innermost(); w != nil {
		if p := w.partOf(s.Object); p != nil && p.Create == 0 && (p.insertedAt != 0 || p.Negative) {
			p.Create = s.Event.Time - max(p.insertedAt, p.answeredAt)
		}
	}
}

func (m *Model) onDelete(t *threadCalls, s *Step) {
	e := s.Event
	if s.Object == nil || e.Phase != schema.Exit || !e.Negative() || e.Facts&schema.FactUnhashed != 0 {
		return
	}
	birth := BirthDelete
	if m.State.InnermostCall(e.TID, RolesOf(schema.RoleUnlink)) != nil {
		birth = BirthUnlink
	} else if m.State.InnermostCall(e.TID, RolesOf(schema.RoleRmdir)) != nil {
		birth = BirthRmdir
	}
	m.beginNegative(t, s, birth)
}

func (m *Model) onDrop(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil && n.Fate == FateAlive {
		n.setFate(FateDropped, t, s.Event)
	}
}

func (m *Model) onKill(t *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil && n.Fate != FateKilled {
		n.setFate(FateKilled, t, s.Event)
		n.Evict = s.Object.Evict
	}
}

func (m *Model) onFree(_ *threadCalls, s *Step) {
	if s.Object == nil {
		return
	}
	if n := m.negativeAt(s.Object); n != nil {
		m.loseNegative(n)
	}
}

// onMove keeps the old paths of the dentries, and ends the period of the negative dentry whose place one takes.
func (m *Model) onMove(t *threadCalls, s *Step) {
	e := s.Event
	if e.Phase != schema.Enter {
		return
	}
	m.moves.note(m, s.Object, e.ID)
	m.moves.note(m, m.State.Objects.find(e.Target), e.ID)
	if n := m.negatives[e.Target]; e.Target != 0 && n != nil && n.Fate == FateAlive && e.Facts&schema.FactExchange == 0 {
		n.setFate(FateDropped, t, e)
	}
}

// onForget is called for a dentry that is forgotten.
func (m *Model) onForget(d *Object) {
	m.objectEnded(d)
	if n := m.negativeAt(d); n != nil {
		m.loseNegative(n)
	}
}
