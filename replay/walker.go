// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// walker is a path call in progress.
type walker struct {
	call     *PathCall
	nameAddr uint64 // of the path
	parts    []Component
	at       int    // of parts, what is being asked for; -1: nothing of the path
	entered  uint64 // the entry that asked
	fs       string // of the directory asked last
	dev      uint32
	within   uint64 // the d_lookup in progress, whose __d_lookup says no more
	slow     bool   // it went on in ref-walk
	missed   bool
	more     bool     // there were more components than are kept
	born     []uint64 // addresses of the dentries without inode that it made
}

// Bounds on the components of a call, of which a path of PATH_MAX bytes has at most half as
// many, but links lead on; on those of all calls in progress; and on those that a walker
// keeps room for.
const (
	maxParts    = 4096
	maxAllParts = 1 << 16
	spareParts  = 64
)

func (m *Model) begin(t *strand, e *schema.Event, op string) {
	if m.walking >= callsBudget/callBytes || len(t.calls) >= maxDepth {
		m.unfinished(t, 0)
	}
	var w *walker
	if n := len(m.spare); n > 0 {
		w, m.spare = m.spare[n-1], m.spare[:n-1]
		*w = walker{parts: w.parts[:0], born: w.born[:0]}
	} else {
		w = &walker{}
	}
	w.at, w.nameAddr = -1, e.NameAddr
	w.call = &PathCall{ID: e.ID, Operation: op, PID: e.PID, TID: e.TID, Comm: e.Comm, Program: t.task.Program,
		Path: e.Name, PathLen: e.NameLen, At: e.Time}
	if outer := t.inner(); outer != nil {
		w.call.Outer = outer.call.ID
	}
	t.calls = append(t.calls, w)
	m.walking++
}

// end tells the path call that the step leaves. Those entered after it have lost their exit.
func (m *Model) end(t *strand, i int, s *Step) {
	m.unfinished(t, i+1)
	w, e := t.calls[i], s.Event
	t.calls = t.calls[:i]
	c := w.call
	c.End, c.Took = e.ID, e.Time-min(c.At, e.Time)
	c.Errno, c.Dentry, c.Inode, c.FSType, c.Dev = e.Errno(), s.Object, e.Inode, e.FSType, e.Dev
	if c.FSType == "" {
		c.FSType, c.Dev = w.fs, w.dev
	}
	if n := len(w.parts); n > 0 && c.Dentry != nil && w.parts[n-1].mountable && root(e) && w.parts[n-1].Dentry != c.Dentry {
		w.parts[n-1].Mount = true
		m.mounted(c.Dentry, w.parts[n-1].Dentry)
	}
	for _, addr := range w.born {
		if n := m.negatives[addr]; n != nil && n.Call == c.ID && n.Fate == FateAlive {
			c.Negatives++
		}
	}
	m.tell(w, e.Time)
	t.task.count(c)
}

// unfinished tells the calls of a thread from the i-th on: their exit will not come.
func (m *Model) unfinished(t *strand, i int) {
	for n := len(t.calls); n > i; n-- {
		m.tell(t.calls[n-1], m.State.now)
		t.calls = t.calls[:n-1]
	}
}

// givenUp is told by the state of a call that is taken out.
func (m *Model) givenUp(c *Call) {
	if t := m.threads[c.Enter.TID]; t != nil {
		if i := t.of(c.Enter.ID); i >= 0 {
			m.unfinished(t, i)
		}
	}
}

// tell gives the call its class, and tells it.
func (m *Model) tell(w *walker, last uint64) {
	m.walking--
	m.held -= len(w.parts) + len(w.born)
	if cap(w.parts)+cap(w.born) <= spareParts {
		m.spare = append(m.spare, w)
	}
	if m.Call == nil {
		return
	}
	c := w.call
	c.Whole = m.whole && c.End != 0 && !w.more
	if c.Whole && len(m.State.Losses.windows) > 0 {
		_, lost := m.State.Losses.Touched(c.At, last, classified)
		c.Whole = !lost
	}
	switch {
	case w.missed:
		c.Class = ClassMiss
	case !c.Whole:
	case w.slow || c.Restarts > 0:
		c.Class = ClassRef
	default:
		c.Class = ClassRCU
	}
	for i := range w.parts {
		p := &w.parts[i]
		if c.Filesystem += p.Filesystem + p.Create; p.Found == FoundMiss {
			p.Path = InDir(m.PathAt(p.Parent), p.Name)
		}
	}
	c.Components = m.keep(w.parts)
	c.Resolved = m.resolved(c)
	m.Call(c)
}

