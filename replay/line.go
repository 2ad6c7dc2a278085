// SPDX-License-Identifier: Apache-2.0

package replay

import "github.com/dtrec/dtrec/schema"

// lineStart is how the line of an event begins: which event it is and when, and who did it. From line to line only what
// differs is written anew.
type lineStart struct {
	by     actor
	text   []byte
	id     uint64
	second uint64 // of the time, in nanoseconds since boot
	idEnd  int    // behind the last digit of the id in text
	ns     int    // where the digits of the rest of the time begin; 0: all is to be written
	digits int    // and how many of the nine are there
}

type actor struct {
	cpu, pid, tid uint32
	comm          string
}

// begin empties it, for one of the event.
func (o *lineStart) begin(e *schema.Event) {
	o.by, o.text, o.id, o.second, o.ns = actor{e.CPU, e.PID, e.TID, e.Comm}, o.text[:0], e.ID, e.Time-e.Time%1e9, 0
}

// turn makes it that of another event, if no more than digits differ.
func (o *lineStart) turn(e *schema.Event) bool {
	if o.ns == 0 || e.Time-o.second >= 1e9 || e.ID-o.id > 1 || o.by != (actor{e.CPU, e.PID, e.TID, e.Comm}) {
		return false
	}
	if e.ID != o.id {
		i := o.idEnd - 1
		for o.text[i] == '9' {
			o.text[i] = '0'
			i--
		}
		if o.text[i] < '0' || o.text[i] > '9' { // a digit more
			return false
		}
		o.text[i]++
		o.id = e.ID
	}
	if ns := e.Time - o.second; o.digits == 9 {
		putDigits(o.text[o.ns:o.ns+9], ns)
	} else {
		putSix(o.text[o.ns:o.ns+6], uint32(ns/1e3))
	}
	return true
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
	text []byte
}

// newPieces has room for texts of a usual length in one piece of memory.
func newPieces() *pieces {
	const usual = 256
	var p pieces
	room := make([]byte, len(p)*usual)
	for i := range p {
		p[i].text = room[i*usual : i*usual : (i+1)*usual]
	}
	return &p
}

// at returns the text of a subject, and whether it is of that one, of which it has to be made else.
func (p *pieces) at(of *subject) (text *[]byte, made bool) {
	piece := &p[(of.dentry>>6+of.parent>>6+uint64(of.hash))%uint64(len(p))]
	if made = piece.of.same(of) && len(piece.text) > 0; !made {
		piece.of = *of
	}
	return &piece.text, made
}
