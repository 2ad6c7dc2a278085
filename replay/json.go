// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"encoding/json"
	"math/bits"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// NewJSON prints one JSON object per line, its kind under "type": header, event, loss, damage, program,
// footer, or cut where the footer is missing. Times are nanoseconds since boot. Addresses are strings
// "0x…", or null where the kernel had NULL. A field that the event did not record is absent. In a call that
// is one event (phase "call"), "returned" has what its exit recorded, and the object itself what its entry
// did. A name that is not UTF-8 has its bytes under "name_hex" as well.
func NewJSON() Format {
	return &jsonLines{subjects: newPieces(), facts: factTexts{begin: shown.Of(`,"facts":[`), quote: shown.Of(`"`)}}
}

type jsonLines struct {
	symbols     *symbols
	imported    bool    // a kernel log: tasks and CPUs are not known
	redacted    bool    // there are no hashes
	kinds       perCall // members that follow from role, phase and depth
	start       lineStart
	openID      uint64     // entry id of the open that the last event was in
	open        shown.Text // the members about that open
	subjects    *pieces
	nameMembers shown.Text // the members of the last name
	lastName    naming
	facts       factTexts
	fs          shown.Text // the members of the last filesystem, of fsType and dev
	fsType      string
	dev         uint32
}

func (j *jsonLines) begin(dst *shown.Text, h *schema.Header) {
	j.symbols, j.imported, j.redacted = newSymbols(h), h.Logged(), h.Redacted()
	j.start.write = j.writeStart
	j.open.MakeRoom(startRoom)
	j.nameMembers.MakeRoom(startRoom)
	j.fs.MakeRoom(startRoom)
	putPacket(dst, "header", h)
}

func (j *jsonLines) kind(dst *shown.Text, s *Step) {
	e := s.Event
	dst.Put(`,"role":`)
	dst.Quoted(e.Role.Label())
	dst.Put(`,"phase":`)
	dst.Quoted(e.PhaseInFile().Label())
	if symbol := cmp.Or(e.Symbol, j.symbols.symbol(e.Role, e.PhaseInFile())); symbol != "" {
		dst.Put(`,"symbol":`)
		dst.Quoted(symbol)
	}
	if !j.imported {
		dst.Put(`,"depth":`)
		dst.Uint(uint64(s.Depth))
	}
}

func (j *jsonLines) event(dst *shown.Text, s *Step) {
	e := s.Event
	j.start.put(dst, e)
	j.kinds.put(dst, s, j.kind)
	j.putCall(dst, s)
	if e.Entry == nil {
		j.values(dst, s)
		dst.Put("}\n")
		return
	}
	j.values(dst, &Step{Event: e.Entry})
	dst.Put(`,"returned":`)
	from := dst.Len()
	if j.values(dst, s); dst.Len() == from {
		dst.Put(",")
	}
	dst.Overwrite(from, "{") // in place of the first comma
	dst.Put("}}\n")
}

// values appends what the event recorded.
func (j *jsonLines) values(dst *shown.Text, s *Step) {
	e := s.Event
	j.subject(dst, s)
	if e.Columns&^usualColumns != 0 {
		j.rare(dst, e)
	}
	if e.Facts != 0 {
		dst.Join(j.facts.textOf(e.Facts))
	}
}

// writeStart writes the start of a line: the event's id and time, and its CPU and task as far as the trace has
// them.
func (j *jsonLines) writeStart(e *schema.Event) {
	o := &j.start
	o.begin(e)
	o.text.Put(`{"type":"event","id":`)
	o.text.Uint(e.ID)
	o.idEnd = o.text.Len()
	o.text.Put(`,"time_ns":`)
	if o.text.Uint(e.Time); o.second != 0 {
		o.setFraction(e, o.text.Len()-9, 9)
	}
	if !j.imported {
		o.text.Put(`,"cpu":`)
		o.text.Uint(uint64(e.CPU))
		if e.PID != 0 || e.TID == 0 { // otherwise the text of a trace buffer names no process
			o.text.Put(`,"pid":`)
			o.text.Uint(uint64(e.PID))
		}
	} else if e.Comm == "" {
		return
	}
	o.text.Put(`,"tid":`)
	o.text.Uint(uint64(e.TID))
	commMember.put(&o.text, e.Comm)
}

