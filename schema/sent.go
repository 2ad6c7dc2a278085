// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Sent is an event as a probe sends it. It begins with struct head of record.h: the time, in nanoseconds
// since boot; tgid | tid << 32; the comm, in two words; and facts | bytes of the name << 16 | cpu << 32 |
// role << 48 | phase << 56, where facts and name are those of the key, or else of the dentry. Then there
// are words for the columns of its role and phase in the catalogue, in the order of Column, and the bytes
// of names. A row of the table of columns has one word, except
//
//	KEY         parent, length | hash << 32; a length of 0: that of the name's bytes
//	DENTRY      address, and unless that is 0: inode, name address, parent, length | hash << 32
//	FILESYSTEM  address of the struct file_system_type, s_dev
//	OPEN        open_flag | mode << 32
//
// A call as a whole has the words of both phases. A dentry that is not NULL then has one word more, facts |
// bytes of its name << 16; the name is in the second half of the bytes behind the words.
type Sent struct {
	Words []uint64
	Text  string // the same bytes as a string: names are slices of it, and are copied where they are kept
}

// The words of the head.
const (
	headTime = iota
	headTask
	headComm
	_
	headRest
	headWords
)

// sentForm says which words a row of the table of columns has.
type sentForm uint8

const (
	oneWord sentForm = iota
	twoWords
	upperHalf // of the word of the row before
)

const (
	wordBytes   = 8
	dentryWords = 4 // behind the address
)

// Sender turns what probes send into columns, without making Events of it.
type Sender struct {
	kinds             [4 << 8]*sentKind // by role | phase << 8
	typeOf, groupOf   func(uint64) string
	types             map[uint64]string // names of struct file_system_type, by address
	batch             uint64            // counts the batches
	task              sentTask
	comms             map[[2]uint64]string // names of tasks, by their words
	recentFilesystems [8]sentFilesystem    // used last, by a hash of the address
	event             Event                // holds the fields that few events have while they are written
}

// sentKind describes what one role and phase sends.
type sentKind struct {
	kindRow
	nameAddr   int       // index of the word with the name's address
	dentry     int       // index of the dentry's first word; −1: none
	filesystem int       // index of the filesystem's first word, not counting the dentry's later words; −1: none
	rows       []sentRow // the other rows
	size       int       // number of words if the dentry is NULL
	moreWords  int       // words behind the address of a dentry that is not NULL
	batch      uint64    // number of the batch (Sender.batch) in which row is its row
	row        uint32
}

// sentRow is a row of the table of columns, with a short cut for a number that is stored as it is.
type sentRow struct {
	at    int // index of its word, not counting the dentry's later words
	shift uint8
	bits  uint64 // mask for the word, after the shift
	row   uint8
	field uint8 // 0: it is written by way of an Event
	delta bool
}

// sentTask is the task of the last event, as words of its head, and its row in the batch with that number.
type sentTask struct {
	batch uint64
	ids   uint64
	comm  [2]uint64
	row   uint32
}

// sentFilesystem is a filesystem, and its row in the batch with that number.
type sentFilesystem struct {
	batch, addr uint64
	dev, row    uint32
}

var errShort = errors.New("record is cut short")

// NewSender returns a Sender. It calls typeOf once for each address of a struct file_system_type, to get
// its name, and groupOf with the id of a cgroup, to get its path.
func NewSender(typeOf, groupOf func(uint64) string) *Sender {
	s := &Sender{typeOf: typeOf, groupOf: groupOf, types: make(map[uint64]string), comms: make(map[[2]uint64]string)}
	for i := range catalogue {
		info := &catalogue[i]
		for _, phase := range []Phase{Enter, Exit} {
			if shape := info.Role.Shape(phase); shape != nil {
				s.kinds[uint(phase)<<8|uint(info.Role)] = newSentKind(kindRow{role: info.Role, phase: phase, columns: shape.Columns})
			}
		}
		if info.Traits&TraitLeaf != 0 {
			s.kinds[uint(Whole)<<8|uint(info.Role)] = newSentKind(kindRow{role: info.Role, phase: Whole, columns: info.Enter.Columns | info.Exit.Columns})
		}
	}
	return s
}

func newSentKind(row kindRow) *sentKind {
	k := &sentKind{kindRow: row, dentry: -1, filesystem: -1, moreWords: dentryWords}
	if row.phase == Whole {
		k.moreWords++
	}
	for c := ColumnKey; c < 32; c++ {
		if !row.columns.Has(c) {
			continue
		}
		for _, r := range rowsOf[c] {
			switch r {
			case rowKey:
			case rowNameAddr:
				k.nameAddr = k.size
			case rowDentry:
				k.dentry = k.size
			case rowFilesystem:
				k.filesystem = k.size
			default:
				k.rows = append(k.rows, newSentRow(r, k.size))
			}
			k.size += [...]int{oneWord: 1, twoWords: 2, upperHalf: 0}[columnTable[r].sent]
		}
	}
	return k
}

func newSentRow(row uint8, at int) sentRow {
	c := &columnTable[row]
	r := sentRow{at: at, row: row, delta: c.delta, bits: math.MaxUint64}
	if c.put == nil && !c.signed && !c.codes {
		r.field = uint8(c.field)
	}
	if c.sent == upperHalf {
		r.at, r.shift = at-1, 32
	}
	if c.Set != nil {
		var e Event
		if c.Set(&e, 1<<32); c.Value(&e) == 0 {
			r.bits = math.MaxUint32
		}
	}
	return r
}

