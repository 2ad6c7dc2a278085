// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Strings kept for reuse from one batch to the next: how many, and of how many bytes.
const (
	maxInterned      = 1 << 16
	maxInternedBytes = 4 << 20
)

// columnOf says which Column of an event kind a field of EventBatch belongs to.
var columnOf = [fieldsEnd]int8{
	fieldKey: int8(ColumnKey), fieldNameAddr: int8(ColumnNameAddr), fieldDentry: int8(ColumnDentry),
	fieldRet: int8(ColumnRet), fieldOpenFlags: int8(ColumnOpen), fieldOpenMode: int8(ColumnOpen),
	fieldFilesystem: int8(ColumnFilesystem), fieldBucket: int8(ColumnBucket),
	fieldTarget: int8(ColumnTarget), fieldChild: int8(ColumnChild),
	fieldSymbol: int8(ColumnSymbol), fieldTook: int8(ColumnTook),
}

// batchReader decodes one EventBatch at a time and hands out its events in order.
type batchReader struct {
	firstID, base uint64
	events, done  int

	raw     [fieldsEnd]cursor // columns still to be read
	strings []string
	kinds   []kindRow
	tasks   []taskRow
	keys    []keyRow
	dentry  []dentryRow
	fs      []filesystemRow

	time, nameAddr, ret, bucket, target uint64

	interned map[string]string
	bytes    int // of those
}

var errTable = errors.New("columns of one table differ in length")

// load decodes the tables of an EventBatch and checks its columns: each has as
// many values as the kinds ask for, so that next need not look. body must stay
// unchanged until the last event was handed out.
func (b *batchReader) load(body []byte) error {
	*b = batchReader{
		strings: b.strings[:0], kinds: b.kinds[:0], tasks: b.tasks[:0], keys: b.keys[:0],
		dentry: b.dentry[:0], fs: b.fs[:0], interned: b.interned, bytes: b.bytes,
	}
	if b.interned == nil || len(b.interned) > maxInterned || b.bytes > maxInternedBytes {
		b.interned, b.bytes = make(map[string]string), 0
	}
	if err := b.split(body); err != nil {
		return err
	}
	for _, step := range []func() error{b.loadKinds, b.loadTasks, b.loadKeys, b.loadDentries, b.loadFilesystems, b.check} {
		if err := step(); err != nil {
			return fmt.Errorf("event batch: %w", err)
		}
	}
	b.time = b.base
	return nil
}

// split finds the columns in the message. Fields it does not know it skips.
func (b *batchReader) split(body []byte) error {
	for len(body) > 0 {
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
				if len(v) > MaxStringBytes || len(b.strings) == MaxTableRows {
					return fmt.Errorf("event batch: more than %d strings, or one of more than %d bytes", MaxTableRows, MaxStringBytes)
				}
				b.strings = append(b.strings, b.intern(v))
			} else if b.raw[num].b != nil {
				return fmt.Errorf("field %d of a batch stands twice", num)
			} else {
				b.raw[num].b = v
			}
		case typ == protowire.VarintType && (num == fieldFirstID || num == fieldBaseTime):
			v, n := protowire.ConsumeVarint(body)
			if n < 0 {
				return protowire.ParseError(n)
			}
			if body = body[n:]; num == fieldFirstID {
				b.firstID = v
			} else {
				b.base = v
			}
		default:
			if n = protowire.ConsumeFieldValue(num, typ, body); n < 0 {
				return protowire.ParseError(n)
			}
			body = body[n:]
		}
	}
	return nil
}

func (b *batchReader) intern(v []byte) string {
	if s, ok := b.interned[string(v)]; ok {
		return s
	}
	s := string(v)
	b.interned[s] = s
	b.bytes += len(s)
	return s
}

// table checks that the columns of a table are of one length and returns it.
func (b *batchReader) table(fields ...int) (int, error) {
	rows := -1
	for _, f := range fields {
		n, err := countVarints(b.raw[f].b)
		if err != nil {
			return 0, err
		}
		if rows >= 0 && n != rows {
			return 0, errTable
		}
		if n > MaxTableRows {
			return 0, fmt.Errorf("%d rows, at most %d are allowed", n, MaxTableRows)
		}
		rows = n
	}
	return rows, nil
}

