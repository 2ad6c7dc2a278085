// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// lineWidth is the width in columns that NewText fits a line in; … stands for what it cuts out of a name.
const lineWidth = 120

const (
	narrowTask   = 16 // columns of comm/tid
	narrowCall   = 22 // columns of the nested call
	narrowIndent = 8  // deeper calls are not indented any further
	leastName    = 12 // columns that a name gets at least
)

// narrow is text without symbols, addresses and hashes, which readers of most lines do not need. A dentry
// is printed by its number.
type narrow struct {
	text
	names [16]struct { // cache of names, by their hash
		name string
		text shown.Text // " | " and the name, as it stands in a line
	}
}

func (t *narrow) begin(dst *shown.Text, h *schema.Header) {
	t.start.write = t.writeStart
	for i := range t.names {
		t.names[i].text.MakeRoom(startRoom)
	}
	dst.Join(&t.dim)
	dst.Put("      id       seconds task             call                   values | name")
	dst.Join(&t.plain)
	dst.Put("\n")
}

func (t *narrow) event(dst *shown.Text, s *Step) {
	e := s.Event
	from := dst.Len()
	t.start.put(dst, e)
	t.calls.put(dst, s, t.call)
	asked, facts, name := e, e.Facts, ""
	if e.Entry != nil {
		asked, name = e.Entry, e.Entry.Name
		facts |= asked.Facts
	} else {
		name = s.name()
	}
	t.object(dst, s)
	if e.Columns&resultColumns != 0 || e.Entered != 0 {
		t.result(dst, e)
	}
	if e.Entry == nil || s.Stray {
		t.pairing(dst, s)
	}
	if f := facts & narrowFacts; f != 0 {
		dst.Join(t.facts.textOf(f))
	}
	if name != "" {
		t.putName(dst, from, name, asked)
	}
	dst.Put("\n")
}

// putName appends the name that ends a line, as much of it as there is room for. The line began at byte from.
func (t *narrow) putName(dst *shown.Text, from int, name string, asked *schema.Event) {
	cached := &t.names[asked.Hash%uint32(len(t.names))]
	if name != cached.name {
		cached.name = name
		cached.text.Truncate(0)
		cached.text.Put(" | ")
		cached.text.Join(&t.bold)
		cached.text.Name(name)
		cached.text.Join(&t.plain)
	}
	cut := asked.NameCut()
	line := dst.Len() // the length of all before the name
	if dst.Join(&cached.text); !cut && dst.Len()-from <= lineWidth {
		return // a character has at least one byte
	}
	dst.Truncate(line)
	room := lineWidth - dst.Runes(from) - len(" | ")
	dst.Put(" | ")
	dst.Join(&t.bold)
	dst.NameFitting(name, max(room, leastName))
	if dst.Join(&t.plain); cut {
		dst.Put("…")
	}
}

// writeStart writes the start of a line: the event, its time in microseconds, and its task.
func (t *narrow) writeStart(e *schema.Event) {
	o := &t.start
	o.begin(e)
	o.text.ID(e.ID, 8)
	o.idEnd = o.text.Len()
	o.text.Put(" ")
	o.text.Padded(e.Time/1e9, 6)
	o.text.Put(".")
	o.setFraction(e, o.text.Len(), 6)
	o.text.Digits(e.Time%1e9/1e3, 6)
	o.text.Put(" ")
	from := o.text.Len()
	putTask(&o.text, e)
	padColumn(&o.text, from, narrowTask)
}

func (t *narrow) call(dst *shown.Text, s *Step) {
	from := dst.Len()
	dst.Spaces(2 * min(s.Depth, narrowIndent))
	putPhaseMark(dst, s.Event)
	dst.Word(s.Event.Role.Label())
	padColumn(dst, from, narrowCall)
}

// padColumn pads a column that began at byte from to its width.
func padColumn(dst *shown.Text, from, width int) {
	dst.Spaces(width - dst.Runes(from))
	dst.Put(" ")
}

// object appends the dentry of the event, and whether it is negative.
func (t *narrow) object(dst *shown.Text, s *Step) {
	e := s.Event
	switch {
	case !e.Columns.Has(schema.ColumnDentry):
	case e.Dentry == 0:
		if e.Errno() == 0 {
			dst.Put(" NULL")
		}
	case s.Object == nil:
		dst.Put(" ?")
	default:
		if s.Object.Seq != 0 {
			dst.Put(" D")
			dst.Uint(s.Object.Seq)
		} else {
			dst.Put(" ")
			dst.Hex(e.Dentry)
		}
		if e.Negative() {
			dst.Put(" negative")
		}
	}
}

// resultColumns are the columns that result looks at.
const resultColumns = 1<<schema.ColumnRet | 1<<schema.ColumnChild

// result appends the result of a call, and how long it took.
func (t *narrow) result(dst *shown.Text, e *schema.Event) {
	if e.Columns.Has(schema.ColumnRet) {
		switch n := e.Errno(); {
		case e.Role.Is(schema.TraitReturnsStatus):
			dst.Put(" ")
			dst.Word(schema.WaitStatus(e.Ret).String())
		case n != 0:
			dst.Put(" ")
			dst.Join(&t.bold)
			dst.Word(schema.ErrnoName(n))
			dst.Join(&t.plain)
		}
	}
	if e.Columns.Has(schema.ColumnChild) {
		dst.Put(" child ")
		dst.Uint(uint64(e.Child))
	}
	if e.Entered != 0 && e.Entered <= e.Time {
		dst.Put(" ")
		if d := e.Time - e.Entered; d%100 == 50 || d > 1e15 {
			dst.Tenths(float64(d) / 1e3)
		} else {
			d = (d + 50) / 100
			dst.Uint(d / 10)
			dst.Put(".")
			dst.Uint(d % 10)
		}
		dst.Put(" µs")
	}
}

// narrowFacts are the facts that a narrow line shows.
const narrowFacts = schema.FactMountpoint | schema.FactUnhashed | schema.FactInodeUnknown | schema.FactNameUnreadable | schema.FactUnwatched | schema.FactExchange

// Named returns the event with the name that the step is about: the entry, in a call that is one event.
func (s *Step) Named() *schema.Event {
	if s.Event.Entry != nil {
		return s.Event.Entry
	}
	return s.Event
}

// EachPhase calls do with the entry and then with the exit of a call that is one event, each as if it were an
// event of its own. Any other step is passed to do as it is.
func (s *Step) EachPhase(do func(*Step)) {
	if s.Event.Entry != nil {
		entry := *s
		entry.Event, entry.Object = s.Event.Entry, nil
		do(&entry)
	}
	do(s)
}

// name returns the name or path that a line ends with; at the exit of a path call that is the call's path.
func (s *Step) name() string {
	if s.Call != nil && s.Event.Phase == schema.Exit && callRoles.Has(s.Event.Role) {
		return s.Call.Path
	}
	return s.Named().Name
}
