// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

type kindRow struct {
	role    Role
	phase   Phase
	columns Columns
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

// batchWriter gathers events into the columns of one EventBatch.
type batchWriter struct {
	events  int
	firstID uint64
	base    uint64
	holds   []mark // of tasks and paths

	columns [fieldsEnd]packed
	strings []byte // the repeated field, tags and lengths included
	hashes  []byte // key_hash, packed fixed32

	stringIndex     map[string]uint32
	kindIndex       map[kindRow]uint32
	kindEvents      []uint64 // by kind
	taskIndex       map[taskRow]uint32
	keyIndex        map[keyRow]uint32
	dentryIndex     map[dentryRow]uint32
	filesystemIndex map[filesystemRow]uint32

	lastTask      taskRow
	lastTaskIndex uint32

	previous                     [columnRows]uint64 // values of delta columns
	time, parent, address, inode uint64             // the same, of every event and of the tables
}

func newBatchWriter() *batchWriter {
	return &batchWriter{
		stringIndex:     make(map[string]uint32),
		kindIndex:       make(map[kindRow]uint32),
		taskIndex:       make(map[taskRow]uint32),
		keyIndex:        make(map[keyRow]uint32),
		dentryIndex:     make(map[dentryRow]uint32),
		filesystemIndex: make(map[filesystemRow]uint32),
	}
}

// start empties the batch; its first event will be id.
func (b *batchWriter) start(id uint64) {
	for i := range b.columns {
		b.columns[i] = b.columns[i][:0]
	}
	clear(b.stringIndex)
	clear(b.kindIndex)
	clear(b.taskIndex)
	clear(b.keyIndex)
	clear(b.dentryIndex)
	clear(b.filesystemIndex)
	*b = batchWriter{
		firstID: id, holds: b.holds[:0], columns: b.columns, strings: b.strings[:0], hashes: b.hashes[:0],
		stringIndex: b.stringIndex, kindIndex: b.kindIndex, kindEvents: b.kindEvents[:0], taskIndex: b.taskIndex,
		keyIndex: b.keyIndex, dentryIndex: b.dentryIndex, filesystemIndex: b.filesystemIndex,
	}
}

func (b *batchWriter) add(e *Event) {
	if b.events == 0 {
		b.base, b.time = e.Time, e.Time
	}
	b.events++
	b.time = b.columns[fieldTimeDelta].delta(e.Time, b.time)
	kind := b.kind(kindRow{e.Role, e.Phase, e.Columns})
	b.kindEvents[kind]++
	b.columns[fieldKind].uint(uint64(kind))
	b.columns[fieldCPU].uint(uint64(e.CPU))
	b.columns[fieldTask].uint(uint64(b.task(e)))
	for i := range columnTable {
		c := &columnTable[i]
		if !e.Columns.Has(c.Column) {
			continue
		}
		var v uint64
		if c.put != nil {
			v = c.put(b, e)
		} else {
			v = c.Of(e)
		}
		if c.delta {
			b.previous[i] = b.columns[c.field].delta(v, b.previous[i])
		} else {
			b.columns[c.field].uint(v)
		}
	}
}

func (b *batchWriter) string(s string) uint32 {
	s = s[:min(len(s), MaxStringBytes)]
	if i, ok := b.stringIndex[s]; ok {
		return i
	}
	i := uint32(len(b.stringIndex))
	b.stringIndex[s] = i
	b.strings = protowire.AppendTag(b.strings, fieldString, protowire.BytesType)
	b.strings = protowire.AppendString(b.strings, s)
	return i
}

func (b *batchWriter) kind(k kindRow) uint32 {
	if i, ok := b.kindIndex[k]; ok {
		return i
	}
	i := uint32(len(b.kindIndex))
	b.kindIndex[k] = i
	b.kindEvents = append(b.kindEvents, 0)
	b.columns[fieldKindRole].uint(uint64(k.role))
	b.columns[fieldKindPhase].uint(uint64(k.phase))
	b.columns[fieldKindColumns].uint(uint64(k.columns))
	return i
}

func (b *batchWriter) task(e *Event) uint32 {
	t := taskRow{e.PID, e.TID, e.Comm}
	if len(b.taskIndex) > 0 && t == b.lastTask {
		return b.lastTaskIndex
	}
	i, ok := b.taskIndex[t]
	if !ok {
		i = uint32(len(b.taskIndex))
		b.taskIndex[t] = i
		b.holds = append(b.holds, markComm(e.Comm), markPID(e.PID))
		b.columns[fieldTaskPID].uint(uint64(e.PID))
		b.columns[fieldTaskTID].uint(uint64(e.TID))
		b.columns[fieldTaskComm].uint(uint64(b.string(e.Comm)))
	}
	b.lastTask, b.lastTaskIndex = t, i
	return i
}

func (b *batchWriter) key(e *Event, facts Fact) uint32 {
	k := keyRow{parent: e.Parent, name: b.string(e.Name), length: e.NameLen, hash: e.Hash, facts: facts}
	if i, ok := b.keyIndex[k]; ok {
		return i
	}
	i := uint32(len(b.keyIndex))
	b.keyIndex[k] = i
	if k.parent == 0 && k.hash == 0 {
		b.holds = append(b.holds, markPath(e.Name))
	}
	b.parent = b.columns[fieldKeyParent].delta(k.parent, b.parent)
	b.columns[fieldKeyName].uint(uint64(k.name))
	b.columns[fieldKeyLength].uint(uint64(k.length))
	b.hashes = binary.LittleEndian.AppendUint32(b.hashes, k.hash)
	b.columns[fieldKeyFacts].uint(uint64(k.facts))
	return i
}

// dentry returns index + 1, 0 for NULL.
func (b *batchWriter) dentry(e *Event) uint32 {
	if e.Dentry == 0 {
		return 0
	}
	d := dentryRow{address: e.Dentry, key: b.key(e, e.Facts&keyFacts), facts: e.Facts &^ keyFacts,
		nameOffset: int64(e.NameAddr - e.Dentry), inode: e.Inode}
	if i, ok := b.dentryIndex[d]; ok {
		return i + 1
	}
	i := uint32(len(b.dentryIndex))
	b.dentryIndex[d] = i
	b.address = b.columns[fieldDentryAddress].delta(d.address, b.address)
	b.columns[fieldDentryKey].uint(uint64(d.key))
	b.columns[fieldDentryNameOffset].uint(protowire.EncodeZigZag(d.nameOffset))
	b.inode = b.columns[fieldDentryInode].delta(d.inode, b.inode)
	b.columns[fieldDentryFacts].uint(uint64(d.facts))
	return i + 1
}

// filesystem returns index + 1, 0 for none.
func (b *batchWriter) filesystem(e *Event) uint32 {
	if e.FSType == "" && e.Dev == 0 {
		return 0
	}
	f := filesystemRow{b.string(e.FSType), e.Dev}
	if i, ok := b.filesystemIndex[f]; ok {
		return i + 1
	}
	i := uint32(len(b.filesystemIndex))
	b.filesystemIndex[f] = i
	b.columns[fieldFilesystemType].uint(uint64(f.kind))
	b.columns[fieldFilesystemDev].uint(uint64(f.dev))
	return i + 1
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
	dst = protowire.AppendTag(dst, fieldFirstID, protowire.VarintType)
	dst = protowire.AppendVarint(dst, b.firstID)
	dst = protowire.AppendTag(dst, fieldBaseTime, protowire.VarintType)
	dst = protowire.AppendVarint(dst, b.base)
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
