// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// batchReader decodes one EventBatch at a time and hands out its events in order. A batch
// is decoded into slices as a whole, which is what checks it: an event is then an index.
type batchReader struct {
	firstID, base uint64
	events, done  int
	told          *taskRow // that of the event before

	raw     [fieldsEnd][]byte          // the fields as they stand in the message
	numbers [fieldHashShift + 1]uint64 // those that are a number
	follows follows
	strings []string

	kinds       []readKind
	tasks       []taskRow
	keys        []keyRow
	dentries    []dentryRow
	filesystems []filesystemRow

	time            []uint64
	kind, cpu, task smalls
	values          [columnRows][]uint64
	at              [columnRows]int // the next value of each

	passing []passing // by kind, see Reader.Only; none: no event is passed over

	scratch [5][]uint64 // columns of a table
	codes   follower
	perKind []int
}

// readKind is a kind, and how an event of it is put together.
type readKind struct {
	kindRow
	call  bool              // it is a call as a whole: phase and columns are of its exit,
	entry Columns           // and these of its entry
	rest  [columnRows]uint8 // the rows of its columns that few kinds have; 0: no more
}

var errTable = errors.New("columns of one table differ in length")

// load decodes an EventBatch: when it has succeeded no event of it can fail.
func (b *batchReader) load(body []byte) error {
	clear(b.strings) // those of the batch before are let go of first
	b.events, b.done, b.told, b.numbers = 0, 0, nil, [fieldHashShift + 1]uint64{}
	b.raw, b.at, b.strings = [fieldsEnd][]byte{}, [columnRows]int{}, b.strings[:0]
	if err := b.split(body); err != nil {
		return err
	}
	b.firstID, b.base = b.numbers[fieldFirstID], b.numbers[fieldBaseTime]
	b.follows = follows{NameHash(b.numbers[fieldNameHash]), b.numbers[fieldHashtable], uint32(b.numbers[fieldHashShift])}
	for _, step := range []func() error{b.loadKinds, b.loadTasks, b.loadKeys, b.loadDentries, b.loadFilesystems, b.loadEvents, b.loadColumns} {
		if err := step(); err != nil {
			return fmt.Errorf("event batch: %w", err)
		}
	}
	b.events = len(b.time)
	return nil
}

// split finds the columns in the message. Fields it does not know it skips.
func (b *batchReader) split(body []byte) error {
	for len(body) > 0 {
		n := 0
		if b.strings, n = shortStrings(b.strings, body); n > 0 {
			body = body[n:]
			continue
		}
		num, typ, n := protowire.ConsumeTag(body)
		if n < 0 {
			return protowire.ParseError(n)
		}
		body = body[n:]
		switch {
		case typ == protowire.BytesType && num < fieldsEnd:
			v, n := protowire.ConsumeBytes(body)
			if n < 0 {
				return protowire.ParseError(n)
			}
			if body = body[n:]; num == fieldString {
				if len(v) > MaxStringBytes || len(b.strings) >= MaxTableRows {
					return fmt.Errorf("event batch: more than %d strings, or one of more than %d bytes", MaxTableRows, MaxStringBytes)
				}
				b.strings = append(b.strings, string(v))
			} else if b.raw[num] != nil {
				return fmt.Errorf("field %d of a batch stands twice", num)
			} else {
				b.raw[num] = v
			}
		case typ == protowire.VarintType && int(num) < len(b.numbers):
			v, n := protowire.ConsumeVarint(body)
			if n < 0 {
				return protowire.ParseError(n)
			}
			body, b.numbers[num] = body[n:], v
		default:
			if n = protowire.ConsumeFieldValue(num, typ, body); n < 0 {
				return protowire.ParseError(n)
			}
			body = body[n:]
		}
	}
	return nil
}

