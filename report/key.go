// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const Key Kind = 0

var _ = register(func() kind {
	var k PathWalk
	return kind{
		number: Key,
		name:   "key",
		says:   "which components were looked up, each under the dentry of the one before it or where a mount point, a link or .. led, and where a failed walk stopped",
		open:   k.open,
		walks:  true,
		needs:  lookups | replay.RolesOf(schema.RoleAlloc, schema.RoleInsert, schema.RoleKill),
		reasons: []*Reason{TooManyEvents, CutName, AllocOnly, NotLookedUp, TwoParents, NoResult, MissedEnd, Unwatched, Forgotten, Contradicted,
			Replaced, KilledOnTheWay, OtherParent},
		tell: func(cl *Claim, q func(string) string) string {
			if cl.Detail == nil {
				return "" // an open without an exit
			}
			return cl.Detail.(*PathWalk).says(q)
		},
	}
})

// Why a key claim is not proven, in addition to the reasons shared with other kinds.
var (
	NotLookedUp    = &Reason{Unproven, "not looked up: %s", false}
	AllocOnly      = &Reason{Unproven, "a dentry was allocated for component %s without a lookup of it", false}
	NoResult       = &Reason{Unproven, "the dentry that a component led to was not recorded", false}
	KilledOnTheWay = &Reason{Unproven, "the dentry of the previous component was killed before the next lookup", false}
	Replaced       = &Reason{Unproven, "the walk continued under another dentry than the one allocated, and no insert of the allocated one was recorded", false}
	OtherParent    = &Reason{Unproven, "a component was looked up under another dentry than the previous component led to, and nothing recorded leads there", false}
)

// PathWalk lists the components of a path in the order in which they were looked up.
type PathWalk struct {
	Stop Stop // what came after the last of Keys

	rows   []KeyRow
	looked []*row // the source of rows that are not built yet; valid until the next open
}

func (k *PathWalk) clone() Detail { return &PathWalk{Stop: k.Stop, rows: slices.Clone(k.Keys())} }
func (k *PathWalk) bytes() int    { return keyBytes * max(len(k.rows), len(k.looked)) }

// Keys returns the components. They are built on demand, as for most claims nobody asks.
func (k *PathWalk) Keys() []KeyRow {
	for i := len(k.rows); i < len(k.looked); i++ {
		k.rows = append(k.rows, k.looked[i].key())
	}
	return k.rows
}

// KeyRow is one component of a path as it was looked up.
type KeyRow struct {
	Way       Way // what lies between this component and the one before it, or the start
	Component string
	Offset    int // offset in the path, in bytes
	Parent    uint64
	Event     uint64 // the entry of the lookup
	Result    Ref    // what the component came to; Seq 0: not known
	ResultAt  uint64 // the event that showed the result
	Making    bool   // that event was its alloc, and the dentry was not inserted
}

// Way is what leads a walk from the result of one component to the directory in which the next one is
// looked up. The zero value means that they are the same dentry.
type Way struct {
	Up      bool    // the path has ".." there, which is never looked up
	Outside outside // lookups of other names
	Mount   bool    // the component before is a mount point, and this one is under the root of a filesystem
	Bind    Ref     // the component before is a mount point, and this one is under this directory, which is no root
}

// outside counts lookups of names that are not in the path: those in the body of a symbolic link, or those
// a filesystem makes itself.
type outside struct {
	Count       int
	First, Last uint64 // event ids
}

func (o *outside) add(id uint64) {
	if o.Count++; o.First == 0 {
		o.First = id
	}
	o.Last = id
}

// Stop describes the end of a walk.
type Stop struct {
	Way   Way    // after the last component
	Rest  string // the part of the path that was not looked up
	Ret   uint64 // the error that the open, walk or operation returned; 0: none
	Event uint64 // the event that returned it
}