func (b *batchReader) loadKinds() error {
	n, err := b.table(fieldKindRole, fieldKindPhase, fieldKindColumns)
	for range n {
		b.kinds = append(b.kinds, kindRow{
			role:    Role(b.raw[fieldKindRole].uint()),
			phase:   Phase(b.raw[fieldKindPhase].uint()),
			columns: Columns(b.raw[fieldKindColumns].uint()),
		})
	}
	return err
}

func (b *batchReader) loadTasks() error {
	n, err := b.table(fieldTaskPID, fieldTaskTID, fieldTaskComm)
	for range n {
		t := taskRow{pid: uint32(b.raw[fieldTaskPID].uint()), tid: uint32(b.raw[fieldTaskTID].uint())}
		if t.comm, err = b.stringAt(b.raw[fieldTaskComm].uint()); err != nil {
			return err
		}
		b.tasks = append(b.tasks, t)
	}
	return err
}

func (b *batchReader) stringAt(i uint64) (string, error) {
	if i >= uint64(len(b.strings)) {
		return "", fmt.Errorf("string %d of %d", i, len(b.strings))
	}
	return b.strings[i], nil
}

func (b *batchReader) loadKeys() error {
	n, err := b.table(fieldKeyParent, fieldKeyName, fieldKeyLength, fieldKeyFacts)
	if err != nil {
		return err
	}
	hashes := b.raw[fieldKeyHash].b
	if len(hashes) != 4*n {
		return errTable
	}
	var parent uint64
	for i := range n {
		parent = b.raw[fieldKeyParent].delta(parent)
		k := keyRow{
			parent: parent,
			name:   uint32(b.raw[fieldKeyName].uint()),
			length: uint32(b.raw[fieldKeyLength].uint()),
			hash:   binary.LittleEndian.Uint32(hashes[4*i:]),
			facts:  Fact(b.raw[fieldKeyFacts].uint()),
		}
		if int(k.name) >= len(b.strings) {
			return fmt.Errorf("key names string %d of %d", k.name, len(b.strings))
		}
		b.keys = append(b.keys, k)
	}
	return nil
}

func (b *batchReader) loadDentries() error {
	n, err := b.table(fieldDentryAddress, fieldDentryKey, fieldDentryNameOffset, fieldDentryInode, fieldDentryFacts)
	var address, inode uint64
	for range n {
		address = b.raw[fieldDentryAddress].delta(address)
		inode = b.raw[fieldDentryInode].delta(inode)
		d := dentryRow{
			address: address, inode: inode,
			key:        uint32(b.raw[fieldDentryKey].uint()),
			nameOffset: protowire.DecodeZigZag(b.raw[fieldDentryNameOffset].uint()),
			facts:      Fact(b.raw[fieldDentryFacts].uint()),
		}
		if int(d.key) >= len(b.keys) {
			return fmt.Errorf("dentry has key %d of %d", d.key, len(b.keys))
		}
		b.dentry = append(b.dentry, d)
	}
	return err
}

func (b *batchReader) loadFilesystems() error {
	n, err := b.table(fieldFilesystemType, fieldFilesystemDev)
	for range n {
		f := filesystemRow{kind: uint32(b.raw[fieldFilesystemType].uint()), dev: uint32(b.raw[fieldFilesystemDev].uint())}
		if int(f.kind) >= len(b.strings) {
			return fmt.Errorf("filesystem names string %d of %d", f.kind, len(b.strings))
		}
		b.fs = append(b.fs, f)
	}
	return err
}

// check counts the events of each kind and holds every column against that.
func (b *batchReader) check() error {
	n, err := b.table(fieldTimeDelta, fieldKind, fieldCPU, fieldTask)
	if err != nil {
		return err
	}
	if n > MaxBatchEvents {
		return fmt.Errorf("%d events, at most %d are allowed", n, MaxBatchEvents)
	}
	b.events = n
	perKind := make([]int, len(b.kinds))
	kinds := b.raw[fieldKind]
	for range n {
		k := kinds.uint()
		if k >= uint64(len(perKind)) {
			return fmt.Errorf("event of kind %d of %d", k, len(perKind))
		}
		perKind[k]++
	}
	for f := fieldKey; f < fieldsEnd; f++ {
		want := 0
		for k, events := range perKind {
			if b.kinds[k].columns.Has(Column(columnOf[f])) {
				want += events
			}
		}
		if got, err := countVarints(b.raw[f].b); err != nil {
			return err
		} else if got != want {
			return fmt.Errorf("column %d has %d values for %d events", f, got, want)
		}
	}
	return nil
}

var errIndex = errors.New("event batch: an event names a row its table does not have")

