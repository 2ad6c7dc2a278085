// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// batchReader decodes one EventBatch at a time and returns its events in order. It decodes and checks the
// whole batch into slices first; an event is then an index into these.
type batchReader struct {
	firstID, base uint64
	events, done  int
	sameUntil     int // the events before this one have the task and CPU of the last event

	raw     [fieldsEnd][]byte          // the packed and bytes fields, as in the message
	numbers [fieldHashShift + 1]uint64 // the fields that are a single number
	derived derivation
	strings []string

	kinds       []readKind
	tasks       []taskRow
	keys        []keyValue
	dentries    []dentryRow
	filesystems []filesystemRow

	time            []uint64
	kind, cpu, task smallColumn
	rows            [rowDentry + 1][]uint32 // columns of rows, decoded from codes
	values          [columnRows]smallColumn // the other columns
	nextValue       [columnRows]int         // index of the next value of each

	skipKinds []bool // by kind, see Reader.Only; empty: no event is skipped

	scratch [5]smallColumn // columns of a table
	codes   rowCoder
	perKind []int
}

// readKind is a kind, and how an event of it is put together.
type readKind struct {
	kindRow
	call   bool              // a call as a whole: phase and columns are those of its exit,
	entry  Columns           // and these the columns of its entry
	rows   [columnRows]uint8 // rows of all its columns, of which the first n count,
	n      uint8
	common uint8 // and as many are of columns that nearly every event has
}

// load decodes an EventBatch. After it has succeeded, no event of the batch can fail.
func (b *batchReader) load(body []byte) error {
	clear(b.strings) // release those of the last batch first
	clear(b.keys)
	b.events, b.done, b.sameUntil, b.numbers = 0, 0, 0, [fieldHashShift + 1]uint64{}
	b.raw, b.nextValue, b.strings = [fieldsEnd][]byte{}, [columnRows]int{}, b.strings[:0]
	if err := b.split(body); err != nil {
		return err
	}
	b.firstID, b.base = b.numbers[fieldFirstID], b.numbers[fieldBaseTime]
	b.derived = derivation{NameHash(b.numbers[fieldNameHash]), b.numbers[fieldHashtable], uint32(b.numbers[fieldHashShift])}
	for _, step := range []func() error{b.loadKinds, b.loadTasks, b.loadKeys, b.loadDentries, b.loadFilesystems, b.loadEvents, b.loadColumns} {
		if err := step(); err != nil {
			return fmt.Errorf("event batch: %w", err)
		}
	}
	b.events = len(b.time)
	return nil
}

// split finds the fields in the message. It skips fields it does not know.
func (b *batchReader) split(body []byte) error {
	for len(body) > 0 {
		n := 0
		if b.strings, n = shortStrings(b.strings, body); n > 0 {
			body = body[n:]
			continue
		}
		num, typ, value, err := takeField(&body)
		switch {
		case err != nil:
			return err
		case typ == protowire.VarintType && int(num) < len(b.numbers):
			b.numbers[num], _ = protowire.ConsumeVarint(value)
		case typ != protowire.BytesType || num >= fieldsEnd:
		case num == fieldString:
			if len(value) > MaxStringBytes || len(b.strings) >= MaxTableRows {
				return fmt.Errorf("event batch: more than %d strings, or one of more than %d bytes", MaxTableRows, MaxStringBytes)
			}
			b.strings = append(b.strings, string(value))
		case b.raw[num] != nil:
			return fmt.Errorf("field %d of a batch stands twice", num)
		default:
			b.raw[num] = value
		}
	}
	return nil
}

// chunkBytes bounds the strings that share one allocation: whoever keeps one of them keeps about this much
// alive at most.
const chunkBytes = 1 << 10

// stringTag is the tag of a string field.
const stringTag = fieldString<<3 | byte(protowire.BytesType)

// shortStrings appends the strings at the start of the fields, up to the first one of 128 bytes or more,
// and returns how many bytes these fields take.
func shortStrings(to []string, fields []byte) (all []string, n int) {
	for rows := MaxTableRows - len(to); rows > 0 && n+1 < len(fields) && fields[n] == stringTag && fields[n+1] < 0x80; rows-- {
		next := n + 2 + int(fields[n+1])
		if next > len(fields) || next > chunkBytes {
			break
		}
		n = next
	}
	for chunk := string(fields[:n]); len(chunk) > 0; {
		end := 2 + int(chunk[1])
		to, chunk = append(to, chunk[2:end]), chunk[end:]
	}
	return to, n
}

// loadEvents decodes what every event has, and counts the events of each kind.
func (b *batchReader) loadEvents() error {
	if err := b.loadTimes(); err != nil {
		return err
	}
	for _, c := range []struct {
		to    *smallColumn
		field int
		rows  int // of the table that it is an index into; -1: none
	}{{&b.kind, fieldKind, len(b.kinds)}, {&b.cpu, fieldCPU, -1}, {&b.task, fieldTask, len(b.tasks)}} {
		if err := c.to.load(b.raw[c.field], len(b.time), c.rows); err != nil {
			return fmt.Errorf("field %d: %w", c.field, err)
		}
	}
	b.perKind = append(b.perKind[:0], make([]int, len(b.kinds))...)
	for _, k := range b.kind.bytes {
		b.perKind[k]++
	}
	for _, k := range b.kind.wide {
		b.perKind[k]++
	}
	return nil
}

