// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// The rows of the tables, for the writer and the reader. For keys the writer has keyText.

type kindRow struct {
	role    Role
	phase   Phase
	columns Columns
}

type dentryRow struct {
	address, inode, nameAddr uint64
	key                      uint32
	facts                    Fact
}

// taskRow is a task. Its comm is one of a few strings that the caller keeps, so comparing it mostly
// compares two pointers.
type taskRow struct {
	pid, tid uint32
	comm     string
}

type filesystemRow struct {
	kind string // kept by the caller, as taskRow.comm
	dev  uint32
}

// keyFacts are the facts about the parent, which are kept with the key; the others are about the dentry.
const keyFacts = FactParentIsRoot | FactParentOpHash

// batchWriter gathers events into the columns of one EventBatch. It keeps no strings of the events, except
// names of tasks and of filesystem types.
type batchWriter struct {
	events  int
	firstID uint64
	base    uint64

	earliest, latest uint64 // times; earliest is set by end

	sender *Sender // the last event came from it; nil: no event of this batch did

	every        *everyEvent
	columns      [fieldsEnd]packed
	strings      []byte // the repeated field, tags and lengths included
	hashes       []byte // key_hash, packed fixed32
	derived      derivation
	codes        [columnRows]rowCoder
	filterHashes []filterHash // of tasks and paths, for the index

	// The rows of the tables. Rows of the large ones are found by a hash of their contents.
	texts       []span // where the strings are
	keys        []keyText
	dentries    []dentryRow
	textSlots   slots
	taskSlots   slots
	keySlots    slots
	dentrySlots slots
	kinds       []kindRow
	kindEvents  []uint64 // by kind
	tasks       []taskRow
	filesystems []filesystemRow

	kindOf [256]uint8 // last row of kinds with a role and phase

	// The rows used last: a task often goes on with the same name.
	lastTask, lastKey, lastDentry uint32

	previous                                [columnRows]uint64 // last values of delta columns
	parent, name, address, dentryKey, inode uint64             // the same, of columns of the tables
	ownHash                                 uint64             // one more than the last key with a hash of its own
}

// everyEvent holds what every event has, until the batch ends.
type everyEvent struct {
	time            [batchEvents]uint64
	kind, cpu, task [batchEvents]uint32
}

// keyText is a key whose name is in batchWriter.strings.
type keyText struct {
	parent       uint64
	name         span
	length, hash uint32
	facts        Fact
}

// span is where the bytes of a string are in batchWriter.strings.
type span struct{ from, to uint32 }

// slots is a hash table of the rows of a table, with open addressing: it holds a row + 1 at its hash, or in
// the first free slot after that. Its length is a power of two and exceeds the rows of any batch.
type slots []uint32

func (s slots) at(hash uint64) *uint32 { return &s[hash>>slotShift&uint64(len(s)-1)] }

const (
	oddBits   = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio: the high bits of a product with it depend on all bits
	slotShift = 40
	nextSlot  = 1 << slotShift // added to a hash, it leads to the next slot
)

// newBatchWriter has room for one task, six strings, two keys and two dentries for each event.
func newBatchWriter(f derivation) *batchWriter {
	return &batchWriter{derived: f, every: new(everyEvent), textSlots: make(slots, 8*batchEvents), taskSlots: make(slots, 2*batchEvents),
		keySlots: make(slots, 4*batchEvents), dentrySlots: make(slots, 4*batchEvents),
		texts: make([]span, 0, batchEvents/2), keys: make([]keyText, 0, batchEvents/2), dentries: make([]dentryRow, 0, batchEvents/2)}
}

// start empties the batch; its first event will have the given id.
func (b *batchWriter) start(id uint64) {
	for i := range b.columns {
		b.columns[i] = b.columns[i][:0]
	}
	for _, s := range []slots{b.textSlots, b.taskSlots, b.keySlots, b.dentrySlots} {
		clear(s)
	}
	for i := range b.codes {
		b.codes[i].reset()
	}
	*b = batchWriter{
		firstID: id, every: b.every, filterHashes: b.filterHashes[:0], kindEvents: b.kindEvents[:0], columns: b.columns, strings: b.strings[:0], hashes: b.hashes[:0], derived: b.derived, codes: b.codes,
		texts: b.texts[:0], keys: b.keys[:0], dentries: b.dentries[:0], kinds: b.kinds[:0], tasks: b.tasks[:0], filesystems: b.filesystems[:0],
		textSlots: b.textSlots, taskSlots: b.taskSlots, keySlots: b.keySlots, dentrySlots: b.dentrySlots,
	}
}

