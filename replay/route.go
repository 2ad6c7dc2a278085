// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// onLookup adds the entry, the exit, or the whole of a lookup to the call around it.
func (m *Model) onLookup(t *threadCalls, s *Step) {
	w := t.innermost()
	if e := s.Named(); e.Phase == schema.Enter {
		m.beginLookup(w, e)
	}
	e := s.Event
	if e.Phase == schema.Enter || s.Call == nil {
		return
	}
	if s.Object != nil && (e.Role != schema.RoleLookup || !m.chainsRecorded) {
		m.noteHit(s.Object, e)
	}
	if w != nil {
		w.endLookup(s)
	}
}

// beginLookup adds the entry of a lookup to a path call.
func (m *Model) beginLookup(w *walker, e *schema.Event) {
	if w == nil || w.outerLookup != 0 && e.Role == schema.RoleLookupChain { // the d_lookup around it counts
		return
	}
	if w.outerLookup = 0; e.Role == schema.RoleLookup {
		w.outerLookup = e.ID
	}
	w.refWalk = w.refWalk || !rcuRoles.Has(e.Role)
	m.findComponent(w, e)
}

// findComponent finds the component that a lookup or an alloc is entered for, or begins it.
//
// If the name lies in a path, it is the component there. A walk never goes back in its path: if it seems
// to, or if __d_lookup looks up a name that rcu-walk has looked up already, the walk has started over. A
// name elsewhere belongs to the target of a symbolic link, or to a lookup that a filesystem makes for
// itself.
func (m *Model) findComponent(w *walker, e *schema.Event) {
	w.lookupEntry = e.ID
	off, beside := w.locate(e)
	r := &w.routes[w.curRoute]
	n := len(r.parts)
	if beside && (w.walksEnded() || w.isFilesystemLookup(e) || e.Role == schema.RoleAlloc && (n == 0 || r.parts[n-1].offset != off)) {
		w.curPart = -1
		return
	}
	if e.FSType != "" && w.curRoute == 0 {
		w.fsType = e.FSType
	}
	if n > 0 && r.parts[n-1].OffPath == beside && r.parts[n-1].offset == off && r.parts[n-1].Name == e.Name {
		if p := &r.parts[n-1]; !p.isRestart(e) {
			w.curPart = n - 1
			p.lookupRoles |= RolesOf(e.Role)
			if p.Parent == 0 {
				p.Parent = e.Parent
			}
			return
		}
	}
	if !beside {
		m.startOver(w, off)
	}
	m.noteMountOrLink(w, e)
	m.addComponent(w, Component{Name: e.Name, ID: e.ID, At: e.Time, OffPath: beside, offset: off, Parent: e.Parent, lookupRoles: RolesOf(e.Role)})
}

// locate returns the offset of a name in the path that it lies in, and makes that the current one; or the
// name's address, if it lies in none. The second of two paths is tried first: up to Linux 5.14, linkat had
// freed the first one by then, and the second may lie at its address.
func (w *walker) locate(e *schema.Event) (off uint64, beside bool) {
	for i := w.used - 1; i >= 0; i-- {
		if r := &w.routes[i]; e.NameAddr-r.addr < max(uint64(r.bytes), uint64(len(r.path))) {
			w.curRoute = i
			return e.NameAddr - r.addr, false
		}
	}
	return e.NameAddr, true
}

// isRestart reports whether the lookup shows that the walk has started over at this component. __d_lookup is
// for a walk that is in ref-walk already; within one walk, what follows on an rcu-walk is d_lookup or an
// alloc.
func (p *Component) isRestart(e *schema.Event) bool {
	return e.Role == schema.RoleLookupChain && p.lookupRoles != 0 && p.allocatedAt == 0
}

// isFilesystemLookup reports whether a name that is not in the path is looked up by the filesystem on behalf
// of a component: the dentry of the last component has been allocated and not yet inserted, or the name is that
// of a component's dentry, as in lookups by overlayfs in the filesystem below.
func (w *walker) isFilesystemLookup(e *schema.Event) bool {
	parts := w.routes[w.curRoute].parts
	if n := len(parts); n > 0 {
		if p := &parts[n-1]; p.allocatedAt != 0 && p.insertedAt == 0 && p.Found == FoundMiss {
			return true
		}
	}
	named := func(p Component) bool { return p.Dentry != nil && p.Dentry.NameAddr == e.NameAddr }
	return e.NameAddr != 0 && (slices.ContainsFunc(w.routes[0].parts, named) || slices.ContainsFunc(w.routes[1].parts, named))
}

// walksEnded reports whether the walks of an operation have ended. A name looked up after that which lies in no
// path is looked up by the filesystem for itself: overlayfs looks for names in its work directory when it
// removes a file, or copies one up.
func (w *walker) walksEnded() bool {
	return w.used > 0 && !walkRoles.Has(w.role) && w.routes[0].walk == 0 && w.routes[1].walk == 0
}

// startOver drops what a walk had found at an offset of its path and behind it, if it has come back to
// that.
func (m *Model) startOver(w *walker, off uint64) {
	r := &w.routes[w.curRoute]
	for i := range r.parts {
		if p := &r.parts[i]; !p.OffPath && p.offset >= off {
			m.heldItems -= len(r.parts) - i
			r.parts = r.parts[:i]
			w.restart(m.State.now)
			return
		}
	}
}

