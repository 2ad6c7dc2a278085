// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// step is one call of the kernel's, or one event without a return, in canonical
// form: no address, no time.
type step struct {
	role  schema.Role
	form  form
	depth uint8 // calls of the unit around it
	state state // of out
	marks mark
	base  base // what at counts from
	at    int32
	in    int16 // place looked in; of a move: whose place is taken
	out   int16 // place returned, or what the event is about
	name  string
	hash  nameHash
	value uint64 // open: flags << 32 | mode; unlink, exit: status
	errno int32  // open: positive errno
	fs    string // open: filesystem; move: the new name

	older  bool   // out is older than the recording, and first seen here
	offset int64  // alloc: the name's address less the dentry's, for the eye
	enter  uint64 // event id
	exit   uint64 // event id; equal to enter for a single event
}

type form uint8

const (
	single form = iota // an event without a return
	whole              // entry and return
	torn               // entry without its return
	tail               // return without its entry
)

type state uint8

const (
	noState state = iota
	null
	negative
	positive
	unread // d_inode was not read
)

type mark uint8

const (
	mountpoint mark = 1 << iota
	badHash
	badBucket
	badStorage
	cutName
)

// base is what the address of a name is near.
type base uint8

const (
	nowhere base = iota // no address
	inPath              // the path, or the first name of the unit
	inDentry
	elsewhere // another buffer: the text of a symbolic link
)

// maxPath bounds the distance from the start of a path, bytes: PATH_MAX.
const maxPath = 4096

// maxGap bounds what lies between two components of a path, bytes: slashes and dots.
const maxGap = 16

// maxInside is beyond the end of any struct dentry, bytes.
const maxInside = 1024

// isLookup reports whether the role asks the cache.
func isLookup(r schema.Role) bool {
	return r == schema.RoleLookup || r == schema.RoleLookupRCU || r == schema.RoleLookupChain
}

// isEnd reports whether the role belongs to the end of a dentry.
func isEnd(r schema.Role) bool {
	return r == schema.RoleKill || r == schema.RoleFree || r == schema.RoleDrop
}

// add puts an event into the unit: as a new step, or as the return of one.
func (d *side) add(u *unit, s *replay.Step) {
	e := s.Event
	if e.Phase == schema.Exit && s.Call != nil {
		if st := u.leave(s.Call.Enter.ID); st != nil {
			st.form, st.exit = whole, e.ID
			d.result(u, st, s)
			return
		}
	}
	if len(u.steps) >= maxSteps {
		u.more++
		return
	}
	u.steps = append(u.steps, step{role: e.Role, depth: uint8(min(len(u.calls), 255)), enter: e.ID, exit: e.ID})
	st := &u.steps[len(u.steps)-1]
	switch {
	case s.Stray:
		st.form = tail
	case s.Call != nil && e.Phase == schema.Enter:
		st.form = torn
		u.calls = append(u.calls, len(u.steps)-1)
	}
	if e.Columns.Has(schema.ColumnDentry) {
		d.result(u, st, s)
	} else {
		d.key(u, st, e)
	}
}

// leave ends the innermost call entered at the id and returns its step.
func (u *unit) leave(enter uint64) *step {
	for i := len(u.calls) - 1; i >= 0; i-- {
		if st := &u.steps[u.calls[i]]; st.enter == enter {
			u.calls = u.calls[:i]
			return st
		}
	}
	return nil
}

// key fills what an entry says: the name, where it lies and where it is looked for.
func (d *side) key(u *unit, st *step, e *schema.Event) {
	if e.Columns.Has(schema.ColumnKey) {
		d.name(st, e)
		st.in = u.placeOf(e.Parent, 0)
	}
	if e.Columns.Has(schema.ColumnNameAddr) {
		if st.base, st.at = u.nameAt(e); d.logged && st.base == elsewhere {
			st.at = 0 // the name of a dentry, which lies wherever it lies
		}
	}
	switch e.Role {
	case schema.RoleOpen:
		st.value = uint64(e.Flags)<<32 | uint64(e.Mode)
	case schema.RoleExit:
		st.value = e.Ret
	}
}

func (d *side) name(st *step, e *schema.Event) {
	st.name, st.hash = e.Name, d.names.hash(e.Name, e)
	if e.NameCut() {
		st.marks |= cutName
	}
}

// nameAt says where a name lies: in the path, in a dentry of the unit, or in
// another buffer. Outside of opens the first name looked up begins the path; an
// alloc may be of a name of the kernel's own.
func (u *unit) nameAt(e *schema.Event) (base, int32) {
	addr := e.NameAddr
	if addr == 0 {
		return nowhere, 0
	}
	if u.path == 0 && e.Role != schema.RoleAlloc {
		u.path = addr
	}
	if off := addr - u.path; u.path != 0 && off < u.pathLimit() {
		return inPath, int32(off)
	}
	for i := range u.places {
		if off := addr - u.places[i].addr; off < maxInside {
			return inDentry, int32(off)
		}
	}
	return elsewhere, 0
}