// member is a member of an object whose value is a string that may not be UTF-8; its bytes then get a
// second member, hex.
type member struct{ name, hex shown.Text }

func memberCalled(name string) member {
	return member{shown.Word(`,"` + name + `":`), shown.Word(`,"` + name + `_hex":"`)}
}

var commMember, pathMember, nameMember, cgroupMember, fsMember = memberCalled("comm"), memberCalled("path"), memberCalled("name"),
	memberCalled("cgroup"), memberCalled("fs")

func (m *member) put(dst *shown.Text, s string) {
	dst.Join(&m.name)
	if !dst.Quoted(s) {
		dst.Join(&m.hex)
		dst.HexBytes(s)
		dst.Put(`"`)
	}
}

// putCall appends where the event stands among the calls of its thread.
func (j *jsonLines) putCall(dst *shown.Text, s *Step) {
	switch {
	case s.Stray:
		dst.Put(`,"stray":true`)
	case s.Event.Entry != nil:
	case s.Call != nil && s.Event.Phase == schema.Exit:
		dst.Put(`,"call":`)
		dst.Uint(s.Call.Enter.ID)
		if callRoles.Has(s.Event.Role) {
			pathMember.put(dst, s.Call.Path)
		}
	}
	if s.Open == nil {
		return
	}
	if e := s.Open.Enter; e.ID != j.openID {
		j.openID = e.ID
		j.open.Truncate(0)
		j.open.Put(`,"open":`)
		if j.open.Uint(e.ID); e.Execute() {
			j.open.Put(`,"exec":true`)
		}
	}
	dst.Join(&j.open)
}

// subject appends the dentry that the event is about, and the name and directory.
func (j *jsonLines) subject(dst *shown.Text, s *Step) {
	object := uint64(0)
	if s.Object != nil && s.Event.Dentry != 0 {
		object = s.Object.Seq
	}
	piece, written := j.subjects.pieceFor(s.Event, object)
	if !written {
		piece.text.Truncate(0)
		j.putSubject(&piece.text, &piece.subject)
	}
	dst.Join(&piece.text)
}

func (j *jsonLines) putSubject(dst *shown.Text, of *subject) {
	if of.columns.Has(schema.ColumnDentry) {
		dst.Put(`,"dentry":`)
		putAddress(dst, of.dentry)
	}
	if of.object != 0 {
		dst.Put(`,"object":"D`)
		dst.Uint(of.object)
		dst.Put(`"`)
	}
	if of.dentry != 0 && of.columns&inodeUnknown == 0 {
		dst.Put(`,"inode":`)
		putAddress(dst, of.inode)
	}
	if of.columns.Has(schema.ColumnKey) {
		if of.parent != 0 {
			dst.Put(`,"parent":`)
			putAddress(dst, of.parent)
		}
		if of.naming != j.lastName || of.hash == 0 || j.nameMembers.Len() == 0 {
			j.lastName = of.naming
			j.name(of)
		}
		dst.Join(&j.nameMembers)
	}
	if of.columns.Has(schema.ColumnNameAddr) {
		dst.Put(`,"name_addr":`)
		putAddress(dst, of.nameAddr)
	}
}

// name writes the members of a name. They are kept, as the lookup of a name and the dentries it returns
// follow each other.
func (j *jsonLines) name(of *subject) {
	dst := &j.nameMembers
	dst.Truncate(0)
	nameMember.put(dst, of.name)
	dst.Put(`,"name_len":`)
	dst.Uint(uint64(of.length))
	if of.hash != 0 || of.columns&isPath == 0 && !j.imported && !j.redacted { // a path has no hash
		dst.Put(`,"hash":`)
		dst.Uint(uint64(of.hash))
	}
}

// rare appends the fields that few kinds of event have.
func (j *jsonLines) rare(dst *shown.Text, e *schema.Event) {
	for rest := uint32(e.Columns &^ usualColumns); rest != 0; rest &= rest - 1 {
		of := &fields[bits.TrailingZeros32(rest)]
		for i := range *of {
			j.field(dst, e, &(*of)[i])
		}
	}
}