// loadEvents decodes what every event has, and counts the events of each kind.
func (b *batchReader) loadEvents() (err error) {
	if b.time, err = decode64(b.time, b.raw[b.timeField()], MaxBatchEvents); err != nil {
		return err
	}
	for _, c := range []struct {
		to    *smalls
		field int
		rows  int // the table it is an index of; -1: none
	}{{&b.kind, fieldKind, len(b.kinds)}, {&b.cpu, fieldCPU, -1}, {&b.task, fieldTask, len(b.tasks)}} {
		if err := c.to.load(b.raw[c.field], len(b.time), c.rows); err != nil {
			return fmt.Errorf("field %d: %w", c.field, err)
		}
	}
	if err := b.loadTimes(); err != nil {
		return err
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

// loadColumns decodes what some kinds have: as many values as there are events of them.
func (b *batchReader) loadColumns() (err error) {
	for i := range columnTable {
		c, want := &columnTable[i], 0
		for k, events := range b.perKind {
			if kind := &b.kinds[k]; (kind.columns | kind.entry).Has(c.Column) {
				want += events
			}
		}
		field, codes := c.field, c.codes
		if b.raw[field] == nil && c.old != 0 {
			field, codes = c.old, false
		}
		if b.values[i], err = decode64(b.values[i], b.raw[field], want); err != nil {
			return fmt.Errorf("column %d for %d events: %w", field, want, err)
		}
		if got := len(b.values[i]); got != want {
			return fmt.Errorf("column %d has %d values for %d events", field, got, want)
		}
		switch {
		case c.delta:
			undelta(b.values[i], 0)
		case c.signed:
			unzigzag(b.values[i])
		}
		switch {
		case codes:
			err = b.codes.rows(b.values[i], c.rows(b))
		case c.rows != nil:
			err = inTable(b.values[i], c.rows(b))
		}
		if err != nil {
			return fmt.Errorf("column %d: %w", field, err)
		}
	}
	return nil
}

// inTable reports an index that points outside a table.
func inTable(indices []uint64, rows int) error {
	for _, v := range indices {
		if v >= uint64(rows) {
			return fmt.Errorf("row %d of %d", v, rows)
		}
	}
	return nil
}

// next fills e, which holds the event before, with the next event, and entry with the Entry that it has where it is a
// call as a whole; the caller has checked done < events. What few events have is cleared only after one that had it.
func (b *batchReader) next(e, entry *Event) {
	if len(b.passing) > 0 {
		b.passOver()
	}
	i := b.done
	b.done++
	k := &b.kinds[b.kind.at(i)]
	if e.Columns&^commonColumns != 0 || e.Columns == 0 {
		*e, b.told = Event{}, nil
	}
	e.ID, e.Time, e.CPU = b.firstID+uint64(i), b.time[i], uint32(b.cpu.at(i))
	if t := &b.tasks[b.task.at(i)]; t != b.told {
		e.PID, e.TID, e.Comm = t.pid, t.tid, t.comm
		entry.PID, entry.TID, entry.Comm = t.pid, t.tid, t.comm
		b.told = t
	}
	e.Role, e.Phase, e.Columns, e.Entry = k.role, k.phase, k.columns, nil
	if k.call {
		entry.ID, entry.Time, entry.CPU = e.ID, e.Time, e.CPU
		entry.Role, entry.Phase, entry.Columns = k.role, Enter, k.entry
		b.setCommon(entry, k.entry)
		e.Entry = entry
	}
	b.setCommon(e, k.columns)
	if k.columns&^commonColumns != 0 {
		b.setRest(e, k)
	}
}

// setCommon gives e what nearly every event has.
func (b *batchReader) setCommon(e *Event, columns Columns) {
	e.Parent, e.Name, e.NameLen, e.Hash = 0, "", 0, 0
	e.NameAddr, e.Dentry, e.Inode, e.Facts = 0, 0, 0, 0
	e.FSType, e.Dev = "", 0
	if columns.Has(ColumnKey) {
		b.setKey(e, b.take(rowKey))
	}
	if columns.Has(ColumnNameAddr) {
		e.NameAddr = b.take(rowNameAddr)
	}
	if columns.Has(ColumnDentry) {
		b.setDentry(e, b.take(rowDentry))
	}
	if columns.Has(ColumnFilesystem) {
		b.setFilesystem(e, b.take(rowFilesystem))
	}
}

// setRest gives e what few kinds have.
func (b *batchReader) setRest(e *Event, k *readKind) {
	for _, r := range k.rest {
		if r == 0 {
			break
		}
		if c, v := &columnTable[r], b.take(int(r)); c.get != nil {
			c.get(b, e, v)
		} else {
			c.Set(e, v)
		}
	}
}

// take returns the next value of a column.
func (b *batchReader) take(row int) uint64 {
	v := b.values[row][b.at[row]]
	b.at[row]++
	return v
}

func (b *batchReader) setKey(e *Event, i uint64) {
	k := &b.keys[i]
	e.Parent, e.Name, e.NameLen, e.Hash = k.parent, b.strings[k.name], k.length, k.hash
	e.Facts |= k.facts
}

// setDentry takes index + 1; 0 leaves the event's dentry NULL.
func (b *batchReader) setDentry(e *Event, i uint64) {
	if i == 0 {
		return
	}
	d := &b.dentries[i-1]
	e.Dentry, e.Inode = d.address, d.inode
	e.NameAddr = d.address + uint64(d.nameOffset)
	e.Facts = d.facts
	b.setKey(e, uint64(d.key))
}

// setFilesystem takes index + 1; 0 is none.
func (b *batchReader) setFilesystem(e *Event, i uint64) {
	if i > 0 {
		e.FSType, e.Dev = b.strings[b.filesystems[i-1].kind], b.filesystems[i-1].dev
	}
}

func (b *batchReader) setTook(e *Event, v uint64) {
	if v > 0 && v <= e.Time {
		e.Entered = e.Time - (v - 1)
	}
}
