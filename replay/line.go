// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/schema"
)

// lineStart is how the line of an event begins: which event it is and when, and who did it. From line to line only digits
// differ, which are written over those of the one that was made whole.
type lineStart struct {
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

// put begins the line of an event, if it has the same start but for digits.
func (o *lineStart) put(dst *shown.Text, e *schema.Event) bool {
	id, ns := e.ID-o.hundred, e.Time-o.second
	if o.ns == 0 || id >= 100 || ns >= 1e9 || e.TID != o.by.tid || e.CPU != o.by.cpu || e.PID != o.by.pid || e.Comm != o.by.comm {
		return false
	}
	from := dst.Len()
	dst.Join(&o.text)
	if dst.SetTwo(from+o.idEnd-2, uint32(id)); o.digits == 9 {
		dst.SetNine(from+o.ns, uint32(ns))
	} else {
		dst.SetSix(from+o.ns, uint32(ns/1e3))
	}
	return true
}

// perCall has a text for each kind of event of the known roles, as deep within others as most are.
type perCall [maxRole][schema.Whole + 1][readyDepths]shown.Text

const readyDepths = 4

// make makes all of them.
func (p *perCall) make(write func(dst *shown.Text, r schema.Role, p schema.Phase, depth int)) {
	for _, info := range schema.Catalogue() {
		for phase := schema.Enter; phase <= schema.Whole; phase++ {
			for depth := range readyDepths {
				text := &p[info.Role][phase][depth]
				text.MakeRoom(startRoom)
				write(text, info.Role, phase, depth)
			}
		}
	}
}

// of returns the text for an event, nil where it has to be made.
func (p *perCall) of(s *Step) *shown.Text {
	e, phase := s.Event, s.Event.PhaseInFile()
	if e.Role <= 0 || e.Role >= maxRole || phase <= 0 || phase > schema.Whole || s.Depth >= readyDepths {
		return nil
	}
	if text := &p[e.Role][phase][s.Depth]; text.Len() > 0 {
		return text
	}
	return nil
}

// subject is what an event says of a dentry, and of a name and where that stands.
type subject struct {
	dentry, inode, object, parent uint64
	nameAddr                      uint64
	name                          string
	length, hash                  uint32
	columns                       schema.Columns // of the usual ones
	unknown, path                 bool           // the inode is not known; the name is a path
}

// same is ==, in a third of the time: names that are the same are mostly one string.
func (s *subject) same(o *subject) bool {
	return s.dentry == o.dentry && s.nameAddr == o.nameAddr && s.parent == o.parent && s.hash == o.hash && s.object == o.object && s.inode == o.inode &&
		s.length == o.length && s.columns == o.columns && s.unknown == o.unknown && s.path == o.path && s.name == o.name
}

// pieces are parts of lines written before, each in the place of its number: what a lookup asks for, and which dentry it
// is, the events that follow say again.
type pieces [64]struct {
	of   subject
	text shown.Text
}

// newPieces has room for texts of a usual length.
func newPieces() *pieces {
	const usual = 256
	var p pieces
	for i := range p {
		p[i].text.MakeRoom(usual)
	}
	return &p
}

// at returns the text of a subject, and whether it is of that one, of which it has to be made else.
func (p *pieces) at(of *subject) (text *shown.Text, made bool) {
	piece := &p[(of.dentry>>6+of.parent>>6+uint64(of.hash))%uint64(len(p))]
	if made = piece.of.same(of) && piece.text.Len() > 0; !made {
		piece.of = *of
	}
	return &piece.text, made
}