// Append adds an event as Writer.Append does. It also returns an error, and adds nothing, if the catalogue
// has no such event or the record is too short.
func (s *Sender) Append(t *Writer, e Sent) error {
	if len(e.Words) < headWords {
		return errShort
	}
	head, words := (*[headWords]uint64)(e.Words), e.Words[headWords:]
	rest := head[headRest]
	var k *sentKind
	if kind := rest >> 48; kind < uint64(len(s.kinds)) {
		k = s.kinds[kind]
	}
	if k == nil {
		return fmt.Errorf("record of role %d and phase %d", uint8(rest>>48), rest>>56)
	}
	if len(words) < k.size {
		return errShort
	}
	at, null := wordBytes*(headWords+k.size), k.dentry < 0 || words[k.dentry] == 0
	if !null {
		at += wordBytes * k.moreWords
	}
	end := at + int(uint16(rest>>16))
	if len(e.Text) < end {
		return errShort
	}
	given := keyValue{name: e.Text[at:end], facts: Fact(uint16(rest))}
	found := given
	if k.phase == Whole && !null {
		word, half := words[k.dentry+dentryWords+1], e.Text[(at+len(e.Text))/2:]
		if int(uint16(word>>16)) > len(half) {
			return errShort
		}
		found = keyValue{name: half[:uint16(word>>16)], facts: Fact(uint16(word))}
	}
	if t.err != nil {
		return t.err
	}
	b := t.batch
	if b.sender != s {
		b.sender = s
		s.batch++
	}
	if k.batch != s.batch {
		k.batch, k.row = s.batch, b.kind(&k.kindRow)
	}
	if task := &s.task; task.ids != head[headTask] || task.comm[0] != head[headComm] || task.comm[1] != head[headComm+1] || task.batch != s.batch {
		s.newTask(b, head)
	}
	b.addHead(head[headTime], uint32(uint16(rest>>32)), k.row, s.task.row)
	s.addValues(b, k, words, &given, &found)
	return t.flushIfFull()
}

// newTask finds the row of a task that is not that of the last event.
func (s *Sender) newTask(b *batchWriter, head *[headWords]uint64) {
	ids, comm := head[headTask], [2]uint64{head[headComm], head[headComm+1]}
	name, ok := s.comms[comm]
	if !ok {
		if len(s.comms) >= maxComms {
			clear(s.comms)
		}
		bytes := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, comm[0]), comm[1])
		name, _, _ = strings.Cut(string(bytes), "\x00")
		s.comms[comm] = name
	}
	s.task = sentTask{s.batch, ids, comm, b.task(uint32(ids), uint32(ids>>32), name)}
}

// maxComms bounds the names of tasks that are remembered; there are few at a time.
const maxComms = 4096

// addValues adds an event's words to the columns. given is its key and found that of its dentry: it sets what the
// words have of them.
func (s *Sender) addValues(b *batchWriter, k *sentKind, words []uint64, given, found *keyValue) {
	if k.columns.Has(ColumnKey) {
		given.parent, given.length, given.hash = words[0], uint32(words[1]), uint32(words[1]>>32)
		if given.length == 0 {
			given.length = uint32(len(given.name))
		}
		b.putKey(given)
	}
	if k.columns.Has(ColumnNameAddr) {
		b.putNameAddr(words[k.nameAddr])
	}
	hash := uint32(0)
	if k.dentry >= 0 {
		if of := words[k.dentry:]; of[0] == 0 {
			b.putDentry(nil, nil)
		} else {
			of = of[:1+dentryWords]
			hash = uint32(of[4] >> 32)
			found.parent, found.length, found.hash = of[3], uint32(of[4]), hash
			b.putDentry(&dentryRow{address: of[0], inode: of[1], nameAddr: of[2]}, found)
			words = words[k.moreWords:] // the words after the dentry now have the index that they have without one
		}
	}
	if k.filesystem >= 0 {
		s.filesystem(b, words[k.filesystem], uint32(words[k.filesystem+1]))
	}
	if len(k.rows) > 0 {
		s.event.Time, s.event.Hash = b.every.time[b.events-1], hash
		s.addRows(b, k.rows, words)
	}
}

// addRows adds the rows that few kinds have.
func (s *Sender) addRows(b *batchWriter, rows []sentRow, words []uint64) {
	for i := range rows {
		r := &rows[i]
		v := words[r.at] >> (r.shift & 63) & r.bits
		switch {
		case r.field == 0:
			s.addByEvent(b, int(r.row), v)
		case r.delta:
			b.previous[r.row] = b.columns[r.field].delta(v, b.previous[r.row])
		default:
			b.columns[r.field].uint(v)
		}
	}
}

// addByEvent adds a value that is not a number, or is not stored as it was sent.
func (s *Sender) addByEvent(b *batchWriter, row int, v uint64) {
	if c := &columnTable[row]; c.Set != nil {
		c.Set(&s.event, v)
	} else {
		c.received(s, &s.event, v)
	}
	b.put(row, &s.event)
}

// filesystem adds a filesystem. There are few.
func (s *Sender) filesystem(b *batchWriter, addr uint64, dev uint32) {
	f := &s.recentFilesystems[(addr>>6+uint64(dev))%uint64(len(s.recentFilesystems))]
	if f.addr != addr || f.dev != dev || f.batch != s.batch {
		*f = sentFilesystem{s.batch, addr, dev, b.filesystem(s.filesystemType(addr), dev)}
	}
	b.columns[fieldFilesystem].uint(uint64(f.row))
}

// filesystemType returns the name of the struct file_system_type at an address; a kernel has a few dozen.
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
