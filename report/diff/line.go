// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"math"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// line is one step of a call in a form that two runs can compare, without addresses and times. It is a
// kernel function's call with its return, or one event.
type line struct {
	role  schema.Role
	depth uint8 // number of kernel calls around it
	flags flags
	mark
	at     int32 // offset of the name, in bytes, from what flags say
	in     int16 // place in which it looked; of a move: the place of the target
	out    int16 // place that was returned, or that the line is about
	errno  int32 // positive
	name   name
	detail name   // open: the filesystem; move: the new name
	value  uint64 // open: flags << 32 | mode; unlink: its result; exit: wait status
	inner  int64  // alloc: bytes from the dentry to its name; shown, but not compared

	enter, exit uint64 // event ids, equal for a single event
}

// flags are properties of a line other than its names and dentries.
type flags uint16

// Which events were recorded. A line with none of these is an event that has no return.
const (
	returned flags = 1 << iota // entry and return
	noReturn                   // entry without return
	noEntry                    // return without entry

	// What is known of its dentry; none of these if it has no dentry or d_inode was not read.
	null
	negative
	positive
	mount // a mount point

	// What the name's address lies in, and at is relative to; none of these if there is no address.
	inPath    // the path, or the first name of the call
	inDentry  // a dentry of the call
	elsewhere // another buffer, such as the text of a symbolic link

	cut // the name was not read completely

	state = null | negative | positive
)

// mark is what is known of a step only if the trace is read from its start.
type mark struct {
	refuted kindSet // kinds of claims that its event refutes
	older   bool    // its dentry is older than the recording and is seen here for the first time; not compared
}

// Bounds on distances between addresses, in bytes.
const (
	maxPath   = 4096 // from the start of a path: PATH_MAX
	maxGap    = 16   // between two components of a path: slashes and dots
	maxInside = 1024 // larger than any struct dentry
)

func (l *line) span() Span { return Span{l.enter, l.exit} }

// like reports whether two lines are equal except for which dentries they concern.
func (l *line) like(m *line) bool {
	return l.shape() == m.shape() && l.at == m.at && l.value == m.value && l.errno == m.errno &&
		(l.in == 0) == (m.in == 0) && (l.out == 0) == (m.out == 0) && l.name.same(&m.name) && l.detail.same(&m.detail)
}

func (l *line) is(f flags) bool { return l.flags&f != 0 }

// shape returns the role, flags, depth and refuted claims of a line as one number.
func (l *line) shape() uint64 {
	return uint64(l.role)<<32 | uint64(l.flags)<<8 | uint64(l.depth) ^ uint64(l.refuted)<<40
}

// text returns the line as it is printed.
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
	add(l.role.Is(schema.TraitReturnsStatus), " %s", exitText(l.value))
	arrow := " "
	if l.is(returned | noEntry) {
		arrow = " → "
	}
	made := begins.Has(l.role) && l.is(returned)
	switch {
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

// exitText returns the text of a wait status.
func exitText(status uint64) string {
	return strings.TrimPrefix(schema.WaitStatus(status).String(), "exit ")
}

// quote returns a name in quotes, with any quotes in it escaped.
func quote(s string) string { return `"` + strings.ReplaceAll(replay.Printable(s), `"`, `\"`) + `"` }

// Bounds on one call. Lines beyond them are counted, and the counts compared.
const (
	maxLines  = 4096
	maxPlaces = 1024
)

// add adds an event to a call, as a new line or as the return of an earlier one.
func (r *run) add(c *call, s *replay.Step, m mark) {
	e := s.Event
	c.further, c.to = uint32(min(e.ID-c.first, math.MaxUint32)), e.Time
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
		c.lines = append(c.lines, line{role: e.Role, depth: uint8(min(len(c.entered), 255)), enter: e.ID, exit: e.ID})
		switch l = &c.lines[len(c.lines)-1]; {
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

// complete ends a call. Names in it that turned out to be temporary only later are hashed again.
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

// key sets what an entry says: the name, where it lies, and where it is looked up.
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

// result sets what a return says, or an event about one dentry.
func (r *run) result(c *call, l *line, e *schema.Event) {
	if e.Columns.Has(schema.ColumnRet) {
		l.errno = int32(e.Errno())
		if !e.Role.Is(schema.TraitReturnsAddress) {
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
		c.meet(e.Dentry) // a new dentry, whatever the address was before
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
