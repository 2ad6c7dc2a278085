// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"math/bits"

	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

const (
	taskWidth = 22 // columns of comm/tid
	callWidth = 34 // columns of the nested call
	maxIndent = 16 // deeper calls are not indented any further
)

// TextOptions says how NewText prints.
type TextOptions struct {
	Color bool // with escape sequences for a terminal
	Wide  bool // with everything recorded, in lines of any length
}

// NewText prints one line per event, in 120 columns: id, seconds since boot, comm/tid, the role (nested in
// the calls that enclose it; > is an entry, < an exit), the values and the name. A wide line also has the
// cpu, the symbol, and every address and hash.
func NewText(o TextOptions) Format {
	none := shown.Of("")
	t := text{facts: factTexts{begin: shown.Of(" ["), quote: none}, dim: none, bold: none, alarm: none, plain: none}
	if o.Color {
		t.dim, t.bold, t.alarm, t.plain = shown.Dim, shown.Bold, shown.Alarm, shown.Plain
	}
	if o.Wide {
		return &t
	}
	return &narrow{text: t}
}

type text struct {
	dim, bold, alarm, plain shown.Text

	symbols *symbols
	start   lineStart
	calls   perCall // see call
	facts   factTexts
}

func (t *text) begin(dst *shown.Text, h *schema.Header) {
	t.symbols, t.start.write = newSymbols(h), t.writeStart
	dst.Join(&t.dim)
	dst.Put("      id          seconds cpu task                   call                               values | name")
	dst.Join(&t.plain)
	dst.Put("\n")
}

// call appends the middle of a line: the indentation, a mark, the role and the symbol, padded.
func (t *text) call(dst *shown.Text, s *Step) {
	from, e := dst.Len(), s.Event
	dst.Spaces(2 * min(s.Depth, maxIndent))
	putPhaseMark(dst, e)
	dst.Word(e.Role.Label())
	if symbol := cmp.Or(e.Symbol, t.symbols.symbol(e.Role, e.PhaseInFile())); symbol != "" {
		dst.Put(" ")
		dst.Name(symbol)
	}
	dst.Spaces(callWidth - dst.Runes(from))
}

// putPhaseMark appends whether a line is the entry or the exit of a call, or has only one moment.
func putPhaseMark(dst *shown.Text, e *schema.Event) {
	p := e.PhaseInFile()
	_, known := e.Role.Info()
	switch {
	case known && !e.Role.Paired() || p == schema.Whole:
		dst.Put("- ") // one moment, not a call
	case p == schema.Enter:
		dst.Put("> ")
	case p == schema.Exit:
		dst.Put("< ")
	default:
		dst.Put("? ")
	}
}

func (t *text) event(dst *shown.Text, s *Step) {
	e := s.Event
	t.start.put(dst, e)
	t.calls.put(dst, s, t.call)
	if e.Entry != nil {
		t.values(dst, &Step{Event: e.Entry})
		dst.Put(" ->")
	}
	t.values(dst, s)
	if e.Name != "" || s.name() != "" {
		t.name(dst, s)
	}
	dst.Put("\n")
}

// writeStart writes the start of a line: the event's id, time, CPU and task.
func (t *text) writeStart(e *schema.Event) {
	o := &t.start
	o.begin(e)
	o.text.Join(&t.dim)
	o.text.ID(e.ID, 8)
	o.idEnd = o.text.Len()
	o.text.Put(" ")
	o.text.Seconds(e.Time, 6)
	o.setFraction(e, o.text.Len()-9, 9)
	o.text.Put(" ")
	o.text.Padded(uint64(e.CPU), 3)
	o.text.Join(&t.plain)
	from := o.text.Len()
	o.text.Put(" ")
	putTask(&o.text, e)
	o.text.Spaces(1 + taskWidth - (o.text.Len() - from))
	o.text.Put(" ")
}

