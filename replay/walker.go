// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// walker is a path call in progress: an operation with its walks, or one walk alone.
type walker struct {
	call        *PathCall   // overwritten by the next call
	handedOut   []Component // components of the call handed out last
	role        schema.Role
	routes      [2]route
	used        int // number of routes in use
	curRoute    int // index of the route walked last
	curPart     int // index in its parts of the component that is being looked up; -1: nothing in the path
	lookupEntry uint64
	fsType      string   // type of the filesystem asked last
	outerLookup uint64   // entry of the d_lookup in progress, whose __d_lookup is ignored; 0: none
	refWalk     bool     // it was in ref-walk
	last        EventRef // the last event of the call or of one inside it
	lastAt      uint64   // its time
	misses      int      // components for which a dentry was allocated, less those that were in the cache after all
	exitLost    bool     // its exit may be lost: what follows may not be in it
	incomplete  bool     // not all of it is known: too many components, or a walk without an end
	negatives   []uint64 // addresses of the negative dentries that it made
}

// route is one path of a path call, with what its walk has found.
type route struct {
	path     string
	bytes    uint32      // length of the whole path
	addr     uint64      // address of the string
	walk     uint64      // the entry of its walk; 0: none in progress
	role     schema.Role // role of the walk
	absolute bool        // it starts in the root directory
	parts    []Component
}

// Bounds on the components of a call, on those of all calls in progress, and on those that a spare walker
// keeps room for. A path of PATH_MAX bytes has at most half of maxParts, but links add theirs.
const (
	maxParts    = 4096
	maxAllParts = 1 << 16
	spareParts  = 64
)

// beginCall begins a path call, or a walk in the operation around it.
func (m *Model) beginCall(t *threadCalls, e *schema.Event) {
	outer := t.innermost()
	if outer != nil && walkRoles.Has(e.Role) && m.joinWalk(outer, e) {
		return
	}
	if m.walking >= callsBudget/callBytes || len(t.calls) >= maxDepth {
		m.handOutUnfinished(t, 0)
		outer = nil
	}
	w := recycled(&m.spare)
	if w.call == nil {
		w.call = new(PathCall)
	}
	w.role, w.curPart = e.Role, -1
	*w.call = PathCall{ID: e.ID, Operation: operation(e.Role), PID: e.PID, TID: e.TID, Comm: e.Comm, Program: t.task.Program, At: e.Time, How: e.How}
	if outer != nil {
		w.call.Outer = outer.call.ID
	}
	if walkRoles.Has(e.Role) {
		m.beginWalk(w, e)
	}
	t.calls = append(t.calls, w)
	w.noteGap(e, &m.State.Losses)
	m.walking++
}

// joinWalk adds a walk to the operation around it, and reports whether it belongs there. An open belongs to an
// execve that has no path yet.
func (m *Model) joinWalk(w *walker, e *schema.Event) bool {
	if walkRoles.Has(w.role) || e.Role == schema.RoleOpen && (!w.role.Is(schema.TraitExecutes) || w.used > 0) {
		return false
	}
	for i := range w.used {
		if r := &w.routes[i]; r.addr == e.NameAddr && r.path == e.Name && r.role == e.Role { // tried once more
			m.heldItems -= len(r.parts)
			r.walk, r.parts, w.curRoute, w.curPart = e.ID, r.parts[:0], i, -1
			w.restart(e.Time)
			return true
		}
	}
	if w.used == len(w.routes) {
		return false
	}
	m.beginWalk(w, e)
	return true
}

// beginWalk begins the walk of a path.
func (m *Model) beginWalk(w *walker, e *schema.Event) {
	r, c := &w.routes[w.used], w.call
	r.path, r.bytes, r.addr, r.walk, r.role, r.absolute = e.Name, e.NameLen, e.NameAddr, e.ID, e.Role, e.FromRoot()
	start := m.State.Objects.find(e.Start)
	if w.used == 0 {
		c.Path, c.Start, c.StartAddr, c.OtherRoot = e.Name, start, e.Start, e.Facts&schema.FactOtherRoot != 0
		if c.Operation != renameOp {
			c.How = e.How
		}
	} else {
		c.Target = e.Name
	}
	if start != nil && e.FromRoot() && e.Facts&schema.FactOtherRoot == 0 {
		m.noteRoot(start)
	}
	w.curRoute, w.curPart = w.used, -1
	w.used++
}

