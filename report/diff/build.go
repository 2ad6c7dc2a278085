// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on one call; what goes beyond is counted and compared as a count.
const (
	maxLines  = 4096
	maxPlaces = 1024
)

// add puts an event into a call: as a new line, or as the return of one.
func (r *run) add(c *call, s *replay.Step, m mark) {
	e := s.Event
	c.last, c.to = e.ID, e.Time
	if evicts.Has(c.kind) && ends.Has(e.Role) {
		if len(c.evicted) < maxLines {
			c.evicted = append(c.evicted, r.names.of(e.Name, e).coarse)
		}
		return
	}
	l := (*line)(nil)
	if e.Phase == schema.Exit && s.Call != nil {
		if l = c.leave(s.Call.Enter.ID); l != nil {
			l.form, l.exit = returned, e.ID
		}
	}
	if l == nil {
		if len(c.lines) >= maxLines {
			c.more++
			return
		}
		l = c.line()
		l.role, l.depth, l.enter, l.exit = e.Role, uint8(min(len(c.entered), 255)), e.ID, e.ID
		switch {
		case s.Stray:
			l.form = noEntry
		case s.Call != nil && e.Phase == schema.Enter && r.both.has(e.Role, schema.Exit):
			l.form = noReturn
			c.entered = append(c.entered, len(c.lines)-1)
		}
	}
	if l.form == returned || e.Columns.Has(schema.ColumnDentry) {
		r.result(c, l, e)
	} else {
		r.key(c, l, e)
	}
	l.refuted, l.older = l.refuted|m.refuted, l.older || m.older
}

// line adds an empty line, in its place: it is large.
func (c *call) line() *line {
	n := len(c.lines)
	c.lines = slices.Grow(c.lines, 1)[:n+1]
	l := &c.lines[n]
	*l = line{}
	return l
}

// complete ends a call: names in it that turned out to be temporary are such.
func (r *run) complete(c *call) {
	if !creates.Has(c.kind) {
		return
	}
	for l := range c.named {
		r.names.made(l.name.text)
	}
	for i := range c.lines {
		if n := &c.lines[i].name; n.exact != 0 {
			*n = r.names.of(n.text, &schema.Event{PID: c.pid, TID: c.tid, Time: c.to})
		}
	}
}

// key fills what an entry says: the name, where it lies and where it is looked for.
func (r *run) key(c *call, l *line, e *schema.Event) {
	if e.Columns.Has(schema.ColumnOpen) && e.Flags&(oCreat|oExcl) == oCreat|oExcl {
		r.names.made(e.Name)
	}
	if e.Columns.Has(schema.ColumnKey) {
		r.name(l, e)
		l.in = c.place(e.Parent)
	}
	if e.Columns.Has(schema.ColumnNameAddr) {
		if l.base, l.at = c.nameAt(e); r.logged && l.base == elsewhere {
			l.at = 0 // the name of a dentry, which lies wherever it lies
		}
	}
	if l.value = e.Ret; e.Columns.Has(schema.ColumnOpen) {
		l.value = uint64(schema.OpenFlags(r.machine, e.Flags))<<32 | uint64(e.Mode)
	}
}

func (r *run) name(l *line, e *schema.Event) {
	l.name = r.names.of(e.Name, e)
	l.cut = l.cut || e.NameCut()
}

// result fills what a return says, or an event about one dentry.
func (r *run) result(c *call, l *line, e *schema.Event) {
	if e.Columns.Has(schema.ColumnRet) {
		l.errno = int32(e.Errno())
		if !e.Role.Is(schema.ReturnsAddress) {
			l.value = e.Ret
		}
		if l.errno == 0 && e.Columns.Has(schema.ColumnFilesystem) {
			l.detail = r.names.of(e.FSType, e)
		}
	}
	if !e.Columns.Has(schema.ColumnDentry) {
		return
	}
	if e.Dentry == 0 {
		l.state = null
		return
	}
	if begins.Has(e.Role) && e.Phase == schema.Exit {
		c.meet(e.Dentry) // whatever was there, this is another dentry
		l.inner = int64(e.NameAddr - e.Dentry)
	}
	l.out, l.state = c.place(e.Dentry), stateOf(e)
	l.mount = l.mount || e.Facts&schema.FactMountpoint != 0
	switch {
	case e.Columns.Has(schema.ColumnBucket):
		l.in = c.place(e.Parent)
	case e.Columns.Has(schema.ColumnTarget):
		l.in = c.place(e.Target)
	case moves.Has(e.Role) && l.form == returned:
		l.detail = r.names.of(e.Name, e)
	}
	if l.form != returned {
		r.name(l, e)
	}
}

func stateOf(e *schema.Event) state {
	switch {
	case e.Facts&schema.FactInodeUnknown != 0:
		return unread
	case e.Inode == 0:
		return negative
	}
	return positive
}
