// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sent is an event as a probe sends it: what every event has, and then words of 64 bits, little endian, for the columns of its
// role and phase in the catalogue, in the order of Column, and the bytes of names. A row of the table of columns has a word,
// but for
//
//	KEY         parent, length | hash << 32; a length of 0: that of the name's bytes
//	DENTRY      address, and unless that is 0: inode, name address, parent, length | hash << 32
//	FILESYSTEM  address of the struct file_system_type, s_dev
//	OPEN        open_flag | mode << 32
//
// Of a call as a whole the words are those of both phases, and a dentry that is not NULL has one word more, its
// facts | bytes of its name << 16; the name stands in the second half of the bytes behind the words.
type Sent struct {
	Time          uint64 // nanoseconds since boot
	PID, TID, CPU uint32
	Comm          string
	SameTask      bool // PID, TID and Comm are those of the event that this Sender appended before
	Role          Role
	Phase         Phase  // Enter, Exit or Whole
	Facts         Fact   // of the key, or else of the dentry
	Stored        int    // bytes of its name
	Rest          []byte // words and names
	Text          string // the same bytes: names are cut from it, and copied where they are kept
}

// sentAs is what a row of the table of columns takes of the words.
type sentAs uint8

const (
	oneWord sentAs = iota
	twoWords
	upperHalf // of the word of the row before
)

const (
	wordBytes   = 8
	dentryBytes = 4 * wordBytes // behind the address
)

// Sender turns what probes send into columns, with no Event between.
type Sender struct {
	kinds           [256 * 4]*sentKind // by sentIndex
	typeOf, groupOf func(uint64) string
	types           map[uint64]string // names of struct file_system_type by address
	batch           *batchWriter      // that of the event before, and which of its batches
	firstID, turn   uint64            // turn: counts batches
	taskTurn        uint64            // that in which task is the row of the last event's
	task            uint32
	last            sentFilesystem // of the event before that had one
	event           Event          // holds what few events have, while that is written
}

// sentKind is what one role and phase sends.
type sentKind struct {
	kindRow
	rows   []sentRow // in the order of their words, behind the dentry
	size   int       // bytes of all words where the dentry is NULL
	dentry int       // where the dentry's address stands; −1: there is none
	more   int       // bytes of the words behind the address of one that is not NULL
	turn   uint64    // row is its row in the batch of this turn
	row    uint32
}

// sentRow is a row of the table of columns, and the short way to it where it is a number that stands in the file as it is.
type sentRow struct {
	row    uint8
	field  uint8
	way    sentWay
	narrow bool // to 32 bits
	upper  bool // as upperHalf
}

type sentWay uint8

const (
	wayEvent sentWay = iota // by way of an Event
	wayNumber
	wayDelta
	wayFilesystem
)

// sentFilesystem is a filesystem and its row in the batch of a turn.
type sentFilesystem struct {
	turn, addr uint64
	dev, row   uint32
}

var errShort = errors.New("record is cut short")

// NewSender returns a Sender that asks typeOf once for the name of each struct file_system_type,
// by its address, and groupOf for the path of a cgroup, by its id.
func NewSender(typeOf, groupOf func(uint64) string) *Sender {
	s := &Sender{typeOf: typeOf, groupOf: groupOf, types: make(map[uint64]string)}
	for i := range catalogue {
		info := &catalogue[i]
		for _, phase := range []Phase{Enter, Exit} {
			if shape := info.Role.Shape(phase); shape != nil {
				s.kinds[sentIndex(info.Role, phase)] = newSentKind(kindRow{role: info.Role, phase: phase, columns: shape.Columns})
			}
		}
		if info.Traits&Leaf != 0 {
			s.kinds[sentIndex(info.Role, Whole)] = newSentKind(kindRow{role: info.Role, phase: Whole, columns: info.Enter.Columns | info.Exit.Columns})
		}
	}
	return s
}

func sentIndex(role Role, phase Phase) uint { return uint(role)<<2 | uint(phase) }

func newSentKind(row kindRow) *sentKind {
	k := &sentKind{kindRow: row, dentry: -1, more: dentryBytes}
	if row.phase == Whole {
		k.more += wordBytes
	}
	for c := ColumnKey; c < 32; c++ {
		if !row.columns.Has(c) {
			continue
		}
		if c == ColumnDentry {
			k.dentry = k.size
		}
		for _, r := range rowsOf[c] {
			if r > rowDentry {
				k.rows = append(k.rows, newSentRow(r))
			}
			k.size += wordBytes * [...]int{oneWord: 1, twoWords: 2, upperHalf: 0}[columnTable[r].sent]
		}
	}
	return k
}

func newSentRow(row uint8) sentRow {
	c := &columnTable[row]
	r := sentRow{row: row, field: uint8(c.field), upper: c.sent == upperHalf}
	switch {
	case row == rowFilesystem:
		r.way = wayFilesystem
	case c.put != nil, c.signed, c.codes:
	case c.delta:
		r.way = wayDelta
	default:
		r.way = wayNumber
	}
	if c.Set != nil {
		var e Event
		c.Set(&e, 1<<32)
		r.narrow = c.Of(&e) == 0
	}
	return r
}