// keep copies components out of a walker, of which there is one for many calls.
func (m *Model) keep(parts []Component) []Component {
	n := len(parts)
	if n > cap(m.pool)-len(m.pool) {
		m.pool = make([]Component, 0, max(n, 256))
	}
	from := len(m.pool)
	m.pool = append(m.pool, parts...)
	return m.pool[from : from+n : from+n]
}

// resolved is the path that a call came to.
func (m *Model) resolved(c *PathCall) string {
	n := len(c.Components)
	switch {
	case c.Dentry != nil:
		return m.Path(c.Dentry)
	case n == 0:
		return ""
	case c.Components[n-1].Dentry != nil && c.Components[n-1].Dentry.Parent == c.Components[n-1].Parent:
		return m.Path(c.Components[n-1].Dentry)
	}
	last := &c.Components[n-1]
	return InDir(m.PathAt(last.Parent), last.Name)
}

// asked adds the entry or the exit of a lookup to the call around it.
func (m *Model) asked(t *strand, s *Step) {
	e, w := s.Event, t.inner()
	if e.Phase == schema.Exit {
		if s.Object != nil && s.Call != nil && (e.Role != schema.RoleLookup || !m.chains) {
			m.found(s.Object, e)
		}
		if w != nil && s.Call != nil {
			w.answered(s)
		}
		return
	}
	if w == nil || w.within != 0 && e.Role == schema.RoleLookupChain { // it says what the d_lookup does
		return
	}
	if w.within = 0; e.Role == schema.RoleLookup {
		w.within = e.ID
	}
	w.slow = w.slow || e.Role != schema.RoleLookupRCU
	m.ask(w, e)
}

// ask finds the component that a lookup or an alloc is entered for, or begins it.
//
// Where the name lies in the path, it is that component. A walk never goes back in its
// path: where it does, or looks a name up by __d_lookup that it had from an rcu-walk, it has
// started over. A name elsewhere belongs to a symbolic link, or to what a filesystem asks
// for itself.
func (m *Model) ask(w *walker, e *schema.Event) {
	if w.entered = e.ID; e.FSType != "" {
		w.fs, w.dev = e.FSType, e.Dev
	}
	off := e.NameAddr - w.nameAddr
	beside := !w.call.holds(off)
	n := len(w.parts)
	if beside {
		if off = e.NameAddr; e.Role == schema.RoleAlloc && (n == 0 || w.parts[n-1].offset != off) || n > 0 && w.parts[n-1].beneath(e) {
			w.at = -1
			return
		}
	}
	if n > 0 && w.parts[n-1].Beside == beside && w.parts[n-1].offset == off && w.parts[n-1].Name == e.Name {
		if p := &w.parts[n-1]; !p.again(e) {
			w.at = n - 1
			p.looked |= RolesOf(e.Role)
			if p.Parent == 0 {
				p.Parent = e.Parent
			}
			return
		}
	}
	if !beside {
		m.startOver(w, off)
	}
	m.goOn(w, e)
	m.add(w, Component{Name: e.Name, ID: e.ID, Beside: beside, offset: off, Parent: e.Parent, looked: RolesOf(e.Role)})
}

// holds reports whether an offset is within the path.
func (c *PathCall) holds(off uint64) bool { return off < max(uint64(c.PathLen), uint64(len(c.Path))) }

// again reports whether the lookup shows that the walk has started over, at this
// component: __d_lookup is for a walk that is in ref-walk already, and what follows on an
// rcu-walk of the same walk is d_lookup or an alloc.
func (p *Component) again(e *schema.Event) bool {
	return e.Role == schema.RoleLookupChain && p.looked != 0 && p.allocated == 0
}

