// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// walk is an open or another walk of a path while it is being recorded: its events, with the dentries they
// are about.
type walk struct {
	steps    []walkStep
	roles    replay.Roles // roles of its events
	overflow bool         // it had more events than are looked at
	nests    bool         // another open is made within it, whose events are not in steps
	execs    bool         // it is the open of the file that an exec runs
	picked   bool         // at least one of its events is, see Options.Only
	then     *walk        // for an operation on two paths the other walk; nil: none
}

type walkStep struct {
	ev    schema.Event
	obj   *replay.Object
	enter uint64 // for an exit the id of its entry
	after uint64 // for an entry: the call was not entered before this event
}

// row is one component of the path as the walk looked it up.
type row struct {
	offset int // offset in the path, in bytes
	end    int
	lookup *walkStep      // entry of the first lookup
	alloc  *walkStep      // entry of the alloc: the copy source
	result *replay.Object // what the component came to
	at     *walkStep      // the event that showed the result
	after  outside        // lookups after it of names that are not in the path
	torn   bool           // it was looked up under two different parents
	way    Way            // what led to it, once the key claim is made
}

func (w *walk) add(s *replay.Step, room bool) {
	if (len(w.steps) >= maxWalkSteps || !room) && s.Call != s.Open {
		w.overflow = true
		return
	}
	w.roles = w.roles.With(s.Event.Role)
	if s.Event.Entry != nil {
		w.step(s.Event.Entry).after = s.Call.NotBefore
	}
	k := w.step(s.Event)
	k.ev.Entry = nil // the entry is the step before
	k.obj = s.Object
	switch {
	case s.Call == nil:
	case s.Event.Phase == schema.Enter:
		k.after = s.Call.NotBefore
	default:
		k.enter = s.Call.Enter.ID
	}
}

// step adds a step with a copy of the event, built in place since an event is large.
func (w *walk) step(e *schema.Event) *walkStep {
	n := len(w.steps)
	if n == cap(w.steps) {
		w.steps = append(w.steps, walkStep{})
	}
	w.steps = w.steps[:n+1]
	k := &w.steps[n]
	k.ev = *e
	k.obj, k.enter, k.after = nil, 0, e.ID
	return k
}

// last returns the last step inside the walk of which is holds; nil if there is none.
func (w *walk) last(is func(*walkStep) bool) *walkStep {
	for i := len(w.steps) - 1; i > 0; i-- {
		if s := &w.steps[i]; is(s) {
			return s
		}
	}
	return nil
}

func (w *walk) enter() *schema.Event { return &w.steps[0].ev }
func (w *walk) exit() *schema.Event  { return &w.end().ev }
func (w *walk) end() *walkStep       { return &w.steps[len(w.steps)-1] }
func (w *walk) took() uint64         { return max(w.exit().Time, w.enter().Time) - w.enter().Time }

// ended makes every claim that a finished open supports.
func (c *collector) ended(w *walk) {
	if w.picked {
		p := c.opened(w)
		p.returned++
		if w.exit().Errno() != 0 {
			p.Failed++
		}
	}
	p := &c.nobody
	if !c.mute {
		p = c.program(w.enter())
	}
	p.Ended++
	if p.Ended == maxFew+1 {
		c.few(p)
	}
	c.claims(p, w, purpose{})
}

// opened counts an open that has ended or never will.
func (c *collector) opened(w *walk) *Program {
	p := c.program(w.enter())
	if p.Opens++; w.execs {
		p.execs++
	}
	return p
}

