// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

type kindRow struct {
	role    Role
	phase   Phase
	columns Columns
	entry   Columns // of those, read of a Whole: what its entry has
}

type taskRow struct {
	pid, tid uint32
	comm     string
}

type keyRow struct {
	parent             uint64
	name, length, hash uint32 // name: index of string
	facts              Fact
}

type dentryRow struct {
	address, inode uint64
	nameOffset     int64
	key            uint32
	facts          Fact
}

type filesystemRow struct{ kind, dev uint32 } // kind: index of string

// keyFacts are the facts about the parent, kept with the key; the rest are about
// the dentry.
const keyFacts = FactParentIsRoot | FactParentOpHash

// batchWriter gathers events into the columns of one EventBatch. Of their strings it keeps none but names of tasks and of
// types of filesystems.
type batchWriter struct {
	events  int
	firstID uint64
	base    uint64

	columns [fieldsEnd]packed
	strings []byte // the repeated field, tags and lengths included
	hashes  []byte // key_hash, packed fixed32
	follows follows
	codes   [columnRows]follower
	holds   []mark // of tasks and paths

	// The rows of the tables. The large ones are found by a hash of what is in them.
	texts       []span // of strings
	keys        []keyRow
	dentries    []dentryRow
	textSlots   slots
	taskSlots   slots
	keySlots    slots
	dentrySlots slots
	kinds       []kindRow
	kindEvents  []uint64 // by kind
	tasks       []taskTexts
	filesystems []filesystemText

	kindOf   [256]uint8 // a row of kinds, by role and phase
	lastTask uint32     // the row of the event before

	previous                     [columnRows]uint64 // values of delta columns
	time, parent, address, inode uint64             // the same, of every event and of the tables
	ownHash                      uint64             // one more than the last key with a hash of its own
}

// span is where the bytes of a string stand in batchWriter.strings.
type span struct{ from, to uint32 }

// taskTexts is a task. Its name is one of few, that whoever adds events keeps as it is: it is compared by where it lies.
type taskTexts struct {
	pid, tid uint32
	comm     string
}

type filesystemText struct {
	kind string // as taskTexts.comm
	dev  uint32
}

// slots is a hash table of the rows of a table: a row + 1 stands at its hash, or in the first
// slot after that which was free. There are a power of two, more than a batch has rows.
type slots []uint32

func (s slots) at(hash uint64) *uint32 { return &s[hash>>slotShift&uint64(len(s)-1)] }

const (
	oddBits   = 0x9E3779B97F4A7C15 // of the golden ratio: multiplied with it, the high bits depend on all
	slotShift = 40
	nextSlot  = 1 << slotShift // is the hash of the slot after
)

// newBatchWriter has room for a task and six strings, two keys and two dentries of each event.
func newBatchWriter(f follows) *batchWriter {
	return &batchWriter{follows: f, textSlots: make(slots, 8*batchEvents), taskSlots: make(slots, 2*batchEvents),
		keySlots: make(slots, 4*batchEvents), dentrySlots: make(slots, 4*batchEvents)}
}

// start empties the batch; its first event will be id.
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
		firstID: id, holds: b.holds[:0], kindEvents: b.kindEvents[:0], columns: b.columns, strings: b.strings[:0], hashes: b.hashes[:0], follows: b.follows, codes: b.codes,
		texts: b.texts[:0], keys: b.keys[:0], dentries: b.dentries[:0], kinds: b.kinds[:0], tasks: b.tasks[:0], filesystems: b.filesystems[:0],
		textSlots: b.textSlots, taskSlots: b.taskSlots, keySlots: b.keySlots, dentrySlots: b.dentrySlots,
	}
}

func (b *batchWriter) add(entry, e *Event) {
	if b.events == 0 {
		b.base, b.time = e.Time, e.Time
	}
	b.events++
	b.columns[fieldTimeLow] = append(b.columns[fieldTimeLow], byte(e.Time-b.time))
	b.columns[fieldTimeHigh].uint((e.Time - b.time) >> 8)
	b.time = e.Time
	kind := b.kind(entry, e)
	b.kindEvents[kind]++
	b.columns[fieldKind].uint(uint64(kind))
	b.columns[fieldCPU].uint(uint64(e.CPU))
	b.columns[fieldTask].uint(uint64(b.task(e)))
	if entry != nil {
		b.values(entry)
	}
	b.values(e)
}