// beneath reports whether a name that is not in the path is asked for by the filesystem on
// behalf of the component: its dentry has been allocated and not yet inserted, or it is the
// name of that dentry.
func (p *Component) beneath(e *schema.Event) bool {
	return p.allocated != 0 && p.inserted == 0 && p.Found == FoundMiss || p.Dentry != nil && p.Dentry.NameAddr == e.NameAddr && e.NameAddr != 0
}

// startOver drops what a walk met before it came back to an offset of its path.
func (m *Model) startOver(w *walker, off uint64) {
	for i := range w.parts {
		if p := &w.parts[i]; !p.Beside && p.offset >= off {
			m.held -= len(w.parts) - i
			w.parts = w.parts[:i]
			w.call.Restarts++
			return
		}
	}
}

// goOn notes where the walk went from its last component: into what is mounted there, or
// where a link led it.
func (m *Model) goOn(w *walker, e *schema.Event) {
	n := len(w.parts)
	if n == 0 {
		m.starts(w, e)
		return
	}
	p := &w.parts[n-1]
	if p.Dentry == nil || e.Parent == 0 || e.Parent == p.Dentry.Addr {
		return
	}
	switch {
	case w.upward(p, e):
	case p.mountable:
		p.Mount = true
		if e.Facts&schema.FactParentIsRoot != 0 {
			m.mounted(m.State.Objects.at[e.Parent], p.Dentry)
		}
	default:
		p.Link = true
	}
}

// upward reports whether .. stands in the path between a component and the next name.
func (w *walker) upward(p *Component, e *schema.Event) bool {
	next := e.NameAddr - w.nameAddr
	if p.Beside || next >= uint64(len(w.call.Path)) || next < p.offset {
		return false
	}
	for _, word := range strings.Split(w.call.Path[p.offset:next], "/") {
		if word == ".." {
			return true
		}
	}
	return false
}

// starts notes where the first component is looked up.
func (m *Model) starts(w *walker, e *schema.Event) {
	w.call.Start = m.State.Objects.at[e.Parent]
	if d := w.call.Start; d != nil && strings.HasPrefix(w.call.Path, "/") {
		m.rooted(d)
	}
}

func (m *Model) add(w *walker, p Component) {
	if len(w.parts) >= maxParts || m.held >= maxAllParts {
		w.at, w.more = -1, true
		return
	}
	m.held++
	w.parts = append(w.parts, p)
	w.at = len(w.parts) - 1
}

// answered adds the exit of a lookup to its component.
func (w *walker) answered(s *Step) {
	id := s.Call.Enter.ID
	if w.within == id {
		w.within = 0
	}
	if w.entered != id || w.at < 0 {
		return
	}
	p, e := &w.parts[w.at], s.Event
	if s.Object == nil && p.allocated != 0 {
		return // d_alloc_parallel looks once more
	}
	p.Dentry, p.Negative = s.Object, s.Object != nil && negative(e)
	p.mountable = e.Facts&schema.FactMountpoint != 0
	if p.Found = FoundRef; s.Object == nil {
		p.Found = FoundNothing
	} else if e.Role == schema.RoleLookupRCU && p.allocated == 0 {
		p.Found = FoundRCU
	}
}

// negative reports whether the event shows a dentry without inode.
func negative(e *schema.Event) bool {
	return e.Dentry != 0 && e.Inode == 0 && e.Facts&schema.FactInodeUnknown == 0
}

// root reports whether the event shows the root of a filesystem.
func root(e *schema.Event) bool { return e.Dentry != 0 && e.Parent == e.Dentry }

// allocated adds the entry or the exit of an alloc to the call around it.
func (m *Model) allocated(t *strand, s *Step) {
	e, w := s.Event, t.inner()
	if w == nil {
		return
	}
	if e.Phase == schema.Enter {
		m.ask(w, e)
		return
	}
	w.call.Allocs++
	if s.Call == nil || w.entered != s.Call.Enter.ID || w.at < 0 {
		return
	}
	p := &w.parts[w.at]
	p.Dentry, p.Found, p.allocated, p.inserted = s.Object, FoundMiss, e.Time, 0
	w.missed = true
}