// claims makes every claim that a finished walk supports, and picks the walk for the section of its program
// if there is a reason.
func (c *collector) claims(p *Program, w *walk, of purpose) {
	c.components(w)
	it := c.pick(p, w, of)
	v := &c.view
	v.p, v.it, v.w, v.enter, v.exit, v.subject = p, it, w, w.enter(), w.exit(), w.enter().Name
	v.walked = replay.Roles(0).With(v.enter.Role).With(v.exit.Role)
	c.terms = c.drafts.begin(p.kept && it == nil && !c.Bare)
	for _, k := range c.kinds {
		if v.kind = k; k.open != nil && (of.op == "" || k.walks) {
			k.open(v)
		}
	}
	if why := p.picked(of.op).doubted(&c.drafts); why != 0 {
		if it = c.item(p, w, of, why); it != nil {
			c.drafts.moveTo(c, it)
		}
	}
	c.terms = c.drafts.begin(false)
	v.it, v.w, v.walked = nil, nil, 0
}

// item keeps the walk for the section of its program; nil if there is no room.
func (c *collector) item(p *Program, w *walk, of purpose, why Pick) *Item {
	if !c.roomForItem() {
		p.Squeezed = true
		return nil
	}
	e := w.enter()
	it := &Item{Open: of.op == "", Op: of.op, ID: of.id, N: p.Ended, Why: why, Took: w.took(), Path: e.Name, TID: e.TID, Errno: w.exit().Errno()}
	d := w.end().obj
	it.Old = d != nil && d.Born == 0
	for i := range w.steps {
		s := &w.steps[i]
		it.Old = it.Old && !s.ev.Role.Is(schema.TraitBegins)
		c.keep(it, Step{Event: s.ev, Enter: s.enter, Ref: ref(s.obj)})
	}
	p.Items = append(p.Items, it)
	return it
}

// components assigns the lookups and allocs of the walk to the components of the path that their name
// pointers point at. It counts the names outside the path, which are those of symbolic links on the way. If
// the walk ended in a symbolic link, tail is the last name of that.
func (c *collector) components(w *walk) {
	c.rows, c.links, c.tail, c.again = c.rows[:0], 0, row{}, false
	path, base := w.enter().Name, w.enter().NameAddr
	for i := 1; i < len(w.steps); i++ {
		s := &w.steps[i]
		if !s.ev.Role.Is(schema.TraitLooksUp) && !s.ev.Role.Is(schema.TraitBegins) {
			continue
		}
		if s.ev.Phase == schema.Exit {
			if r := c.entered(w, i); r != nil {
				r.returned(s)
			}
			continue
		}
		off := s.ev.NameAddr - base
		if off >= uint64(len(path)) {
			c.linked(s)
			continue
		}
		c.tail = row{}
		switch r := c.rowAt(int(off), s); {
		case s.ev.Role.Is(schema.TraitBegins):
			r.alloc = s
		case r.lookup == nil:
			r.lookup = s
		case r.lookup.ev.Parent != s.ev.Parent:
			r.torn = true
		}
	}
}

// returned takes the exit of a lookup or alloc. A dentry that one lookup found and a later lookup does not
// is not what the component came to.
func (r *row) returned(s *walkStep) {
	switch {
	case s.obj != nil:
		r.result, r.at = s.obj, s
	case r.at != nil && r.at.ev.Role.Is(schema.TraitLooksUp) && s.ev.Role.Is(schema.TraitLooksUp):
		r.result, r.at = nil, nil
	}
}

// askedAfter returns an event before which the walk had neither looked up the component nor allocated it.
func (r *row) askedAfter() uint64 {
	if r.lookup != nil {
		return r.lookup.after
	}
	return r.alloc.after
}

// linked takes the entry of a lookup or alloc whose name is not in the path. An alloc may have no name at
// all, as that of a directory's cursor.
func (c *collector) linked(s *walkStep) {
	if s.ev.Role.Is(schema.TraitBegins) || c.beneath(s) {
		return
	}
	c.links++
	if n := len(c.rows); n > 0 {
		if c.rows[n-1].making() {
			return // its filesystem looks up another name in the filesystems it is layered on
		}
		c.rows[n-1].after.add(s.ev.ID)
	}
	if t := c.tail.lookup; t == nil || t.ev.NameAddr != s.ev.NameAddr || t.ev.Name != s.ev.Name {
		c.tail = row{lookup: s}
	}
}

