// SPDX-License-Identifier: Apache-2.0

package schema

import "google.golang.org/protobuf/encoding/protowire"

// column is one row of the table of columns: a field of EventBatch, which events take from
// it, and where in an Event the value goes. The writer, the reader and its checks are loops
// over the rows, in this order; what is new is one more row.
type column struct {
	of    Column           // the bit of kind_columns
	field protowire.Number // of EventBatch
	delta bool             // the file holds the difference to the value before
	get   func(*batchWriter, *Event) uint64
	set   func(*batchReader, *Event, uint64)
	rows  func(*batchReader) int // the table that a value is an index of; nil: it is none
}

// columnTable is the table. A dentry stands after the key, and gives what both have.
var columnTable = [columnRows]column{
	{ColumnKey, fieldKey, false,
		func(b *batchWriter, e *Event) uint64 { return uint64(b.key(e, e.Facts)) },
		(*batchReader).setKey, func(b *batchReader) int { return len(b.keys) }},
	{ColumnNameAddr, fieldNameAddr, true,
		func(_ *batchWriter, e *Event) uint64 { return e.NameAddr },
		func(_ *batchReader, e *Event, v uint64) { e.NameAddr = v }, nil},
	{ColumnDentry, fieldDentry, false,
		func(b *batchWriter, e *Event) uint64 { return uint64(b.dentry(e)) },
		(*batchReader).setDentry, func(b *batchReader) int { return len(b.dentries) + 1 }},
	{ColumnFilesystem, fieldFilesystem, false,
		func(b *batchWriter, e *Event) uint64 { return uint64(b.filesystem(e)) },
		(*batchReader).setFilesystem, func(b *batchReader) int { return len(b.filesystems) + 1 }},
	{ColumnRet, fieldRet, true,
		func(_ *batchWriter, e *Event) uint64 { return e.Ret },
		func(_ *batchReader, e *Event, v uint64) { e.Ret = v }, nil},
	{ColumnOpen, fieldOpenFlags, false,
		func(_ *batchWriter, e *Event) uint64 { return uint64(e.Flags) },
		func(_ *batchReader, e *Event, v uint64) { e.Flags = uint32(v) }, nil},
	{ColumnOpen, fieldOpenMode, false,
		func(_ *batchWriter, e *Event) uint64 { return uint64(e.Mode) },
		func(_ *batchReader, e *Event, v uint64) { e.Mode = uint32(v) }, nil},
	{ColumnBucket, fieldBucket, true,
		func(_ *batchWriter, e *Event) uint64 { return e.Bucket },
		func(_ *batchReader, e *Event, v uint64) { e.Bucket = v }, nil},
	{ColumnTarget, fieldTarget, true,
		func(_ *batchWriter, e *Event) uint64 { return e.Target },
		func(_ *batchReader, e *Event, v uint64) { e.Target = v }, nil},
	{ColumnChild, fieldChild, false,
		func(_ *batchWriter, e *Event) uint64 { return uint64(e.Child) },
		func(_ *batchReader, e *Event, v uint64) { e.Child = uint32(v) }, nil},
	{ColumnSymbol, fieldSymbol, false,
		func(b *batchWriter, e *Event) uint64 { return uint64(b.string(e.Symbol)) },
		func(b *batchReader, e *Event, v uint64) { e.Symbol = b.strings[v] }, func(b *batchReader) int { return len(b.strings) }},
	{ColumnTook, fieldTook, false,
		func(_ *batchWriter, e *Event) uint64 { return took(e) },
		func(_ *batchReader, e *Event, v uint64) {
			if v > 0 && v <= e.Time {
				e.Entered = e.Time - (v - 1)
			}
		}, nil},
}

const columnRows = 12

// Rows of the table that nearly every event has; see batchReader.next.
const (
	rowKey, rowNameAddr, rowDentry, rowFilesystem = 0, 1, 2, 3

	commonColumns = 1<<ColumnKey | 1<<ColumnNameAddr | 1<<ColumnDentry | 1<<ColumnFilesystem
)

// took is the duration of the call that the exit ends + 1, ns; 0 where its entry is not known.
func took(e *Event) uint64 {
	if e.Entered == 0 || e.Entered > e.Time {
		return 0
	}
	return e.Time - e.Entered + 1
}