// values adds an event's values to its columns.
func (b *batchWriter) values(e *Event) {
	if e.Columns.Has(ColumnKey) { // the rows that nearly every event has; the loop does the same
		b.columns[fieldKeyCode].uint(b.codes[rowKey].code(uint64(b.key(e, e.Facts))))
	}
	if e.Columns.Has(ColumnNameAddr) {
		b.previous[rowNameAddr] = b.columns[fieldNameAddr].delta(e.NameAddr, b.previous[rowNameAddr])
	}
	if e.Columns.Has(ColumnDentry) {
		b.columns[fieldDentryCode].uint(b.codes[rowDentry].code(uint64(b.dentry(e))))
	}
	if e.Columns.Has(ColumnFilesystem) {
		b.columns[fieldFilesystem].uint(uint64(b.filesystem(e)))
	}
	for rest := uint32(e.Columns &^ commonColumns); rest != 0; rest &= rest - 1 {
		for _, row := range rowsOf[bits.TrailingZeros32(rest)] {
			b.put(int(row), e)
		}
	}
}

// put writes the event's value of a row of the table of columns.
func (b *batchWriter) put(row int, e *Event) {
	c := &columnTable[row]
	var v uint64
	if c.put != nil {
		v = c.put(b, e)
	} else {
		v = c.Of(e)
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

func (b *batchWriter) text(i uint32) []byte { return b.strings[b.texts[i].from:b.texts[i].to] }

func (b *batchWriter) string(s string) uint32 {
	s = s[:min(len(s), MaxStringBytes)]
	hash := maphash.String(textSeed, s)
	slot := b.textSlots.at(hash)
	for ; *slot != 0; slot = b.textSlots.at(hash) {
		if string(b.text(*slot-1)) == s {
			return *slot - 1
		}
		hash += nextSlot
	}
	b.strings = protowire.AppendTag(b.strings, fieldString, protowire.BytesType)
	b.strings = protowire.AppendString(b.strings, s)
	b.texts = append(b.texts, span{uint32(len(b.strings) - len(s)), uint32(len(b.strings))})
	*slot = uint32(len(b.texts))
	return *slot - 1
}

var textSeed = maphash.MakeSeed()

// kind finds the row of the event's kind; those of one role and phase have the same columns, mostly.
func (b *batchWriter) kind(entry, e *Event) uint32 {
	role, phase, columns := e.Role, e.Phase, e.Columns
	if entry != nil {
		phase, columns = Whole, columns|entry.Columns
	}
	near := &b.kindOf[uint8(role<<2)|uint8(phase&3)]
	if n := int(*near); n < len(b.kinds) {
		if k := &b.kinds[n]; k.columns == columns && k.role == role && k.phase == phase {
			return uint32(n)
		}
	}
	k := kindRow{role: role, phase: phase, columns: columns}
	i := slices.Index(b.kinds, k)
	if i < 0 {
		i = len(b.kinds)
		b.kinds, b.kindEvents = append(b.kinds, k), append(b.kindEvents, 0)
		b.columns[fieldKindRole].uint(uint64(k.role))
		b.columns[fieldKindPhase].uint(uint64(k.phase))
		b.columns[fieldKindColumns].uint(uint64(k.columns))
	}
	*near = uint8(i)
	return uint32(i)
}

func (b *batchWriter) task(e *Event) uint32 {
	is := func(i uint32) bool {
		t := &b.tasks[i]
		return t.tid == e.TID && t.pid == e.PID && t.comm == e.Comm
	}
	if len(b.tasks) > 0 && is(b.lastTask) {
		return b.lastTask
	}
	hash := (uint64(e.TID) | uint64(e.PID)<<32) * oddBits
	slot := b.taskSlots.at(hash)
	for *slot != 0 && !is(*slot-1) {
		hash += nextSlot
		slot = b.taskSlots.at(hash)
	}
	if *slot == 0 {
		b.tasks = append(b.tasks, taskTexts{e.PID, e.TID, e.Comm})
		b.holds = append(b.holds, markComm(e.Comm), markPID(e.PID))
		*slot = uint32(len(b.tasks))
		b.columns[fieldTaskPID].uint(uint64(e.PID))
		b.columns[fieldTaskTID].uint(uint64(e.TID))
		b.columns[fieldTaskComm].uint(uint64(b.string(e.Comm)))
	}
	b.lastTask = *slot - 1
	return b.lastTask
}

// isKey reports whether row i is the key of e: the kernel's hash differs for nearly all, and the
// name is compared once.
func (b *batchWriter) isKey(i uint32, e *Event, facts Fact) bool {
	k := &b.keys[i]
	return k.hash == e.Hash && k.parent == e.Parent && k.length == e.NameLen && k.facts == facts && string(b.text(k.name)) == e.Name
}

func (b *batchWriter) key(e *Event, facts Fact) uint32 {
	hash := (e.Parent + uint64(e.Hash)) * oddBits
	if e.Hash == 0 { // a path
		hash = maphash.String(textSeed, e.Name)
	}
	slot := b.keySlots.at(hash)
	for *slot != 0 && !b.isKey(*slot-1, e, facts) {
		hash += nextSlot
		slot = b.keySlots.at(hash)
	}
	if *slot == 0 {
		k := keyRow{parent: e.Parent, name: b.string(e.Name), length: e.NameLen, hash: e.Hash, facts: facts}
		b.keys = append(b.keys, k)
		if k.parent == 0 && k.hash == 0 {
			b.holds = append(b.holds, markPath(e.Name))
		}
		*slot = uint32(len(b.keys))
		b.parent = b.columns[fieldKeyParent].delta(k.parent, b.parent)
		b.columns[fieldKeyName].uint(uint64(k.name))
		b.columns[fieldKeyLength].uint(uint64(k.length))
		b.keyHash(&k, e.Name)
		b.columns[fieldKeyFacts].uint(uint64(k.facts))
	}
	return *slot - 1
}

// keyHash writes the hash of the key added last, if it does not follow.
func (b *batchWriter) keyHash(k *keyRow, name string) {
	if b.follows.nameHash != NameHash_NAME_HASH_UNSPECIFIED {
		if k.hash == b.follows.hash(k.parent, name) {
			return
		}
		row := uint64(len(b.keys) - 1)
		skipped := row - b.ownHash
		b.ownHash = row + 1
		if row > 0 && k.hash == b.keys[row-1].hash { // a dentry allocated for a name just looked up
			b.columns[fieldKeyOwnHash].uint(2*skipped + 1)
			return
		}
		b.columns[fieldKeyOwnHash].uint(2 * skipped)
	}
	b.hashes = binary.LittleEndian.AppendUint32(b.hashes, k.hash)
}

// dentry returns index + 1, 0 for NULL.
func (b *batchWriter) dentry(e *Event) uint32 {
	if e.Dentry == 0 {
		return 0
	}
	hash := (e.Dentry + e.Inode) * oddBits
	slot := b.dentrySlots.at(hash)
	for *slot != 0 && !b.isDentry(*slot-1, e) {
		hash += nextSlot
		slot = b.dentrySlots.at(hash)
	}
	if *slot == 0 {
		d := dentryRow{address: e.Dentry, key: b.key(e, e.Facts&keyFacts), facts: e.Facts &^ keyFacts,
			nameOffset: int64(e.NameAddr - e.Dentry), inode: e.Inode}
		b.dentries = append(b.dentries, d)
		*slot = uint32(len(b.dentries))
		b.address = b.columns[fieldDentryAddress].delta(d.address, b.address)
		b.columns[fieldDentryKey].uint(uint64(d.key))
		b.columns[fieldDentryNameOffset].uint(protowire.EncodeZigZag(d.nameOffset))
		b.inode = b.columns[fieldDentryInode].delta(d.inode, b.inode)
		b.columns[fieldDentryFacts].uint(uint64(d.facts))
	}
	return *slot
}

func (b *batchWriter) isDentry(i uint32, e *Event) bool {
	d := &b.dentries[i]
	return d.address == e.Dentry && d.inode == e.Inode && d.facts == e.Facts&^keyFacts && d.nameOffset == int64(e.NameAddr-e.Dentry) &&
		b.isKey(d.key, e, e.Facts&keyFacts)
}

// filesystem returns index + 1, 0 for none.
func (b *batchWriter) filesystem(e *Event) uint32 {
	if e.FSType == "" && e.Dev == 0 {
		return 0
	}
	for i := range b.filesystems {
		if f := &b.filesystems[i]; f.dev == e.Dev && f.kind == e.FSType {
			return uint32(i + 1)
		}
	}
	b.filesystems = append(b.filesystems, filesystemText{e.FSType, e.Dev})
	b.columns[fieldFilesystemType].uint(uint64(b.string(e.FSType)))
	b.columns[fieldFilesystemDev].uint(uint64(e.Dev))
	return uint32(len(b.filesystems))
}

// size is about how many bytes the batch takes before compression.
func (b *batchWriter) size() int {
	n := len(b.strings) + len(b.hashes)
	for _, c := range b.columns {
		n += len(c)
	}
	return n
}

// appendTo appends the EventBatch message to dst.
func (b *batchWriter) appendTo(dst []byte) []byte {
	numbers := [...]uint64{fieldFirstID: b.firstID, fieldBaseTime: b.base,
		fieldNameHash: uint64(b.follows.nameHash), fieldHashtable: b.follows.hashtable, fieldHashShift: uint64(b.follows.shift)}
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