// beneath reports whether a name outside the path is that of the dentry which the last component came to.
// Then its filesystem is layered on others, as overlayfs is, and looks up the name in them.
func (c *collector) beneath(s *walkStep) bool {
	if len(c.rows) == 0 || s.ev.NameAddr == 0 {
		return false
	}
	d := c.ending().result
	return d != nil && d.NameAddr == s.ev.NameAddr && (d.Killed == 0 || d.Killed > s.ev.ID)
}

// entered returns the row of the entry that the exit at step n is paired with; nil if there is no such
// entry or the row was dropped.
func (c *collector) entered(w *walk, n int) *row {
	for i := n - 1; i > 0 && w.steps[n].enter != 0; i-- {
		if w.steps[i].ev.ID != w.steps[n].enter {
			continue
		}
		if t := c.tail.lookup; t != nil && t.ev.NameAddr == w.steps[i].ev.NameAddr {
			return &c.tail
		}
		off := w.steps[i].ev.NameAddr - w.enter().NameAddr
		for j := len(c.rows) - 1; j >= 0; j-- {
			if uint64(c.rows[j].offset) == off {
				return &c.rows[j]
			}
		}
		break
	}
	return nil
}

// making reports whether the component's dentry was allocated and is not inserted yet.
func (r *row) making() bool {
	return r.at != nil && r.at.ev.Role.Is(schema.TraitBegins) && r.result.Inserted == 0
}

// ending returns the last component that the walk looked up, of the path or of a symbolic link. There must
// be a row.
func (c *collector) ending() *row {
	if c.tail.lookup != nil {
		return &c.tail
	}
	return &c.rows[len(c.rows)-1]
}

// name returns the name of the component.
func (r *row) name(path string) string {
	if r.end == 0 {
		return r.lookup.ev.Name
	}
	return quote(path, r.offset, r.end)
}

// rowAt returns the row for the component at offset, which becomes the last row. A walk that starts over
// (rcu-walk to ref-walk) comes back to an earlier component, or to this one after the names of a symbolic
// link; the rows of its first attempt from there on are dropped.
func (c *collector) rowAt(offset int, s *walkStep) *row {
	if n := len(c.rows); n > 0 && c.rows[n-1].offset == offset && c.rows[n-1].after.Count == 0 {
		return &c.rows[n-1]
	}
	for len(c.rows) > 0 && c.rows[len(c.rows)-1].offset >= offset {
		c.again = c.again || c.rows[len(c.rows)-1].offset > offset
		c.rows = c.rows[:len(c.rows)-1]
	}
	c.rows = append(c.rows, row{offset: offset, end: offset + int(s.ev.NameLen)})
	return &c.rows[len(c.rows)-1]
}

// begins assigns a new walk to a call in progress.
func (c *collector) begins(call *replay.Call) *walk {
	if n := len(c.free); n > 0 {
		call.Tag, c.free = c.free[n-1], c.free[:n-1]
	} else {
		call.Tag, c.within = len(c.within), append(c.within, nil)
	}
	var w *walk
	if n := len(c.walks); n > 0 {
		w, c.walks = c.walks[n-1], c.walks[:n-1]
		*w = walk{steps: w.steps[:0]}
	} else {
		w = &walk{}
	}
	c.within[call.Tag] = w
	return w
}

// recycle takes back the walks of a call that was judged or given up.
func (c *collector) recycle(call *replay.Call) {
	if call.Tag == 0 {
		return
	}
	w := c.within[call.Tag]
	c.within[call.Tag], c.free, call.Tag = nil, append(c.free, call.Tag), 0
	for ; w != nil; w = w.then {
		if len(c.walks) < maxSpare && cap(w.steps) <= maxSteps {
			c.walks = append(c.walks, w)
		}
	}
}

// forgotten has every kind drop a dentry that the state forgets.
func (c *collector) forgotten(d *replay.Object) {
	v := &c.view
	for _, k := range c.kinds {
		if v.kind = k; k.forget != nil {
			k.forget(v, d)
		}
	}
}