// putTask appends the task of an event, or - where an imported log does not name it.
func putTask(dst *shown.Text, e *schema.Event) {
	if e.Comm == "" && e.TID == 0 {
		dst.Put("-")
		return
	}
	dst.Name(e.Comm)
	dst.Put("/")
	dst.Uint(uint64(e.TID))
}

// values appends what the event recorded, except the name.
func (t *text) values(dst *shown.Text, s *Step) {
	e := s.Event
	if e.Columns.Has(schema.ColumnDentry) {
		t.dentry(dst, s)
	}
	if e.Columns&(1<<schema.ColumnKey|1<<schema.ColumnBucket) != 0 {
		t.key(dst, e)
	}
	if e.NameAddr != 0 {
		dst.Put(" at=")
		dst.Hex(e.NameAddr)
	}
	t.rare(dst, e)
	if e.Facts != 0 {
		dst.Join(t.facts.textOf(e.Facts))
	}
	t.pairing(dst, s)
}

// key appends what a name is looked up by, except the name. For a dentry, the parent has been printed
// already.
func (t *text) key(dst *shown.Text, e *schema.Event) {
	if e.Parent != 0 && e.Dentry == 0 {
		dst.Put(" parent=")
		dst.Hex(e.Parent)
	}
	if e.Hash != 0 {
		dst.Put(" hash=")
		dst.Uint(uint64(e.Hash)) // decimal, as in dmesg and the report
	}
	dst.Put(" len=")
	dst.Uint(uint64(e.NameLen))
}

func (t *text) dentry(dst *shown.Text, s *Step) {
	e := s.Event
	if e.Dentry == 0 {
		dst.Put(" dentry=NULL")
		return
	}
	dst.Put(" dentry=")
	dst.Hex(e.Dentry)
	if s.Object != nil && s.Object.Seq != 0 {
		dst.Put(" D")
		dst.Uint(s.Object.Seq)
	}
	dst.Put(" parent=")
	dst.Hex(e.Parent)
	switch {
	case e.Inode != 0:
		dst.Put(" inode=")
		dst.Hex(e.Inode)
	case e.Facts&schema.FactInodeUnknown == 0:
		dst.Put(" negative")
	}
}

// rare appends the fields that few kinds of event have.
func (t *text) rare(dst *shown.Text, e *schema.Event) {
	for rest := uint32(e.Columns &^ usualColumns); rest != 0; rest &= rest - 1 {
		of := fields[bits.TrailingZeros32(rest)]
		for i := range of {
			t.field(dst, e, &of[i])
		}
	}
}

func (t *text) field(dst *shown.Text, e *schema.Event, f *field) {
	switch f.Form {
	case schema.FormNumber:
		dst.Join(&f.text)
		dst.Uint(f.Value(e))
	case schema.FormHex, schema.FormAddress:
		dst.Join(&f.text)
		dst.Hex(f.Value(e))
	case schema.FormOctal:
		if v := f.Value(e); v != 0 {
			dst.Join(&f.text)
			dst.Octal(v)
		}
	case schema.FormDescriptor:
		if v := int64(f.Value(e)); v != schema.ATFDCWD {
			dst.Join(&f.text)
			dst.Int(v)
		}
	case schema.FormCgroup:
		if e.Cgroup != "" {
			dst.Join(&f.text)
			dst.Name(e.Cgroup)
		}
	case schema.FormReturn:
		t.returned(dst, e, f)
	case schema.FormFilesystem:
		if e.Dev == 0 {
			return
		}
		if e.FSType != "" {
			dst.Join(&f.text)
			dst.Name(e.FSType)
		}
		dst.Put(" dev=")
		putDev(dst, e.Dev)
	}
}

