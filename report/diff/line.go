// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
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

func (l *line) span() Span { return Span{l.enter, l.exit} }

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

// text spells a line out.
func (l *line) text() string {
	s := strings.Repeat("  ", int(l.depth)) + l.role.Label()
	add := func(is bool, format string, args ...any) {
		if is {
			s += fmt.Sprintf(format, args...)
		}
	}
	add(l.name.exact != 0, " %s", quote(l.name.text))
	add(l.base == inPath, " path+%d", l.at)
	add(l.base == inDentry, " dentry+%d", l.at)
	add(l.base == elsewhere, " elsewhere")
	add(opens.Has(l.role) && l.form != noEntry, " flags %#x mode %#o", l.value>>32, l.value&0xffffffff)
	add(l.in != 0, " in D%d", l.in)
	add(l.role.Is(schema.ReturnsStatus), " %s", exitText(l.value))
	arrow := " "
	if l.form == returned || l.form == noEntry {
		arrow = " → "
	}
	switch made := begins.Has(l.role) && l.form == returned; {
	case l.errno != 0:
		add(true, "%s%s", arrow, schema.ErrnoText(int(l.errno)))
	case answers.Has(l.role):
		add(l.out != 0, " D%d", l.out)
		add(true, "%s%d", arrow, l.value)
	default:
		add(l.state == null, "%sNULL", arrow)
		add(l.state != null && l.out != 0, "%sD%d", arrow, l.out)
		add(l.state == negative, " negative")
		add(l.state == positive, " positive")
		add(made && uint64(l.inner) < maxInside, ", name at +%d", l.inner)
		add(made && uint64(l.inner) >= maxInside, ", name outside")
		add(moves.Has(l.role) && l.detail.text != "", " now %s", quote(l.detail.text))
		add(!made && !moves.Has(l.role) && l.detail.text != "", " on %s", replay.Printable(l.detail.text))
	}
	add(l.mount, ", mountpoint")
	for k := range report.Kind(32) {
		add(l.refuted.has(k), ", %s refuted", k)
	}
	add(l.cut, ", name cut")
	add(l.form == noReturn, ", no return")
	add(l.form == noEntry, ", no entry")
	return s
}

// exitText spells a wait status.
func exitText(status uint64) string {
	return strings.TrimPrefix(schema.WaitStatus(status).String(), "exit ")
}

// quote puts a name between quotes that it cannot leave.
func quote(s string) string { return `"` + strings.ReplaceAll(replay.Printable(s), `"`, `\"`) + `"` }

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