func (j *jsonLines) field(dst *shown.Text, e *schema.Event, f *field) {
	switch f.Form {
	case schema.FormNumber, schema.FormHex, schema.FormOctal:
		dst.Join(&f.json)
		dst.Uint(f.Value(e))
	case schema.FormAddress:
		dst.Join(&f.json)
		putAddress(dst, f.Value(e))
	case schema.FormReturn:
		j.returned(dst, e, f)
	case schema.FormDescriptor:
		dst.Join(&f.json)
		dst.Int(int64(f.Value(e)))
	case schema.FormTime:
		if v := f.Value(e); v != 0 {
			dst.Join(&f.json)
			dst.Uint(v)
		}
	case schema.FormCgroup:
		if e.Cgroup != "" {
			cgroupMember.put(dst, e.Cgroup)
		}
	case schema.FormFilesystem:
		if e.FSType == "" && e.Dev == 0 {
			return
		}
		if e.FSType != j.fsType || e.Dev != j.dev {
			j.filesystem(e)
		}
		dst.Join(&j.fs)
	}
}

// filesystem writes the members of the event's filesystem.
func (j *jsonLines) filesystem(e *schema.Event) {
	j.fsType, j.dev = e.FSType, e.Dev
	j.fs.Truncate(0)
	fsMember.put(&j.fs, e.FSType)
	j.fs.Put(`,"dev":"`)
	putDev(&j.fs, e.Dev)
	j.fs.Put(`"`)
}

// returned appends an address, a negative errno with its name, or another number; a wait status is decoded.
func (j *jsonLines) returned(dst *shown.Text, e *schema.Event, f *field) {
	v, n := f.Value(e), e.Errno()
	switch {
	case e.Role.Is(schema.TraitReturnsStatus):
		j.putWaitStatus(dst, schema.WaitStatus(v))
		return
	case n == 0 && e.Role.Is(schema.TraitReturnsAddress):
		dst.Join(&f.json)
		putAddress(dst, v)
		return
	}
	dst.Join(&f.json)
	dst.Int(int64(v))
	if name := schema.ErrnoName(n); name != "" {
		dst.Put(`,"errno":`)
		dst.Quoted(name)
	}
}

// putWaitStatus appends how a process ended: the status as wait(2) returns it, and its meaning.
func (j *jsonLines) putWaitStatus(dst *shown.Text, s schema.WaitStatus) {
	dst.Put(`,"wait_status":`)
	dst.Uint(uint64(s))
	if code, ok := s.Code(); ok {
		dst.Put(`,"exit_code":`)
		dst.Uint(uint64(code))
	} else if n, core := s.Signal(); n != 0 {
		dst.Put(`,"signal":`)
		dst.Quoted(schema.SignalName(n))
		dst.Put(`,"core_dumped":`)
		dst.Bool(core)
	}
}

func (j *jsonLines) loss(dst *shown.Text, l *schema.Loss) { putPacket(dst, "loss", l) }

func (j *jsonLines) damage(dst *shown.Text, d *schema.Damage, last uint64) {
	line, err := json.Marshal(struct {
		Type string `json:"type"`
		damageDocument
		LastID uint64 `json:"last_id"` // of the last event missing here
	}{"damage", newDamageDocument(d), last})
	if err != nil { // numbers and strings always encode
		panic(err)
	}
	dst.Word(string(line))
	dst.Put("\n")
}

func (j *jsonLines) program(dst *shown.Text, p *schema.Program) { putPacket(dst, "program", p) }

func (j *jsonLines) footer(dst *shown.Text, f *schema.Footer) { putPacket(dst, "footer", f) }

func (j *jsonLines) cut(dst *shown.Text, last uint64) {
	dst.Put(`{"type":"cut","last_id":`)
	dst.Uint(last)
	dst.Put("}\n")
}

// putAddress appends an address as a string, 0 as null.
func putAddress(dst *shown.Text, v uint64) {
	if v == 0 {
		dst.Put("null")
		return
	}
	dst.QuotedHex(v)
}