// noteMountOrLink notes where the walk went from its last component: into what is mounted there, or where a
// link led.
func (m *Model) noteMountOrLink(w *walker, e *schema.Event) {
	r := &w.routes[w.curRoute]
	n := len(r.parts)
	if n == 0 {
		m.noteStart(w, e)
		return
	}
	p := &r.parts[n-1]
	if p.Dentry == nil || e.Parent == 0 || e.Parent == p.Dentry.Addr {
		return
	}
	if _, lost := m.State.Losses.FindWindow(p.answeredAt, e.Time, lookupRoles); lost || r.skipsNames(p, e) {
		return
	}
	switch {
	case p.mountable:
		p.Mount = true
		if e.Facts&schema.FactParentIsRoot != 0 {
			m.noteMount(m.State.Objects.find(e.Parent), p.Dentry)
		}
	default:
		p.Link, p.Follow = true, e.Time-min(p.answeredAt, e.Time)
	}
}

// skipsNames reports whether a name is not the next one in the path: .. stands between it and the component, or
// a name whose lookup is not in the trace.
func (r *route) skipsNames(p *Component, e *schema.Event) bool {
	next := e.NameAddr - r.addr
	if p.OffPath || next >= uint64(len(r.path)) || next < p.offset {
		return false
	}
	return !isOnlyDots(r.path[min(p.offset+uint64(len(p.Name)), next):next])
}

// isOnlyDots reports whether a part of a path consists of slashes and single dots, so that it leads nowhere.
func isOnlyDots(path string) bool {
	for word := range strings.SplitSeq(path, "/") {
		if word != "" && word != "." {
			return false
		}
	}
	return true
}

// noteStart notes the directory in which the first component is looked up, if the entry of the walk did not
// name its start. It does nothing if a component before it is not in the trace.
func (m *Model) noteStart(w *walker, e *schema.Event) {
	d := m.State.Objects.find(e.Parent)
	if w.curRoute != 0 || w.used == 0 {
		return
	}
	if off, path := e.NameAddr-w.routes[0].addr, w.routes[0].path; off >= uint64(len(path)) || !isOnlyDots(path[:off]) {
		return
	}
	if w.call.Start == nil {
		w.call.Start = d
	}
	if d != nil && w.routes[0].absolute && !w.call.OtherRoot {
		m.noteRoot(d)
	}
}

func (m *Model) addComponent(w *walker, p Component) {
	r := &w.routes[w.curRoute]
	if len(r.parts) >= maxParts || m.heldItems >= maxAllParts {
		w.curPart, w.incomplete = -1, true
		return
	}
	m.heldItems++
	r.parts = append(r.parts, p)
	w.curPart = len(r.parts) - 1
}

// component returns the component that is being looked up, or nil if there is none in the path.
func (w *walker) component() *Component {
	if parts := w.routes[w.curRoute].parts; w.curPart >= 0 && w.curPart < len(parts) {
		return &parts[w.curPart]
	}
	return nil
}

// endLookup adds the exit of a lookup to its component.
func (w *walker) endLookup(s *Step) {
	id := s.Call.Enter.ID
	if w.outerLookup == id {
		w.outerLookup = 0
	}
	p, e := w.component(), s.Event
	if w.lookupEntry != id || p == nil || s.Object == nil && p.allocatedAt != 0 { // d_alloc_parallel looks again after the alloc
		return
	}
	p.answeredAt = e.Time
	p.Dentry, p.Negative = s.Object, s.Object != nil && e.Negative()
	p.mountable = e.Facts&schema.FactMountpoint != 0
	switch {
	case p.allocatedAt != 0: // d_alloc_parallel, in ref-walk, found that another task had inserted one meanwhile
		p.ID, p.At, p.Found, p.allocatedAt = id, s.Call.Enter.Time, FoundRef, 0
		w.refWalk = true
		w.misses--
	case s.Object == nil:
		p.Found = FoundNothing
	case rcuRoles.Has(e.Role):
		p.Found = FoundRCU
	case w.walksEnded():
		p.Found = FoundLocked
	default:
		p.Found = FoundRef
	}
}

// onParallel notes that another task's dentry was taken in place of the one allocated.
func (m *Model) onParallel(t *threadCalls, s *Step) {
	w := t.innermost()
	if w == nil || s.Object == nil {
		return
	}
	if p := w.component(); p != nil && p.allocatedAt != 0 && p.insertedAt == 0 && p.Name == s.Object.Name {
		p.Wait, p.Dentry, p.Negative, p.insertedAt = s.Event.Time-p.allocatedAt, s.Object, s.Event.Negative(), s.Event.Time
	}
}

// showsRoot reports whether the event shows the root of a filesystem.
func showsRoot(e *schema.Event) bool { return e.Dentry != 0 && e.Parent == e.Dentry }

// onAlloc adds the entry, the exit, or the whole of an alloc to the call around it.
func (m *Model) onAlloc(t *threadCalls, s *Step) {
	e, w := s.Event, t.innermost()
	if w == nil {
		return
	}
	if asked := s.Named(); asked.Phase == schema.Enter {
		m.findComponent(w, asked)
	}
	if e.Phase == schema.Enter {
		return
	}
	w.call.Allocs++
	p := w.component()
	if s.Call == nil || w.lookupEntry != s.Call.Enter.ID || p == nil {
		return
	}
	p.Dentry, p.Found, p.allocatedAt, p.insertedAt = s.Object, FoundMiss, e.Time, 0
	w.misses++
}