// isPathless reports whether a call had no path, like utimensat on a descriptor.
func (m *Model) isPathless(w *walker, until uint64) bool {
	if w.used > 0 || !w.role.LacksPath(w.call.Errno) {
		return false
	}
	_, lost := m.State.Losses.FindWindow(w.call.At, until, RolesOf(schema.RoleWalk))
	return m.walksRecorded && !lost
}

// restart notes that the walk starts over.
func (w *walker) restart(now uint64) {
	w.call.Restarts++
	w.call.UntilRestart = now - min(now, w.call.At)
}

// noteGap notes the time since the last event of the call or of a call inside it. A stretch in which events
// were lost is no gap.
func (w *walker) noteGap(e *schema.Event, losses *Losses) {
	now := EventRef{e.ID, e.Role, e.PhaseInFile()}
	if took := e.Time - min(e.Time, w.lastAt); w.last.ID != 0 && took > w.call.Gap.Took && !losses.HasWindow(w.lastAt, e.Time) {
		w.call.Gap = Gap{w.last, now, took}
	}
	w.last, w.lastAt = now, e.Time
}

// endWalk ends a walk in an operation, if the step is its exit.
func (m *Model) endWalk(t *threadCalls, s *Step) bool {
	w := t.innermost()
	if w == nil || walkRoles.Has(w.role) {
		return false
	}
	for i := range w.used {
		if r := &w.routes[i]; r.walk == s.Call.Enter.ID {
			r.walk = 0
			if s.Event.Role != schema.RoleWalkParent && i == 0 {
				m.setResult(w, s)
			}
			return true
		}
	}
	return false
}

// setResult notes what the first path of a call led to.
func (m *Model) setResult(w *walker, s *Step) {
	c, e := w.call, s.Event
	c.Dentry, c.Inode, c.Ino, c.FSType = s.Object, e.Inode, e.Ino, e.FSType
	parts := w.routes[0].parts
	for i := range parts {
		if p := &parts[i]; !p.OffPath && p.Link && p.Dentry == c.Dentry { // the link was not followed: the filesystem looked up what came after it
			unfollow(parts[i:])
			break
		}
	}
	if n := len(parts); n > 0 && c.Dentry != nil && parts[n-1].mountable && showsRoot(e) && parts[n-1].Dentry != c.Dentry {
		parts[n-1].Mount = true
		m.noteMount(c.Dentry, parts[n-1].Dentry)
	}
}

// unfollow marks components as not being links.
func unfollow(parts []Component) {
	for i := range parts {
		parts[i].Link, parts[i].Follow = false, 0
	}
}

// endCall hands out the path call that the step leaves. Those entered after it have lost their exits.
func (m *Model) endCall(t *threadCalls, i int, s *Step) {
	m.handOutUnfinished(t, i+1)
	w, e := t.calls[i], s.Event
	t.calls = t.calls[:i]
	c := w.call
	c.End, c.Took, c.Errno = e.ID, e.Time-min(c.At, e.Time), e.Errno()
	if walkRoles.Has(w.role) {
		m.setResult(w, s)
	} else if parts := w.routes[0].parts; c.Dentry == nil && !c.Failed() && len(parts) > 0 && m.sawAllLookups(w, e.Time) {
		if c.Dentry = parts[len(parts)-1].Dentry; c.Dentry != nil {
			c.Inode = c.Dentry.Inode
		}
	}
	if c.FSType == "" {
		c.FSType = w.fsType
	}
	for _, addr := range w.negatives {
		if n := m.negatives[addr]; n != nil && n.Call == c.ID && n.Fate == FateAlive {
			if m.endMayBeMissing(n) {
				c.Unsure = true
			} else {
				c.Negatives++
			}
		}
	}
	c.Unsure = c.Unsure || m.mayLack(c.At, negativeRoles)
	if m.isPathless(w, e.Time) {
		m.release(w)
		return
	}
	m.handOut(w, e.Time)
}

// handOutUnfinished hands out the calls of a thread from index i on: their exits will not come.
func (m *Model) handOutUnfinished(t *threadCalls, i int) {
	for n := len(t.calls); n > i; n-- {
		t.calls[n-1].call.Unsure = true
		m.handOut(t.calls[n-1], m.State.now)
		t.calls = t.calls[:n-1]
	}
}