// Append adds an event as Writer.Append does. Besides its errors there is one for what the catalogue does not have so; nothing
// is added then.
func (s *Sender) Append(t *Writer, e *Sent) error {
	var k *sentKind
	if i := sentIndex(e.Role, e.Phase); i < uint(len(s.kinds)) && uint(e.Phase) < 4 {
		k = s.kinds[i]
	}
	if k == nil {
		return fmt.Errorf("record of role %d and phase %d", e.Role, e.Phase)
	}
	size, stored := k.size, e.Stored
	if len(e.Rest) < size {
		return errShort
	}
	found := k.dentry >= 0 && binary.LittleEndian.Uint64(e.Rest[k.dentry:]) != 0
	if found {
		size += k.more
	}
	if len(e.Rest) < size+stored {
		return errShort
	}
	d := dentryValue{}
	d.key.name = e.Text[size : size+stored]
	if found && k.phase == Whole {
		word := binary.LittleEndian.Uint64(e.Rest[k.dentry+wordBytes+dentryBytes:])
		text := e.Text[size:]
		if text = text[len(text)/2:]; int(word>>16&0xffff) > len(text) {
			return errShort
		}
		d.key.facts, d.key.name = Fact(uint16(word)), text[:word>>16&0xffff]
	}
	if t.err != nil {
		return t.err
	}
	t.moment(e.Time)
	s.values(t.batch, k, e, &d, e.Text[size:size+stored])
	return t.added()
}

// values adds an event to the columns of its kind; of a dentry d has the name, and the facts where they are its own.
func (s *Sender) values(b *batchWriter, k *sentKind, e *Sent, d *dentryValue, name string) {
	if s.batch != b || s.firstID != b.firstID {
		s.batch, s.firstID = b, b.firstID
		s.turn++
	}
	if k.turn != s.turn {
		k.turn, k.row = s.turn, b.kind(&k.kindRow)
	}
	if !e.SameTask || s.taskTurn != s.turn {
		s.taskTurn, s.task = s.turn, b.task(e.PID, e.TID, e.Comm)
	}
	b.head(e.Time, e.CPU, k.row, s.task)
	le, words := binary.LittleEndian, e.Rest
	if k.columns.Has(ColumnKey) {
		key := keyValue{name: name, facts: e.Facts}
		key.fill(words)
		if words = words[2*wordBytes:]; key.length == 0 {
			key.length = uint32(len(name))
		}
		b.putKey(&key)
	}
	if k.columns.Has(ColumnNameAddr) {
		b.putNameAddr(le.Uint64(words))
		words = words[wordBytes:]
	}
	if k.columns.Has(ColumnDentry) {
		d.address, words = le.Uint64(words), words[wordBytes:]
		if d.address != 0 {
			if k.phase != Whole {
				d.key.facts = e.Facts
			}
			d.inode, d.nameAddr = le.Uint64(words), le.Uint64(words[wordBytes:])
			d.key.fill(words[2*wordBytes:])
			words = words[k.more:]
		}
		b.putDentry(d)
	}
	if len(k.rows) > 0 {
		s.event.Time, s.event.Hash = e.Time, d.key.hash
		s.rest(b, k.rows, words)
	}
}

// fill reads the two words of a key.
func (k *keyValue) fill(words []byte) {
	le := binary.LittleEndian
	k.parent, k.length, k.hash = le.Uint64(words), le.Uint32(words[wordBytes:]), le.Uint32(words[wordBytes+4:])
}

// rest adds what stands behind the dentry.
func (s *Sender) rest(b *batchWriter, rows []sentRow, words []byte) {
	word := uint64(0)
	for i := range rows {
		r := &rows[i]
		if r.way == wayFilesystem {
			s.filesystem(b, words)
			words = words[2*wordBytes:]
			continue
		}
		if r.upper {
			word >>= 32
		} else {
			word, words = binary.LittleEndian.Uint64(words), words[wordBytes:]
		}
		v := word
		if r.narrow {
			v = uint64(uint32(v))
		}
		switch r.way {
		case wayNumber:
			b.columns[r.field].uint(v)
		case wayDelta:
			b.previous[r.row] = b.columns[r.field].delta(v, b.previous[r.row])
		default:
			s.rare(b, int(r.row), v)
		}
	}
}

// rare adds what is no number, or not as it stands in the file.
func (s *Sender) rare(b *batchWriter, row int, v uint64) {
	if c := &columnTable[row]; c.Set != nil {
		c.Set(&s.event, v)
	} else {
		c.received(s, &s.event, v)
	}
	b.put(row, &s.event)
}

// filesystem adds the filesystem whose words these are. There are few, and mostly it is that of the event before.
func (s *Sender) filesystem(b *batchWriter, words []byte) {
	addr, dev := binary.LittleEndian.Uint64(words), binary.LittleEndian.Uint32(words[wordBytes:])
	if f := &s.last; f.addr != addr || f.dev != dev || f.turn != s.turn {
		*f = sentFilesystem{s.turn, addr, dev, b.filesystem(s.filesystemType(addr), dev)}
	}
	b.columns[fieldFilesystem].uint(uint64(s.last.row))
}

// filesystemType is the name of the struct file_system_type at an address; a kernel has a few dozen.
func (s *Sender) filesystemType(addr uint64) string {
	if addr == 0 {
		return ""
	}
	name, ok := s.types[addr]
	if !ok {
		name = s.typeOf(addr)
		s.types[addr] = name
	}
	return name
}
