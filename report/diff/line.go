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
	depth uint8 // calls of the kernel's around it
	flags flags
	mark
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

// flags are what is true of a line, whatever it is about.
type flags uint16

// How much of the step was recorded: without one of these it is an event that has no return.
const (
	returned flags = 1 << iota // entry and return
	noReturn                   // entry without its return
	noEntry                    // return without its entry

	// What its dentry is; none where it has none, or d_inode was not read.
	null
	negative
	positive
	mount // a mount point

	// What the address of its name is near, and at counts from; none where there is no address.
	inPath    // the path, or the first name of the call
	inDentry  // a dentry of the call
	elsewhere // another buffer: the text of a symbolic link

	cut // its name was not read whole

	state = null | negative | positive
)

// mark is what is known of a step only when the trace is read from its start.
type mark struct {
	refuted kindSet // claims that stand on it
	older   bool    // its dentry is older than the recording, and seen here first; not compared
}

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

func (l *line) is(f flags) bool { return l.flags&f != 0 }

// shape is what a line is, whatever it is about, as a number.
func (l *line) shape() uint64 {
	return uint64(l.role)<<32 | uint64(l.flags)<<8 | uint64(l.depth) ^ uint64(l.refuted)<<40
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
	add(l.is(inPath), " path+%d", l.at)
	add(l.is(inDentry), " dentry+%d", l.at)
	add(l.is(elsewhere), " elsewhere")
	add(opens.Has(l.role) && !l.is(noEntry), " flags %#x mode %#o", l.value>>32, l.value&0xffffffff)
	add(l.in != 0, " in D%d", l.in)
	add(l.role.Is(schema.ReturnsStatus), " %s", exitText(l.value))
	arrow := " "
	if l.is(returned | noEntry) {
		arrow = " → "
	}
	switch made := begins.Has(l.role) && l.is(returned); {
	case l.errno != 0:
		add(true, "%s%s", arrow, schema.ErrnoText(int(l.errno)))
	case answers.Has(l.role):
		add(l.out != 0, " D%d", l.out)
		add(true, "%s%d", arrow, l.value)
	default:
		add(l.is(null), "%sNULL", arrow)
		add(!l.is(null) && l.out != 0, "%sD%d", arrow, l.out)
		add(l.is(negative), " negative")
		add(l.is(positive), " positive")
		add(made && uint64(l.inner) < maxInside, ", name at +%d", l.inner)
		add(made && uint64(l.inner) >= maxInside, ", name outside")
		add(moves.Has(l.role) && l.detail.text != "", " now %s", quote(l.detail.text))
		add(!made && !moves.Has(l.role) && l.detail.text != "", " on %s", replay.Printable(l.detail.text))
	}
	add(l.is(mount), ", mountpoint")
	for k := range report.Kind(32) {
		add(l.refuted.has(k), ", %s refuted", k)
	}
	add(l.is(cut), ", name cut")
	add(l.is(noReturn), ", no return")
	add(l.is(noEntry), ", no entry")
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
			l.flags, l.exit = l.flags&^noReturn|returned, e.ID
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
			l.flags = noEntry
		case s.Call != nil && e.Phase == schema.Enter && r.both.has(e.Role, schema.Exit):
			l.flags = noReturn
			c.entered = append(c.entered, len(c.lines)-1)
		}
	}
	if l.is(returned) || e.Columns.Has(schema.ColumnDentry) {
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
		near, at := c.nameAt(e)
		l.flags, l.at = l.flags|near, at
	}
	if l.value = e.Ret; e.Columns.Has(schema.ColumnOpen) {
		l.value = uint64(schema.OpenFlags(r.machine, e.Flags))<<32 | uint64(e.Mode)
	}
}

func (r *run) name(l *line, e *schema.Event) {
	l.name = r.names.of(e.Name, e)
	if e.NameCut() {
		l.flags |= cut
	}
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
	l.flags &^= state
	if e.Dentry == 0 {
		l.flags |= null
		return
	}
	if begins.Has(e.Role) && e.Phase == schema.Exit {
		c.meet(e.Dentry) // whatever was there, this is another dentry
		l.inner = int64(e.NameAddr - e.Dentry)
	}
	l.out = c.place(e.Dentry)
	switch {
	case e.Facts&schema.FactInodeUnknown != 0:
	case e.Inode == 0:
		l.flags |= negative
	default:
		l.flags |= positive
	}
	if e.Facts&schema.FactMountpoint != 0 {
		l.flags |= mount
	}
	switch {
	case e.Columns.Has(schema.ColumnBucket):
		l.in = c.place(e.Parent)
	case e.Columns.Has(schema.ColumnTarget):
		l.in = c.place(e.Target)
	case moves.Has(e.Role) && l.is(returned):
		l.detail = r.names.of(e.Name, e)
	}
	if !l.is(returned) {
		r.name(l, e)
	}
}