// onGivenUp is called for a call that the state drops.
func (m *Model) onGivenUp(c *Call) {
	t := m.threads[c.Enter.TID]
	if t == nil || !callRoles.Has(c.Enter.Role) {
		return
	}
	if i := t.indexOf(c.Enter.ID); i >= 0 {
		m.handOutUnfinished(t, i)
		return
	}
	for _, w := range t.calls {
		for i := range w.used {
			w.incomplete = w.incomplete || w.routes[i].walk == c.Enter.ID
		}
	}
}

// handOut sets the class of the call and hands it out.
func (m *Model) handOut(w *walker, last uint64) {
	defer m.release(w)
	if k := m.tasks[taskKey(w.call.PID, w.call.TID)]; k != nil {
		k.count(w.call)
	}
	if c := w.call; m.Call != nil && !m.State.logged { // the lines of a kernel log do not say whose calls they are of
		c.Whole = m.classRecorded && c.End != 0 && !w.incomplete
		if c.Whole && len(m.State.Losses.windows) > 0 {
			_, lost := m.State.Losses.FindWindow(c.At, last, classRoles)
			c.Whole = !lost
		}
		switch {
		case w.misses > 0:
			c.Class = ClassMiss
		case !c.Whole:
		case w.refWalk || c.Restarts > 0:
			c.Class = ClassRef
		default:
			c.Class = ClassRCU
		}
		m.setComponents(w)
		if c.Dentry != nil || m.sawAllLookups(w, last) {
			c.Resolved = m.resolvedPath(c)
		}
		if parts := w.routes[1].parts; len(parts) > 0 && m.sawAllLookups(w, last) {
			last := &parts[len(parts)-1]
			c.ResolvedTarget = InDir(m.PathAt(last.Parent), last.Name)
		}
		m.Call(c)
	}
}

// sawAllLookups reports whether the last component that a call looked up is the one that its walk stopped at:
// no walk and no lookup of it was lost.
func (m *Model) sawAllLookups(w *walker, until uint64) bool {
	_, lost := m.State.Losses.FindWindow(w.call.At, until, classRoles|walkRoles)
	return !lost
}

// release frees a call that is over; a small one is kept for reuse.
func (m *Model) release(w *walker) {
	m.walking--
	m.heldItems -= len(w.routes[0].parts) + len(w.routes[1].parts) + len(w.negatives)
	if cap(w.routes[0].parts)+cap(w.routes[1].parts)+cap(w.negatives) <= spareParts {
		*w = walker{call: w.call, handedOut: w.handedOut[:0], routes: [2]route{{parts: w.routes[0].parts[:0]}, {parts: w.routes[1].parts[:0]}}, negatives: w.negatives[:0]}
		m.spare = append(m.spare, w)
	}
}

// setComponents gives a call the components of its walks.
func (m *Model) setComponents(w *walker) {
	w.handedOut = w.handedOut[:0]
	for i := range w.routes {
		for _, p := range w.routes[i].parts {
			w.call.Filesystem += p.Filesystem + p.Create
			w.call.Wait += p.Wait
			if p.OfTarget = i == 1; p.Found == FoundMiss {
				p.Path = InDir(m.PathAt(p.Parent), p.Name)
			}
			w.handedOut = append(w.handedOut, p)
		}
	}
	w.call.Components = w.handedOut
}

// resolvedPath returns the path that the first path of a call came to; empty if that is not known.
func (m *Model) resolvedPath(c *PathCall) string {
	n := len(c.Components)
	for n > 0 && c.Components[n-1].OfTarget {
		n--
	}
	if d := c.Dentry; d != nil {
		if out := d.UnhashedSince(); out != 0 && out < c.ID { // it was found by another way than its name, as in /proc/PID/fd
			path, _ := m.buildPath(d, true)
			return path
		}
		found := c.ID
		if n > 0 && c.Components[n-1].Dentry == d {
			found = c.Components[n-1].ID
		}
		return m.pathFound("", d, found)
	}
	if n == 0 {
		return ""
	}
	last := &c.Components[n-1]
	if last.Dentry != nil && (last.Dentry.Parent == last.Parent || last.Dentry.Moved > last.ID) {
		return m.pathFound(last.Path, last.Dentry, last.ID)
	}
	return inDirAs(last.Path, m.PathAt(last.Parent), last.Name)
}