// open makes the claim on the components of the path that were looked up, and on how the walk got from each
// to the next. If the open failed, the components end where the walk stopped, and the claim says nothing
// about the rest of the path.
func (k *PathWalk) open(v *view) {
	c, enter, exit := v.collector, v.enter, v.exit
	if len(c.rows) == 0 {
		return
	}
	cl := c.begin(v.kind, v.needed(), enter.Name, whole(enter.Time, exit.Time))
	if v.w.overflow {
		cl.doubt(TooManyEvents, About{})
	}
	if enter.NameCut() {
		cl.doubt(CutName, About{})
	}
	k.rows, k.looked, k.Stop = k.rows[:0], k.looked[:0], Stop{}
	next, way := 0, Way{} // next: the part of the path before it is accounted for
	for i := range c.rows {
		r := &c.rows[i]
		if r.lookup == nil {
			cl.doubt(AllocOnly, named(quote(enter.Name, r.offset, r.end)))
			continue
		}
		gap, up := skipped(enter.Name, next, r.offset)
		if gap != "" {
			cl.doubt(NotLookedUp, named(gap))
		}
		if has := quote(enter.Name, r.offset, r.end); has != r.lookup.ev.Name && !r.lookup.ev.NameCut() {
			cl.doubt(NotLookedUp, named(has))
		}
		if r.torn {
			cl.doubt(TwoParents, About{})
		}
		if r.way, r.way.Up = way, up; i > 0 {
			v.chain(cl, &c.rows[i-1], r)
		}
		c.term(c.label(r.lookup.ev.Role, schema.Enter), r.lookup.ev.Parent, r.lookup.ev.ID, r.lookup.ev.Comm)
		k.looked = append(k.looked, r)
		next, way = r.end, Way{Outside: r.after}
	}
	if d := c.rows[len(c.rows)-1].result; d != nil && d.Contradicted != nil {
		cl.doubt(lack(d))
	}
	gap, up := skipped(enter.Name, next, len(enter.Name))
	if exit.Errno() == 0 {
		if gap != "" {
			cl.doubt(NotLookedUp, named(gap))
		}
	}
	if last := &c.rows[len(c.rows)-1]; last.result == nil && (exit.Errno() == 0 || last.after.Count > 0) || exit.Errno() == 0 && c.ending().result == nil {
		cl.doubt(NoResult, About{}) // although the walk went on from there
	}
	if cl.Detail = k; exit.Errno() != 0 {
		k.Stop = Stop{Rest: rest(enter.Name, next), Ret: exit.Ret, Event: exit.ID}
	} else {
		way.Up = up
	}
	k.Stop.Way = way
	c.emit(v.p, v.it, cl)
}

// key returns the row as a KeyRow.
func (r *row) key() KeyRow {
	e := &r.lookup.ev
	k := KeyRow{Way: r.way, Component: e.Name, Offset: r.offset, Parent: e.Parent, Event: e.ID, Result: ref(r.result)}
	if r.at != nil {
		k.ResultAt, k.Making = r.at.ev.ID, r.making()
	}
	return k
}

// chain compares the parent of one component with the result of the one before. If they differ, something
// recorded must lead from the result to the parent. If nothing does, the claim is unproven, not refuted: a
// symbolic link to / or one in /proc has no name that is looked up.
func (v *view) chain(cl *Claim, prev, r *row) {
	e, way := &r.lookup.ev, &r.way
	switch {
	case prev.result == nil:
		cl.doubt(NoResult, About{})
	case !followed(prev.result):
		cl.doubt(lack(prev.result))
	case prev.making() && prev.result.Addr != e.Parent:
		cl.doubt(Replaced, About{})
	case prev.result.Killed != 0 && prev.result.Killed < e.ID:
		cl.doubt(KilledOnTheWay, About{})
	case prev.result.Addr == e.Parent:
	case way.Up || way.Outside.Count > 0:
	case prev.at.ev.Facts&schema.FactMountpoint == 0:
		cl.doubt(OtherParent, About{})
	case e.Facts&schema.FactParentIsRoot != 0:
		way.Mount = true
	default:
		v.bound(cl, way, e)
	}
}

