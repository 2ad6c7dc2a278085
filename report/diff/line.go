// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// line is one step of a call as two runs can compare it: no address, no time. It is a
// call of the kernel's with its return, or one event.
type line struct {
	role  schema.Role
	form  form
	depth uint8 // calls of the kernel's around it
	state state // of out
	base  base  // what at counts from
	mark
	mount  bool  // out is a mount point
	cut    bool  // its name was not read whole
	at     int32 // where the name lies, bytes
	in     int16 // place looked in; of a move: the place that is taken
	out    int16 // place returned, or the one it is about
	errno  int32 // returned, positive
	name   name
	detail name   // open: the filesystem; move: the new name
	value  uint64 // open: flags << 32 | mode; unlink: what it returned; exit: wait status
	inner  int64  // alloc: from the dentry to its name, bytes; for the eye

	enter, exit uint64 // event ids; equal for a single event
}

// form is how much of a step was recorded.
type form uint8

const (
	event    form = iota // an event without a return
	returned             // entry and return
	noReturn             // entry without its return
	noEntry              // return without its entry
)

// state is what a dentry is.
type state uint8

const (
	noState state = iota
	null
	negative
	positive
	unread // d_inode was not read
)

// mark is what is known of a step only when the trace is read from its start.
type mark struct {
	refuted kindSet // claims that stand on it
	older   bool    // its dentry is older than the recording, and seen here first; not compared
}

// base is what the address of a name is near.
type base uint8

const (
	nowhere base = iota // no address
	inPath              // the path, or the first name of the call
	inDentry
	elsewhere // another buffer: the text of a symbolic link
)

// Bounds on distances between addresses, bytes.
const (
	maxPath   = 4096 // from the start of a path: PATH_MAX
	maxGap    = 16   // between two components of a path: slashes and dots
	maxInside = 1024 // beyond the end of any struct dentry
)

// Bounds on one call; what goes beyond is counted and compared as a count.
const (
	maxLines  = 4096
	maxPlaces = 1024
)

// builder puts events into calls, as lines.
type builder struct {
	names  namer
	both   probes // recorded in both runs
	logged bool   // the run is a kernel log
	// machine is whose numbers the flags of an open are in, where the other run's are another's; else empty.
	machine string
}

// add puts an event into a call: as a new line, or as the return of one.
func (b *builder) add(c *call, s *replay.Step, m mark) {
	e := s.Event
	c.last, c.to = e.ID, e.Time
	if c.kind.in(evicts) && ends.Has(e.Role) {
		if len(c.evicted) < maxLines {
			c.evicted = append(c.evicted, b.names.of(e.Name, e).coarse)
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
		c.lines = append(c.lines, line{role: e.Role, depth: uint8(min(len(c.entered), 255)), enter: e.ID, exit: e.ID})
		l = &c.lines[len(c.lines)-1]
		switch {
		case s.Stray:
			l.form = noEntry
		case s.Call != nil && e.Phase == schema.Enter && b.both.has(e.Role, schema.Exit):
			l.form = noReturn
			c.entered = append(c.entered, len(c.lines)-1)
		}
	}
	if l.form == returned || e.Columns.Has(schema.ColumnDentry) {
		b.result(c, l, e)
	} else {
		b.key(c, l, e)
	}
	l.refuted, l.older = l.refuted|m.refuted, l.older || m.older
}

// complete ends a call: names in it that turned out to be temporary are such.
func (b *builder) complete(c *call) {
	if !c.kind.in(creates) {
		return
	}
	for l := range c.named {
		b.names.made(l.name.text)
	}
	for i := range c.lines {
		if n := &c.lines[i].name; n.exact != 0 {
			*n = b.names.of(n.text, &schema.Event{PID: c.pid, TID: c.tid, Time: c.to})
		}
	}
}

// key fills what an entry says: the name, where it lies and where it is looked for.
func (b *builder) key(c *call, l *line, e *schema.Event) {
	has := e.Columns.Has
	if has(schema.ColumnOpen) && e.Flags&(oCreat|oExcl) == oCreat|oExcl {
		b.names.made(e.Name)
	}
	if has(schema.ColumnKey) {
		b.name(l, e)
		l.in = c.place(e.Parent)
	}
	if has(schema.ColumnNameAddr) {
		if l.base, l.at = c.nameAt(e); b.logged && l.base == elsewhere {
			l.at = 0 // the name of a dentry, which lies wherever it lies
		}
	}
	if l.value = e.Ret; has(schema.ColumnOpen) {
		l.value = uint64(schema.OpenFlags(b.machine, e.Flags))<<32 | uint64(e.Mode)
	}
}

func (b *builder) name(l *line, e *schema.Event) {
	l.name = b.names.of(e.Name, e)
	l.cut = l.cut || e.NameCut()
}

// result fills what a return says, or an event about one dentry.
func (b *builder) result(c *call, l *line, e *schema.Event) {
	has := e.Columns.Has
	if has(schema.ColumnRet) {
		l.errno = int32(e.Errno())
		if !e.Role.Is(schema.ReturnsAddress) {
			l.value = e.Ret
		}
		if l.errno == 0 && has(schema.ColumnFilesystem) {
			l.detail = b.names.of(e.FSType, e)
		}
	}
	if !has(schema.ColumnDentry) {
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
	case has(schema.ColumnBucket):
		l.in = c.place(e.Parent)
	case has(schema.ColumnTarget):
		l.in = c.place(e.Target)
	case moves.Has(e.Role) && l.form == returned:
		l.detail = b.names.of(e.Name, e)
	}
	if l.form != returned {
		b.name(l, e)
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

// like reports whether two lines say the same but for which dentries they are of.
func (l *line) like(m *line) bool {
	return l.shape() == m.shape() && l.at == m.at && l.value == m.value && l.errno == m.errno &&
		(l.in == 0) == (m.in == 0) && (l.out == 0) == (m.out == 0) && l.name.same(&m.name) && l.detail.same(&m.detail)
}

// shape is what a line is, whatever it is about, as a number.
func (l *line) shape() uint64 {
	s := uint64(l.role)<<32 | uint64(l.form)<<28 | uint64(l.state)<<24 | uint64(l.base)<<8 | uint64(l.depth)
	if l.mount {
		s |= 1 << 16
	}
	if l.cut {
		s |= 1 << 17
	}
	return s ^ uint64(l.refuted)<<40
}