func (t *text) returned(dst *shown.Text, e *schema.Event, f *field) {
	v := f.Value(e)
	if e.Role.Is(schema.TraitReturnsStatus) {
		dst.Put(" ")
		dst.Word(schema.WaitStatus(v).String())
		return
	}
	dst.Join(&f.text)
	switch n := e.Errno(); {
	case n != 0:
		dst.Join(&t.bold)
		dst.Int(-int64(n))
		if name := schema.ErrnoName(n); name[0] == 'E' { // not a number
			dst.Put(" ")
			dst.Word(name)
		}
		dst.Join(&t.plain)
	case e.Role.Is(schema.TraitReturnsAddress):
		dst.Hex(v)
	default:
		dst.Int(int64(v))
	}
}

// putDev appends a device as "major:minor".
func putDev(dst *shown.Text, dev uint32) {
	dst.Uint(uint64(dev >> 20))
	dst.Put(":")
	dst.Uint(uint64(dev & (1<<20 - 1)))
}

// factNames holds the names of the facts in the order of their bits.
var factNames = [...]shown.Text{shown.Of("parent_is_root"), shown.Of("parent_op_hash"), shown.Of("mountpoint"), shown.Of("unhashed"), shown.Of("inode_unknown"),
	shown.Of("name_unreadable"), shown.Of("unwatched"), shown.Of("exchange"), shown.Of("other_root")}

// pairing appends the entry that an exit belongs to, and what is odd about the event.
func (t *text) pairing(dst *shown.Text, s *Step) {
	switch {
	case s.Stray:
		dst.Join(&t.alarm)
		dst.Put(" stray")
		dst.Join(&t.plain)
	case s.Event.Entry != nil:
	case s.Call != nil && s.Event.Phase == schema.Exit:
		dst.Put(" of #")
		dst.Uint(s.Call.Enter.ID)
	case s.Event.Execute():
		dst.Put(" exec")
	}
}

func (t *text) name(dst *shown.Text, s *Step) {
	e, name := s.Event, s.name()
	dst.Put(" | ")
	dst.Join(&t.bold)
	dst.Name(name)
	if dst.Join(&t.plain); s.Named().NameCut() {
		dst.Put("... (cut)")
	}
	if e.Entry != nil && e.Dentry != 0 && e.Name != name {
		dst.Put(" -> ")
		dst.Join(&t.bold)
		dst.Name(e.Name)
		dst.Join(&t.plain)
	}
}

// note appends a line that is not of an event.
func (t *text) note(dst *shown.Text, line func()) {
	dst.Join(&t.dim)
	dst.Put("--- ")
	line()
	dst.Join(&t.plain)
	dst.Put("\n")
}

// warning appends a line about something that is missing.
func (t *text) warning(dst *shown.Text, line func()) {
	dst.Join(&t.alarm)
	dst.Put("!!! ")
	line()
	dst.Join(&t.plain)
	dst.Put("\n")
}

func (t *text) loss(dst *shown.Text, l *schema.Loss) {
	t.warning(dst, func() { putLoss(dst, l) })
}

func (t *text) damage(dst *shown.Text, d *schema.Damage, last uint64) {
	t.warning(dst, func() { putDamage(dst, d, last) })
}

func (t *text) program(dst *shown.Text, p *schema.Program) {
	t.note(dst, func() {
		dst.Put("program ")
		dst.Name(shown.FromStored(p.Name))
		dst.Put(", process ")
		dst.Uint(uint64(p.Pid))
		dst.Put(", ended with exit code ")
		dst.Int(int64(p.ExitCode))
		dst.Put(" at ")
		dst.Seconds(p.EndNs, 0)
	})
}

func (t *text) footer(dst *shown.Text, f *schema.Footer) {
	t.note(dst, func() {
		dst.Put("end: ")
		dst.Uint(f.Events)
		dst.Put(" events, ")
		dst.Uint(f.Lost)
		dst.Put(" lost, ended by ")
		dst.Name(f.EndedBy)
		dst.Put(" at ")
		dst.Seconds(f.EndNs, 0)
	})
}

func (t *text) cut(dst *shown.Text, last uint64) {
	t.warning(dst, func() {
		dst.Put("the trace is cut: no event is known after ")
		dst.ID(last, 0)
	})
}