// bound checks that the recording knows the directory that a mount point led to and that is not the root of
// a filesystem, as with a bind mount of a directory.
func (v *view) bound(cl *Claim, way *Way, e *schema.Event) {
	d := v.state.Objects.At(e.Parent)
	if d == nil || d.First > e.ID || d.Name == "" {
		cl.doubt(OtherParent, About{})
		return
	}
	if w, hit := v.state.Losses.FindWindow(d.FirstAt, e.Time, lives); hit {
		cl.doubt(EventsLost, About{Text: lossReason(w)})
	}
	if !followed(d) {
		cl.doubt(lack(d))
	}
	way.Bind = ref(d)
}

// named returns a part of a path as what a reason is about.
func named(s string) About { return About{Text: replay.Printable(s)} }

// skipped returns the first component of path between two offsets, and whether ".." is among them. Neither
// ".." nor "." is ever looked up.
func skipped(path string, from, to int) (name string, up bool) {
	if gap := path[min(from, to):to]; gap == "" || gap == "/" { // the usual case
		return "", false
	}
	for part := range strings.SplitSeq(path[min(from, to):to], "/") {
		switch {
		case part == "..":
			up = true
		case part != "" && part != "." && name == "":
			name = part
		}
	}
	return name, up
}

// rest returns the part of path from an offset on, without the slashes at either end; empty if it holds
// neither a component nor "..".
func rest(path string, from int) string {
	if from >= len(path) {
		return ""
	}
	path = strings.Trim(path[min(from, len(path)):], "/")
	if name, up := skipped(path, 0, len(path)); name == "" && !up {
		return ""
	}
	return path
}

// quote returns path[from:to], with the bounds clipped to the path.
func quote(path string, from, to int) string {
	return path[min(from, len(path)):min(to, len(path))]
}

// says returns the components as a sentence, in the order in which they were looked up.
func (k *PathWalk) says(q func(string) string) string {
	var b strings.Builder
	keys := k.Keys()
	for i := range keys {
		if i > 0 {
			b.WriteString("; ")
		}
		r := &keys[i]
		at := fmt.Sprintf("%#x", r.Parent)
		if r.Way.Bind.Seq != 0 {
			at = r.Way.Bind.String()
		}
		fmt.Fprintf(&b, "%s%s under %s (#%d) → %s", r.Way.says(q), q(r.Component), at, r.Event, r.came())
	}
	if then := k.Stop.Way.between(q); then != "" {
		b.WriteString("; then " + then)
	}
	if s := &k.Stop; s.Ret != 0 && len(keys) > 0 {
		at := "there"
		if s.Way.Outside.Count == 0 {
			at = "at " + q(keys[len(keys)-1].Component)
		}
		fmt.Fprintf(&b, "; stopped %s: %s (#%d)", at, schema.ErrnoText(schema.Errno(s.Ret)), s.Event)
		if s.Rest != "" {
			b.WriteString(", not looked up: " + q(s.Rest))
		}
	}
	return b.String()
}

func (w *Way) says(q func(string) string) string {
	switch {
	case w.Mount:
		return "after that mount point, in the root of a filesystem: "
	case w.Bind.Seq != 0:
		return "after that mount point, in a directory that is not the root of a filesystem: "
	case w.Outside.Count == 0 && !w.Up:
		return ""
	}
	return "after " + w.between(q) + ": "
}

// between names the parts of a way other than mount points.
func (w *Way) between(q func(string) string) string {
	var parts []string
	if o := w.Outside; o.Count > 0 {
		at := fmt.Sprintf("#%d", o.First)
		if o.Count > 1 {
			at += fmt.Sprintf(" to #%d", o.Last)
		}
		parts = append(parts, "lookups of names outside the path, a symbolic link's or a filesystem's own ("+at+")")
	}
	if w.Up {
		parts = append(parts, q(".."))
	}
	return strings.Join(parts, " and ")
}

// came returns what the component came to.
func (k *KeyRow) came() string {
	switch {
	case k.Result.Seq == 0:
		return "nothing"
	case k.Making:
		return fmt.Sprintf("%s allocated (#%d)", k.Result, k.ResultAt)
	}
	return fmt.Sprintf("%s (#%d)", k.Result, k.ResultAt)
}
