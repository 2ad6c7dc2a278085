// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// lineStart is how the line of an event begins: which event it is and when, and who did it. From line to line only digits
// differ, which are written over those of the one that was made whole.
type lineStart struct {
	make    func(*schema.Event) // makes text for an event
	by      actor
	text    shown.Text
	hundred uint64 // of events, and
	second  uint64 // of the time, in nanoseconds since boot, that the text is of
	idEnd   int    // behind the last digit of the id in text
	ns      int    // where the digits of the rest of the time begin; 0: no other line begins so
	digits  int    // and how many of the nine are there
}

type actor struct {
	cpu, pid, tid uint32
	comm          string
}

// begin empties it, for one of the event.
func (o *lineStart) begin(e *schema.Event) {
	o.by, o.hundred, o.second, o.ns = actor{e.CPU, e.PID, e.TID, e.Comm}, e.ID-e.ID%100, e.Time-e.Time%1e9, 0
	o.text.Truncate(0)
	o.text.MakeRoom(startRoom)
}

// timed notes where the rest of the time stands.
func (o *lineStart) timed(e *schema.Event, at, digits int) {
	if e.ID >= 10 { // two digits of it are written
		o.ns, o.digits = at, digits
	}
}

// startRoom is more than most starts of a line take.
const startRoom = 256

// put begins the line of an event. Where the last one had the same start but for digits, only these are written.
func (o *lineStart) put(dst *shown.Text, e *schema.Event) {
	id, ns := e.ID-o.hundred, e.Time-o.second
	if o.ns == 0 || id >= 100 || ns >= 1e9 || e.TID != o.by.tid || e.CPU != o.by.cpu || e.PID != o.by.pid || e.Comm != o.by.comm {
		o.make(e)
		dst.Join(&o.text)
		return
	}
	from := dst.Len()
	dst.Join(&o.text)
	if dst.SetTwo(from+o.idEnd-2, uint32(id)); o.digits == 9 {
		dst.SetNine(from+o.ns, uint32(ns))
	} else {
		dst.SetSix(from+o.ns, uint32(ns/1e3))
	}
}

// perCall has a text for each kind of event of the known roles that has been met, as deep within others as most are.
type perCall [maxRole][schema.Whole + 1][readyDepths]shown.Text

const readyDepths = 4

// of returns the text for an event, which is to be made where it is empty; nil where there is none, or the event names its own symbol.
func (p *perCall) of(s *Step) *shown.Text {
	role, phase, depth := uint(s.Event.Role), uint(s.Event.PhaseInFile()), uint(s.Depth)
	if role >= maxRole || phase > uint(schema.Whole) || depth >= readyDepths || s.Event.Symbol != "" {
		return nil
	}
	return &p[role][phase][depth]
}

// put adds the text for an event, which make makes where it is new.
func (p *perCall) put(dst *shown.Text, s *Step, make func(*shown.Text, *Step)) {
	switch text := p.of(s); {
	case text == nil:
		make(dst, s)
	case text.Len() == 0:
		text.MakeRoom(startRoom)
		make(text, s)
		fallthrough
	default: // mostly
		dst.Join(text)
	}
}

// factTexts are texts for sets of facts that have been met: lists in brackets.
type factTexts struct {
	begin, quote shown.Text // what a list begins with, and what each fact stands between
	texts        [1 << len(factNames)]shown.Text
}

// of returns the text for some facts.
func (f *factTexts) of(facts schema.Fact) *shown.Text {
	text := &f.texts[uint32(facts)%uint32(len(f.texts))] // of others nothing is said
	if text.Len() == 0 {
		f.make(text, facts)
	}
	return text
}

func (f *factTexts) make(text *shown.Text, facts schema.Fact) {
	text.MakeRoom(startRoom)
	text.Join(&f.begin)
	first := text.Len()
	for i := range factNames {
		if facts>>i&1 == 0 {
			continue
		}
		if text.Len() > first {
			text.Put(",")
		}
		text.Join(&f.quote)
		text.Join(&factNames[i])
		text.Join(&f.quote)
	}
	text.Put("]")
}

// subject is what an event says of a dentry, and of a name and where that stands.
type subject struct {
	dentry, inode, object, parent uint64
	nameAddr                      uint64
	naming
	says schema.Columns // of the usual ones, with inodeUnknown and isPath
}

// naming is a name with its length and hash.
type naming struct {
	name         string
	length, hash uint32
}

const (
	inodeUnknown schema.Columns = 1 << 31 // the inode is not known
	isPath       schema.Columns = 1 << 30 // the name is a path, and has no hash
)

// says is what an event says of its subject.
func says(e *schema.Event) schema.Columns {
	says := e.Columns & usual
	if e.Hash == 0 && says.Has(schema.ColumnKey) && e.Role.Is(schema.Walks) {
		says |= isPath
	}
	if e.Dentry == 0 {
		return says
	}
	if says |= usual; e.Inode == 0 && e.Facts&schema.FactInodeUnknown != 0 {
		says |= inodeUnknown
	}
	return says
}

// pieces are parts of lines written before, each in the place of its number: what a lookup asks for, and which dentry it
// is, the events that follow say again.
type pieces [64]piece

type piece struct {
	of   subject
	text shown.Text
}

// newPieces has room for texts of a usual length.
func newPieces() *pieces {
	var p pieces
	for i := range p {
		p[i].text.MakeRoom(startRoom)
	}
	return &p
}

// at returns the piece for an event, and whether it is of what the event says of the dentry with the number; if not, it is to be
// written.
func (p *pieces) at(e *schema.Event, object uint64) (of *piece, written bool) {
	of, says := &p[(e.Dentry>>6+e.Parent>>6+uint64(e.Hash))%uint64(len(p))], says(e)
	if o := &of.of; o.dentry == e.Dentry && o.nameAddr == e.NameAddr && o.parent == e.Parent && o.hash == e.Hash && o.object == object &&
		o.inode == e.Inode && o.length == e.NameLen && o.says == says && o.name == e.Name && of.text.Len() > 0 {
		return of, true
	}
	of.of = subject{e.Dentry, e.Inode, object, e.Parent, e.NameAddr, naming{e.Name, e.NameLen, e.Hash}, says}
	return of, false
}
