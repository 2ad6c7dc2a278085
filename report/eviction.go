// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Eviction Kind = 9

var _ = register(func() kind {
	e := evictions{paths: make(map[*Program]map[string]*pathState), room: pathsBudget}
	return kind{
		number:   Eviction,
		name:     "eviction",
		says:     "a dentry that was cached was killed, and another one allocated for the same path",
		open:     e.open,
		enters:   replay.RolesOf(schema.RoleKill),
		exits:    replay.RolesOf(schema.RoleKill),
		dentries: true,
		event:    killedBy,
		needs: replay.RolesOf(schema.RoleLookup, schema.RoleLookupRCU, schema.RoleInsert, schema.RoleDelete, schema.RoleDrop,
			schema.RoleMove), // they show that it was in the cache, and under this path
		some: replay.RolesOf(schema.RoleEvict),
		shows: []operand{
			killed(two), allocated(one, schema.RoleAlloc),
			{show: func(v *view) {
				if at := v.two.Evict; at != 0 {
					v.term(v.label(schema.RoleEvict, schema.Enter), 0, at, "")
				}
			}},
		},
		fails: []test{
			{[]*Reason{Unwatched, Forgotten, EventsLost, Contradicted, MaybeKilled}, replay.RolesOf(schema.RoleKill), e.unsure},
			when(OtherName, func(v *view) bool { return v.two.Name != v.one.Name }),
			when(OtherDirectory, func(v *view) bool { return !e.together }),
		},
		fill: distance,
		tell: evicted,
		draw: func(cl *Claim, it *Item) []string {
			return []string{
				fmt.Sprintf("before the kill: %s %s, %s #%d", replay.Printable(it.Path), cl.Other, cl.Terms[0].Label, cl.Terms[0].Event),
				fmt.Sprintf("after  the kill: %s %s, %s #%d", replay.Printable(it.Path), cl.Object, cl.Terms[1].Label, cl.Terms[1].Event),
			}
		},
		lesson: func(cl *Claim, it *Item) string {
			return fmt.Sprintf("%s was killed at #%d, and %s was allocated at #%d, for %s", cl.Other, cl.Terms[0].Event, cl.Object, cl.Terms[1].Event, code(it.Path))
		},
		page: pageText{
			lead: paragraph{at: 3, before: "Eviction is two events and a subtraction.",
				after: "The kill and the new allocation prove it; the addresses alone would not, since a slab may hand the same one out again."},
			probes: paragraph{at: 2, before: "Now go on to eviction and rebuild.",
				after: "This is why the kill is probed: without it, two addresses do not say whether there was one lifetime or two."},
		},
	}
})

// Bounds on the paths that are followed from open to open.
const (
	maxPaths    = 2048    // of one program
	pathsBudget = 4 << 20 // bytes, of all programs
	pathBytes   = 640     // of one path without its name; the dentry is included, as replay may have forgotten it
)

// evictions holds the paths of all programs that are followed, and the parts of the claim at hand.
type evictions struct {
	paths map[*Program]map[string]*pathState
	room  int // bytes left for further paths

	together bool             // both dentries were looked up in one directory
	gone     []*replay.Object // both dentries, and that directory
}

var OtherDirectory = &Reason{Unproven, "no event shows that both names were looked up in one directory", false}

// unsure fails if it is not known what became of one of the two dentries or of their directory.
func (e *evictions) unsure(*view) (*Reason, About) {
	for _, d := range e.gone {
		if !followed(d) {
			return lack(d)
		}
		if d.Killed != 0 && !d.Ended() {
			return MaybeKilled, About{Event: d.KillAttempt}
		}
	}
	return nil, About{}
}

// killedBy notes who killed a dentry that the report knows about.
func killedBy(v *view) {
	s := v.step
	if s.Object.Killed != s.Event.ID {
		return
	}
	if n := s.Object.Notes; n != nil {
		n.KillerPID, n.KilledInside = s.Event.PID, s.Open != nil
	}
}

// pathState is the dentry that a path of one program led to when it was last opened, if that dentry was in
// the cache when the open returned.
type pathState struct {
	obj   *replay.Object
	dir   *replay.Object // the directory it was looked up in; nil: not known
	pid   uint32         // the process that opened it
	since uint64         // when that open began, in ns since boot
	exit  uint64         // event of that open's exit
	bare  bool           // it has no inode, so no open file holds it
	hit   bool           // a later open led to it again
}

// open compares the dentry of this open with that of the program's last open of the same path, if both
// opens walked the whole path.
func (e *evictions) open(v *view) {
	c, w := v.collector, v.w
	d, path := c.cameTo(w), w.enter().Name
	if d == nil {
		return
	}
	paths := e.paths[v.p]
	if paths == nil {
		paths = make(map[string]*pathState)
		e.paths[v.p] = paths
	}
	before := paths[path]
	if before != nil && before.obj == d && d.Killed == 0 {
		before.hit, before.pid, before.exit, before.bare = true, w.exit().PID, w.exit().ID, bare(d)
		return
	}
	now := pathState{obj: d, dir: c.directory(), pid: w.exit().PID, since: w.enter().Time, exit: w.exit().ID, bare: bare(d)}
	if before != nil {
		if old := before.obj; old.Killed != 0 && d.Born > old.Killed && before.cached() {
			e.judge(v, before, &now)
		}
	}
	cost := pathBytes + len(path)
	if before != nil {
		e.room += cost
		delete(paths, path)
	}
	inCache := d.Killed == 0 && d.UnhashedSince() == 0 && (d.Born == 0 || d.Inserted != 0)
	if !inCache || len(paths) >= maxPaths || e.room < cost {
		return
	}
	e.room -= cost
	d.Note()
	d.Keep()
	if now.dir != nil {
		now.dir.Keep()
	}
	kept := now // copied only here, as most are not kept
	paths[strings.Clone(path)] = &kept
}