// next fills e, which holds the event before, with the next event; the caller has
// checked done < events. What few events have is cleared only after one that had it.
func (b *batchReader) next(e *Event) error {
	task := b.raw[fieldTask].uint()
	if task >= uint64(len(b.tasks)) {
		return errIndex
	}
	t, k := &b.tasks[task], &b.kinds[b.raw[fieldKind].uint()]
	if e.Columns&rareColumns != 0 || e.Columns == 0 {
		*e = Event{}
	}
	b.time = b.raw[fieldTimeDelta].delta(b.time)
	e.ID, e.Time, e.CPU = b.firstID+uint64(b.done), b.time, uint32(b.raw[fieldCPU].uint())
	e.PID, e.TID, e.Comm = t.pid, t.tid, t.comm
	e.Role, e.Phase, e.Columns = k.role, k.phase, k.columns
	e.Parent, e.Name, e.NameLen, e.Hash = 0, "", 0, 0
	e.NameAddr, e.Dentry, e.Inode, e.Facts = 0, 0, 0, 0
	e.FSType, e.Dev = "", 0
	b.done++
	if k.columns.Has(ColumnKey) && !b.readKey(e, b.raw[fieldKey].uint()) {
		return errIndex
	}
	if k.columns.Has(ColumnNameAddr) {
		b.nameAddr = b.raw[fieldNameAddr].delta(b.nameAddr)
		e.NameAddr = b.nameAddr
	}
	if k.columns.Has(ColumnDentry) && !b.readDentry(e, b.raw[fieldDentry].uint()) {
		return errIndex
	}
	if k.columns.Has(ColumnFilesystem) && !b.readFilesystem(e, b.raw[fieldFilesystem].uint()) {
		return errIndex
	}
	if k.columns&rareColumns != 0 {
		return b.readRare(e)
	}
	return nil
}

const rareColumns = 1<<ColumnRet | 1<<ColumnOpen | 1<<ColumnBucket | 1<<ColumnTarget | 1<<ColumnChild | 1<<ColumnSymbol | 1<<ColumnTook

func (b *batchReader) readRare(e *Event) error {
	has := e.Columns
	if has.Has(ColumnRet) {
		b.ret = b.raw[fieldRet].delta(b.ret)
		e.Ret = b.ret
	}
	if has.Has(ColumnOpen) {
		e.Flags = uint32(b.raw[fieldOpenFlags].uint())
		e.Mode = uint32(b.raw[fieldOpenMode].uint())
	}
	if has.Has(ColumnBucket) {
		b.bucket = b.raw[fieldBucket].delta(b.bucket)
		e.Bucket = b.bucket
	}
	if has.Has(ColumnTarget) {
		b.target = b.raw[fieldTarget].delta(b.target)
		e.Target = b.target
	}
	if has.Has(ColumnChild) {
		e.Child = uint32(b.raw[fieldChild].uint())
	}
	if has.Has(ColumnSymbol) {
		i := b.raw[fieldSymbol].uint()
		if i >= uint64(len(b.strings)) {
			return errIndex
		}
		e.Symbol = b.strings[i]
	}
	if has.Has(ColumnTook) {
		if took := b.raw[fieldTook].uint(); took > 0 && took <= e.Time {
			e.Entered = e.Time - (took - 1)
		}
	}
	return nil
}

// readFilesystem takes index + 1; 0 is none.
func (b *batchReader) readFilesystem(e *Event, i uint64) bool {
	if i == 0 {
		return true
	}
	if i > uint64(len(b.fs)) {
		return false
	}
	e.FSType, e.Dev = b.strings[b.fs[i-1].kind], b.fs[i-1].dev
	return true
}

func (b *batchReader) readKey(e *Event, i uint64) bool {
	if i >= uint64(len(b.keys)) {
		return false
	}
	k := &b.keys[i]
	e.Parent, e.Name, e.NameLen, e.Hash = k.parent, b.strings[k.name], k.length, k.hash
	e.Facts |= k.facts
	return true
}

// readDentry takes index + 1; 0 leaves the event's dentry NULL.
func (b *batchReader) readDentry(e *Event, i uint64) bool {
	if i == 0 {
		return true
	}
	if i > uint64(len(b.dentry)) {
		return false
	}
	d := &b.dentry[i-1]
	e.Dentry, e.Inode = d.address, d.inode
	e.NameAddr = d.address + uint64(d.nameOffset)
	e.Facts = d.facts
	return b.readKey(e, uint64(d.key))
}