// loadColumns decodes what only some kinds have: as many values as there are events of those kinds.
func (b *batchReader) loadColumns() error {
	var values [columnRows]int
	for i, events := range b.perKind {
		k := &b.kinds[i]
		for _, row := range k.rows[:k.n] {
			values[row] += events
		}
	}
	for i, want := range values {
		c := &columnTable[i]
		field, codes := c.field, true
		if b.raw[field] == nil && c.old != 0 {
			field, codes = c.old, false
		}
		if err := b.loadColumn(i, b.raw[field], want, codes); err != nil {
			return fmt.Errorf("column %d, of %d values for %d events: %w", field, count(b.raw[field]), want, err)
		}
	}
	return nil
}

// loadColumn decodes a column of n values. codes says that rows are written in codes, as from version 2 on.
func (b *batchReader) loadColumn(row int, column []byte, n int, codes bool) (err error) {
	c, to, rows := &columnTable[row], &b.values[row], -1
	if c.rows != nil {
		rows = c.rows(b)
	}
	switch {
	case c.codes:
		indexes := room(b.rows[row], n)
		if b.rows[row] = indexes; codes {
			return b.codes.decodeRows(indexes, column, rows)
		}
		err = to.load(column, n, rows)
		for i := 0; i < n && err == nil; i++ {
			indexes[i] = uint32(to.at(i))
		}
	case c.delta:
		err = to.decode(deltas, column, n)
	case c.signed:
		err = to.decode(zigzags, column, n)
	default:
		err = to.load(column, n, rows)
	}
	return err
}

// next overwrites e, which holds the last event, with the next one, and entry with its Entry if it is a
// call as a whole. The caller has checked that done < events. The fields that few events have are cleared
// only if the last event had one.
func (b *batchReader) next(e, entry *Event) {
	if len(b.skipKinds) > 0 {
		b.skipEvents()
	}
	i := b.done
	b.done++
	if i >= b.sameUntil {
		b.setTask(e, entry, i)
	}
	k := &b.kinds[b.kind.at(i)]
	if e.Columns&^commonColumns != 0 {
		*e = Event{}
		e.CPU, e.PID, e.TID, e.Comm = entry.CPU, entry.PID, entry.TID, entry.Comm
	}
	e.ID, e.Time = b.firstID+uint64(i), b.time[i]
	e.Role, e.Phase, e.Entry = k.role, k.phase, nil
	if k.call {
		entry.ID, entry.Time, entry.Role, entry.Phase = e.ID, e.Time, k.role, Enter
		b.setCommon(entry, k.entry)
		e.Entry = entry
	}
	b.setCommon(e, k.columns)
	if k.columns&^commonColumns != 0 {
		b.setRest(e, k)
	}
}

// setTask sets in e, which becomes event i, and in entry the task and CPU that all events before
// sameUntil have.
func (b *batchReader) setTask(e, entry *Event, i int) {
	b.sameUntil = min(b.cpu.runFrom(i), b.task.runFrom(i))
	t := &b.tasks[b.task.at(i)]
	for _, e := range []*Event{e, entry} {
		e.CPU, e.PID, e.TID, e.Comm = uint32(b.cpu.at(i)), t.pid, t.tid, t.comm
	}
}

// Values for events without a key, a dentry or a filesystem.
var (
	noKey        keyValue
	noDentry     dentryRow
	noFilesystem filesystemRow
)

// setCommon sets the columns of e, which holds another event, and the fields that nearly every event has.
func (b *batchReader) setCommon(e *Event, columns Columns) {
	k, d, nameAddr := &noKey, &noDentry, uint64(0)
	if columns.Has(ColumnKey) {
		k = &b.keys[b.takeRow(rowKey)]
	}
	if columns.Has(ColumnNameAddr) {
		nameAddr = b.take(rowNameAddr)
	}
	if columns.Has(ColumnDentry) {
		if row := b.takeRow(rowDentry); row > 0 { // 0 is NULL
			d = &b.dentries[row-1]
			k, nameAddr = &b.keys[d.key], d.nameAddr
		}
	}
	e.Parent, e.Name, e.NameLen, e.Hash = k.parent, k.name, k.length, k.hash
	e.NameAddr, e.Dentry, e.Inode, e.Facts = nameAddr, d.address, d.inode, d.facts|k.facts
	if (e.Columns | columns).Has(ColumnFilesystem) {
		f := &noFilesystem
		if columns.Has(ColumnFilesystem) {
			if row := b.take(rowFilesystem); row > 0 { // 0 is none
				f = &b.filesystems[row-1]
			}
		}
		e.FSType, e.Dev = f.kind, f.dev
	}
	e.Columns = columns
}

// setRest sets the fields of e that few kinds have.
func (b *batchReader) setRest(e *Event, k *readKind) {
	for _, r := range k.rows[k.common:k.n] {
		if c, v := &columnTable[r], b.take(int(r)); c.get != nil {
			c.get(b, e, v)
		} else {
			c.Set(e, v)
		}
	}
}

// take returns the next value of a column.
func (b *batchReader) take(row int) uint64 {
	i := b.nextValue[row]
	b.nextValue[row]++
	return b.values[row].at(i)
}

// takeRow is take for a column of rows.
func (b *batchReader) takeRow(row int) uint32 {
	i := b.nextValue[row]
	b.nextValue[row]++
	return b.rows[row][i]
}

func (b *batchReader) setTook(e *Event, v uint64) {
	if v > 0 && v <= e.Time {
		e.Entered = e.Time - (v - 1)
	}
}