func bare(d *replay.Object) bool { return d.Inode == 0 && d.InodeUnread == 0 }

// directory returns the directory in which the last component was looked up; nil: not known.
func (c *collector) directory() *replay.Object {
	if len(c.rows) == 0 {
		return nil
	}
	last := &c.rows[len(c.rows)-1]
	if last.lookup == nil {
		return nil
	}
	dir := c.state.Objects.At(last.lookup.ev.Parent)
	if dir != nil && dir.First > last.lookup.ev.ID {
		return nil // another dentry has this address by now
	}
	return dir
}

// cameTo returns the dentry of the whole path, with or without an inode. It is nil if a symbolic link or a
// mount leads on from there, if the walk ended before it, or if the dentry was allocated in vain.
func (c *collector) cameTo(w *walk) *replay.Object {
	n := len(c.rows)
	if n == 0 || c.links > 0 || w.overflow || rest(w.enter().Name, c.rows[n-1].end) != "" {
		return nil
	}
	d := w.end().obj
	last := c.rows[n-1].result
	if d != nil && d != last || last != nil && overtaken(last) {
		return nil
	}
	return last
}

// overtaken reports whether a dentry was allocated in vain: the filesystem did not insert it, or another
// dentry of the same name was inserted first.
func overtaken(d *replay.Object) bool { return d.Born != 0 && d.Killed != 0 && d.Inserted == 0 }

// cached reports whether the dentry was in the cache until drop_caches or somebody else's work killed it.
// It is false if the dentry was unhashed or renamed before, if it ended with its file, or if the process
// that had it open may have let go of it.
func (s *pathState) cached() bool {
	d, by := s.obj, s.obj.Note()
	switch {
	case d.Moved != 0 || d.UnhashedSince() != 0 && d.UnhashedSince() <= d.Killed:
		return false
	case d.Evict != 0:
		return true
	case d.Deleted > s.exit && d.Deleted > d.Hit:
		return false
	}
	return s.bare || s.hit || by.KilledInside || by.KillerPID != s.pid
}

// apart reports whether two names were looked up in different directories. If the second directory may have
// taken the place of the first, it may be the same name of another directory, and that is not known.
func apart(old, d *replay.Object) bool {
	return old != nil && d != nil && old != d &&
		(old.Killed == 0 || old.Deleted != 0 || d.First < old.Killed || old.Name != "" && d.Name != "" && old.Name != d.Name)
}

// judge makes the claim that, between two opens of one path, the dentry was killed and another one was
// allocated, at the same or another address.
func (e *evictions) judge(v *view, before, now *pathState) {
	if apart(before.dir, now.dir) || now.obj.Moved != 0 {
		return
	}
	e.together, e.gone = before.dir != nil && before.dir == now.dir, append(e.gone[:0], before.obj, now.obj)
	if e.together {
		e.gone = append(e.gone, now.dir)
	}
	v.one, v.two = now.obj, before.obj
	first := min(before.since, now.since)
	for _, o := range e.gone {
		first = min(first, o.FirstAt)
	}
	v.at = whole(first, v.exit.Time)
	v.judge()
}

// distance sets the claim to the difference of the two addresses, with the lower one on the right.
func distance(v *view, cl *Claim) {
	cl.Left, cl.Right = v.terms[0], v.terms[1]
	if v.one.Addr > v.two.Addr {
		cl.Left, cl.Right = cl.Right, cl.Left
	}
	cl.Result = cl.Left.Value - cl.Right.Value
	cl.Note.Text = v.slots(v.two.Addr, v.one.Addr)
}

// slots returns the distance of two dentries in slab slots, in words, if both lie in one page; otherwise it
// is empty, except for two dentries with the same address.
func (c *collector) slots(a, b uint64) string {
	size, page := uint64(c.layout.GetDentrySize()), uint64(c.layout.GetPageSize())
	switch {
	case a == b:
		return "the same address again, a new dentry"
	case size == 0 || page == 0 || a/page != b/page || (max(a, b)-min(a, b))%size != 0:
		return ""
	}
	n := (max(a, b) - min(a, b)) / size
	return strconv.FormatUint(n, 10) + " slots of " + strconv.FormatUint(size, 10) + " bytes, in one page"
}

// evicted returns the sentence of the claim.
func evicted(cl *Claim, _ func(string) string) string {
	kill, born, by := cl.Terms[0], cl.Terms[1], ""
	if len(cl.Terms) > 2 {
		by = fmt.Sprintf(" by drop_caches (%s, #%d)", cl.Terms[2].Label, cl.Terms[2].Event)
	}
	return fmt.Sprintf("%s was killed at #%d%s, %s was allocated at #%d: %s", cl.Other, kill.Event, by, cl.Object, born.Event, cl.Subtraction())
}