// pathLimit bounds the offsets in the unit's path, bytes. Other buffers may lie close
// behind it.
func (u *unit) pathLimit() uint64 {
	if u.kind == opening && u.steps[0].name != "" {
		return uint64(len(u.steps[0].name))
	}
	return maxPath
}

// result fills what a return says, or an event about one dentry.
func (d *side) result(u *unit, st *step, s *replay.Step) {
	e := s.Event
	if e.Columns.Has(schema.ColumnRet) {
		switch st.errno = int32(e.Errno()); {
		case e.Role != schema.RoleOpen:
			st.value = e.Ret
		case st.errno == 0:
			st.fs = e.FSType
		}
	}
	if !e.Columns.Has(schema.ColumnDentry) {
		return
	}
	if e.Dentry == 0 {
		st.state = null
		return
	}
	seq := s.Object.Seq
	st.older = s.Object.Born == 0 && s.Object.First == e.ID
	st.out, st.state = u.placeOf(e.Dentry, seq), stateOf(e)
	if e.Facts&schema.FactMountpoint != 0 {
		st.marks |= mountpoint
	}
	switch e.Role {
	case schema.RoleAlloc:
		st.offset = int64(e.NameAddr - e.Dentry)
	case schema.RoleInsert:
		st.in = u.placeOf(e.Parent, 0)
	case schema.RoleMove:
		if st.form == whole {
			st.fs = e.Name
		} else {
			st.in = u.placeOf(e.Target, 0)
		}
	}
	if st.form != whole {
		d.name(st, e)
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

// like reports whether two steps say the same but for which dentries they are of.
func (a *step) like(b *step) bool {
	return a.role == b.role && a.form == b.form && a.depth == b.depth && a.state == b.state && a.marks == b.marks &&
		a.base == b.base && a.at == b.at && a.value == b.value && a.errno == b.errno && a.fs == b.fs &&
		(a.in == 0) == (b.in == 0) && (a.out == 0) == (b.out == 0) &&
		(a.hash.strict == b.hash.strict || a.hash.folded == b.hash.folded)
}

// text spells the step out; places are numbered by of.
func (a *step) text(of func(int16) string) string {
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", int(a.depth)))
	b.WriteString(a.role.Label())
	if a.hash != (nameHash{}) {
		b.WriteByte(' ')
		b.WriteString(quote(a.name))
	}
	switch a.base {
	case inPath:
		fmt.Fprintf(&b, " path+%d", a.at)
	case inDentry:
		fmt.Fprintf(&b, " dentry+%d", a.at)
	case elsewhere:
		b.WriteString(" elsewhere")
	}
	if a.role == schema.RoleOpen && a.form != tail {
		fmt.Fprintf(&b, " flags %#x mode %#o", a.value>>32, a.value&0xffffffff)
	}
	if a.in != 0 {
		b.WriteString(" in " + of(a.in))
	}
	if a.role == schema.RoleExit {
		b.WriteString(" " + exitText(a.value))
	}
	a.outcome(&b, of)
	a.remarks(&b)
	return b.String()
}

func (a *step) outcome(b *strings.Builder, of func(int16) string) {
	arrow := " "
	if a.form == whole || a.form == tail {
		arrow = " → "
	}
	switch {
	case a.role == schema.RoleOpen && a.errno != 0, a.role == schema.RoleUnlink && a.errno != 0:
		b.WriteString(arrow + errnoText(a.errno))
		return
	case a.role == schema.RoleUnlink:
		b.WriteString(" " + of(a.out) + arrow + strconv.FormatUint(a.value, 10))
		return
	case a.state == null:
		b.WriteString(arrow + "NULL")
	case a.out != 0:
		b.WriteString(arrow + of(a.out))
	}
	switch a.state {
	case negative:
		b.WriteString(" negative")
	case positive:
		b.WriteString(" positive")
	}
	if a.role == schema.RoleAlloc && a.form == whole {
		if a.offset >= 0 && a.offset < maxInside {
			fmt.Fprintf(b, ", name at +%d", a.offset)
		} else {
			b.WriteString(", name outside")
		}
	}
	switch {
	case a.role == schema.RoleMove && a.fs != "":
		b.WriteString(" now " + quote(a.fs))
	case a.fs != "":
		b.WriteString(" on " + replay.Printable(a.fs))
	}
}

func (a *step) remarks(b *strings.Builder) {
	for _, m := range []struct {
		mark mark
		text string
	}{
		{mountpoint, "mountpoint"}, {badHash, "hash refuted"}, {badBucket, "bucket refuted"},
		{badStorage, "storage refuted"}, {cutName, "name cut"},
	} {
		if a.marks&m.mark != 0 {
			b.WriteString(", " + m.text)
		}
	}
	switch a.form {
	case torn:
		b.WriteString(", no return")
	case tail:
		b.WriteString(", no entry")
	}
}

func errnoText(n int32) string {
	if name := schema.ErrnoName(int(n)); name != "" {
		return "−" + strconv.Itoa(int(n)) + " (" + name + ")"
	}
	return "−" + strconv.Itoa(int(n))
}

// quote puts a name between quotes that it cannot leave.
func quote(s string) string { return `"` + strings.ReplaceAll(replay.Printable(s), `"`, `\"`) + `"` }