func (b *batchWriter) add(e *Event) {
	k := kindRow{role: e.Role, phase: e.PhaseInFile(), columns: e.Columns}
	if e.Entry != nil {
		k.columns |= e.Entry.Columns
	}
	b.addHead(e.Time, e.CPU, b.kind(&k), b.task(e.PID, e.TID, e.Comm))
	if e.Entry != nil {
		b.addValues(e.Entry)
	}
	b.addValues(e)
}

// addHead begins the next event with what every event has.
func (b *batchWriter) addHead(time uint64, cpu, kind, task uint32) {
	if b.events == 0 {
		b.base = time
	}
	n := uint(b.events) % batchEvents // always in bounds, as a batch has at most batchEvents
	b.every.time[n], b.every.kind[n], b.every.cpu[n], b.every.task[n] = time, kind, cpu, task
	b.latest = max(b.latest, time)
	b.events++
}

// end makes the columns of what every event has. No event can be added after it.
func (b *batchWriter) end() {
	times := b.every.time[:b.events]
	low, high := b.columns[fieldTimeLow].room(len(times))[:len(times)], b.columns[fieldTimeHigh]
	before, earliest := b.base, b.base
	for i, time := range times {
		low[i] = byte(time - before)
		if h := (time - before) >> 8; h < 0x80 {
			high = append(high, byte(h))
		} else {
			high = protowire.AppendVarint(high, h)
		}
		earliest, before = min(earliest, time), time
	}
	b.columns[fieldTimeLow], b.columns[fieldTimeHigh], b.earliest = low, high, earliest
	counts := b.kindEvents
	for _, k := range b.every.kind[:b.events] {
		counts[k]++
	}
	for field, values := range map[int]*[batchEvents]uint32{fieldKind: &b.every.kind, fieldCPU: &b.every.cpu, fieldTask: &b.every.task} {
		b.columns[field] = b.columns[field].bytes(values[:b.events])
	}
}

// addValues adds an event's values to its columns.
func (b *batchWriter) addValues(e *Event) {
	k := keyValue{parent: e.Parent, name: e.Name, length: e.NameLen, hash: e.Hash, facts: e.Facts}
	if e.Columns.Has(ColumnKey) { // columns of nearly every event, written out; the loop below does the same
		b.putKey(&k)
	}
	if e.Columns.Has(ColumnNameAddr) {
		b.putNameAddr(e.NameAddr)
	}
	if e.Columns.Has(ColumnDentry) {
		d := &dentryRow{address: e.Dentry, inode: e.Inode, nameAddr: e.NameAddr}
		if e.Dentry == 0 {
			d = nil
		}
		b.putDentry(d, &k)
	}
	if e.Columns.Has(ColumnFilesystem) {
		b.columns[fieldFilesystem].uint(uint64(b.filesystem(e.FSType, e.Dev)))
	}
	for rest := uint32(e.Columns &^ commonColumns); rest != 0; rest &= rest - 1 {
		for _, row := range rowsOf[bits.TrailingZeros32(rest)] {
			b.put(int(row), e)
		}
	}
}

// put writes the event's value for a row of the table of columns.
func (b *batchWriter) put(row int, e *Event) {
	c := &columnTable[row]
	var v uint64
	if c.put != nil {
		v = c.put(b, e)
	} else {
		v = c.Value(e)
	}
	switch {
	case c.signed:
		b.columns[c.field].uint(protowire.EncodeZigZag(int64(v)))
	case c.delta:
		b.previous[row] = b.columns[c.field].delta(v, b.previous[row])
	case c.codes:
		b.columns[c.field].uint(b.codes[row].code(v))
	default:
		b.columns[c.field].uint(v)
	}
}

// bytes returns how many bytes the columns and the strings take.
func (b *batchWriter) bytes() int {
	n := len(b.strings) + len(b.hashes)
	for _, c := range b.columns {
		n += len(c)
	}
	return n
}

// appendTo appends the EventBatch message to dst. end must have been called.
func (b *batchWriter) appendTo(dst []byte) []byte {
	numbers := [...]uint64{fieldFirstID: b.firstID, fieldBaseTime: b.base,
		fieldNameHash: uint64(b.derived.nameHash), fieldHashtable: b.derived.hashtable, fieldHashShift: uint64(b.derived.shift)}
	for n, v := range numbers {
		if v != 0 {
			dst = protowire.AppendTag(dst, protowire.Number(n), protowire.VarintType)
			dst = protowire.AppendVarint(dst, v)
		}
	}
	dst = append(dst, b.strings...)
	for n, c := range b.columns {
		if n == fieldKeyHash {
			c = b.hashes
		}
		if len(c) == 0 {
			continue
		}
		dst = protowire.AppendTag(dst, protowire.Number(n), protowire.BytesType)
		dst = protowire.AppendBytes(dst, c)
	}
	return dst
}
