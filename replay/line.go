// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// lineStart makes the start of a line: the event's id and time, and its task. Successive lines often differ
// only in some digits, which are then overwritten in a copy of the last start made in full.
type lineStart struct {
	write   func(*schema.Event) // writes the start for an event into text
	actor   actor
	text    shown.Text
	hundred uint64 // id of that event, rounded down to a multiple of 100
	second  uint64 // time of that event, rounded down to a second, in nanoseconds since boot
	idEnd   int    // offset in text behind the last digit of the id
	ns      int    // offset in text of the digits of the fraction of a second; 0: text cannot be reused
	digits  int    // how many of its nine digits are printed
}

type actor struct {
	cpu, pid, tid uint32
	comm          string
}

// begin empties text, to be filled for the event.
func (o *lineStart) begin(e *schema.Event) {
	o.actor, o.hundred, o.second, o.ns = actor{e.CPU, e.PID, e.TID, e.Comm}, e.ID-e.ID%100, e.Time-e.Time%1e9, 0
	o.text.Truncate(0)
	o.text.MakeRoom(startRoom)
}

// setFraction notes where the fraction of a second stands.
func (o *lineStart) setFraction(e *schema.Event, at, digits int) {
	if e.ID >= 10 { // put overwrites two digits of the id
		o.ns, o.digits = at, digits
	}
}

// startRoom is a size in bytes that most starts of a line fit in.
const startRoom = 256

// put appends the start of an event's line. If it differs from the last one only in digits, only these are
// written anew.
func (o *lineStart) put(dst *shown.Text, e *schema.Event) {
	id, ns := e.ID-o.hundred, e.Time-o.second
	if o.ns == 0 || id >= 100 || ns >= 1e9 || e.TID != o.actor.tid || e.CPU != o.actor.cpu || e.PID != o.actor.pid || e.Comm != o.actor.comm {
		o.write(e)
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

// perCall caches a text for each known role and phase, at depths less than readyDepths.
type perCall [maxRole][schema.Whole + 1][readyDepths]shown.Text

const readyDepths = 4

// cached returns the cached text for an event, empty if it is still to be made. It returns nil where none is
// cached: for an unknown role or phase, a deeper call, or an event that names its own symbol.
func (p *perCall) cached(s *Step) *shown.Text {
	role, phase, depth := uint(s.Event.Role), uint(s.Event.PhaseInFile()), uint(s.Depth)
	if role >= maxRole || phase > uint(schema.Whole) || depth >= readyDepths || s.Event.Symbol != "" {
		return nil
	}
	return &p[role][phase][depth]
}

// put appends the text for an event, which make writes if it is not cached.
func (p *perCall) put(dst *shown.Text, s *Step, make func(*shown.Text, *Step)) {
	switch text := p.cached(s); {
	case text == nil:
		make(dst, s)
	case text.Len() == 0:
		text.MakeRoom(startRoom)
		make(text, s)
		fallthrough
	default: // most often
		dst.Join(text)
	}
}

// factTexts caches a text for each set of facts: a list in brackets.
type factTexts struct {
	begin, quote shown.Text // what a list begins with, and what each fact stands between
	texts        [1 << len(factNames)]shown.Text
}

// textOf returns the text for a set of facts.
func (f *factTexts) textOf(facts schema.Fact) *shown.Text {
	text := &f.texts[uint32(facts)%uint32(len(f.texts))] // facts without a name are left out
	if text.Len() == 0 {
		f.build(text, facts)
	}
	return text
}

func (f *factTexts) build(text *shown.Text, facts schema.Fact) {
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

// subject is what an event says about a dentry, and about a name and the directory that it is in.
type subject struct {
	dentry, inode, object, parent uint64
	nameAddr                      uint64
	naming
	columns schema.Columns // the usual columns, with inodeUnknown and isPath
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

// subjectColumns returns what an event says about its subject.
func subjectColumns(e *schema.Event) schema.Columns {
	says := e.Columns & usualColumns
	if e.Hash == 0 && says.Has(schema.ColumnKey) && e.Role.Is(schema.TraitWalks) {
		says |= isPath
	}
	if e.Dentry == 0 {
		return says
	}
	if says |= usualColumns; e.Inode == 0 && e.Facts&schema.FactInodeUnknown != 0 {
		says |= inodeUnknown
	}
	return says
}

// pieces caches parts of lines by a hash of their subject, as the events after a lookup repeat its name and
// dentry.
type pieces [64]piece

type piece struct {
	subject subject
	text    shown.Text
}

// newPieces returns pieces with room for texts of a usual length.
func newPieces() *pieces {
	var p pieces
	for i := range p {
		p[i].text.MakeRoom(startRoom)
	}
	return &p
}

// pieceFor returns the piece for an event and the number of its dentry. written reports whether the piece has
// their text already; if not, the caller writes it.
func (p *pieces) pieceFor(e *schema.Event, object uint64) (of *piece, written bool) {
	of, says := &p[(e.Dentry>>6+e.Parent>>6+uint64(e.Hash))%uint64(len(p))], subjectColumns(e)
	if o := &of.subject; o.dentry == e.Dentry && o.nameAddr == e.NameAddr && o.parent == e.Parent && o.hash == e.Hash && o.object == object &&
		o.inode == e.Inode && o.length == e.NameLen && o.columns == says && o.name == e.Name && of.text.Len() > 0 {
		return of, true
	}
	of.subject = subject{e.Dentry, e.Inode, object, e.Parent, e.NameAddr, naming{e.Name, e.NameLen, e.Hash}, says}
	return of, false
}
