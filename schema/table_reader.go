// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// tableColumn is a column of a table: the field it stands in, and what makes values of what stands there; nil: that is them.
type tableColumn struct {
	field int
	as    func([]uint64)
	old   *tableColumn // before version 3, if it was another
}

// The tables, of which the first column says how many rows there are.
var (
	kindTable = []tableColumn{{field: fieldKindRole}, {field: fieldKindPhase}, {field: fieldKindColumns}}
	taskTable = []tableColumn{{field: fieldTaskPID}, {field: fieldTaskTID}, {field: fieldTaskComm}}
	keyTable  = []tableColumn{
		{field: fieldKeyParentStep, as: unstep, old: &tableColumn{field: fieldKeyParent, as: undelta0}},
		{field: fieldKeyNameDelta, as: undelta0, old: &tableColumn{field: fieldKeyName}},
		{field: fieldKeyLength}, {field: fieldKeyFacts},
	}
	dentryTable = []tableColumn{
		{field: fieldDentryAddress, as: undelta0},
		{field: fieldDentryKeyDelta, as: undelta0, old: &tableColumn{field: fieldDentryKey}},
		{field: fieldDentryNameOffset, as: unzigzag},
		{field: fieldDentryInodeStep, as: unstep, old: &tableColumn{field: fieldDentryInode, as: undelta0}},
		{field: fieldDentryFacts},
	}
	filesystemTable = []tableColumn{{field: fieldFilesystemType}, {field: fieldFilesystemDev}}
)

// table decodes the columns of a table, which are of one length, into scratch.
func (b *batchReader) table(columns []tableColumn) (rows int, err error) {
	for i := range columns {
		c := &columns[i]
		if b.raw[c.field] == nil && c.old != nil {
			c = c.old
		}
		if i == 0 {
			b.scratch[i], err = decode64(b.scratch[i], b.raw[c.field], MaxTableRows)
			rows = len(b.scratch[i])
		} else {
			b.scratch[i], err = decodeAll(b.scratch[i], b.raw[c.field], rows)
		}
		if err != nil {
			return 0, err
		}
		if c.as != nil {
			c.as(b.scratch[i])
		}
	}
	return rows, nil
}

func (b *batchReader) loadKinds() error {
	n, err := b.table(kindTable)
	b.kinds = b.kinds[:0]
	for i := range n {
		k := readKind{kindRow: kindRow{role: Role(b.scratch[0][i]), phase: Phase(b.scratch[1][i]), columns: Columns(b.scratch[2][i]) & knownColumns}}
		if k.phase == Whole && k.role.Is(Leaf) {
			k.call, k.phase, k.entry = true, Exit, k.columns&k.role.Shape(Enter).Columns
			k.columns &^= k.entry
		}
		rest := k.rest[:0]
		for r := rowFilesystem + 1; r < columnRows; r++ {
			if k.columns.Has(columnTable[r].Column) {
				rest = append(rest, uint8(r))
			}
		}
		b.kinds = append(b.kinds, k)
	}
	return err
}

func (b *batchReader) loadTasks() error {
	n, err := b.table(taskTable)
	b.tasks = b.tasks[:0]
	for i := range n {
		comm, err := b.stringAt(b.scratch[2][i])
		if err != nil {
			return err
		}
		b.tasks = append(b.tasks, taskRow{pid: uint32(b.scratch[0][i]), tid: uint32(b.scratch[1][i]), comm: comm})
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
	n, err := b.table(keyTable)
	if err != nil {
		return err
	}
	parent, name, length, facts := b.scratch[0][:n], b.scratch[1][:n], b.scratch[2][:n], b.scratch[3][:n]
	b.keys = room(b.keys, n)
	for i := range b.keys {
		if name[i] >= uint64(len(b.strings)) {
			return fmt.Errorf("key names string %d of %d", name[i], len(b.strings))
		}
		b.keys[i] = keyRow{parent: parent[i], name: uint32(name[i]), length: uint32(length[i]), facts: Fact(facts[i])}
	}
	return b.loadHashes()
}

func (b *batchReader) loadDentries() error {
	n, err := b.table(dentryTable)
	if err != nil {
		return err
	}
	address, key, offset, inode, facts := b.scratch[0][:n], b.scratch[1][:n], b.scratch[2][:n], b.scratch[3][:n], b.scratch[4][:n]
	b.dentries = room(b.dentries, n)
	for i := range b.dentries {
		if key[i] >= uint64(len(b.keys)) {
			return fmt.Errorf("dentry has key %d of %d", key[i], len(b.keys))
		}
		b.dentries[i] = dentryRow{address: address[i], key: uint32(key[i]), nameOffset: int64(offset[i]), inode: inode[i], facts: Fact(facts[i])}
	}
	return nil
}

func (b *batchReader) loadFilesystems() error {
	n, err := b.table(filesystemTable)
	b.filesystems = b.filesystems[:0]
	for i := range n {
		if b.scratch[0][i] >= uint64(len(b.strings)) {
			return fmt.Errorf("filesystem names string %d of %d", b.scratch[0][i], len(b.strings))
		}
		b.filesystems = append(b.filesystems, filesystemRow{kind: uint32(b.scratch[0][i]), dev: uint32(b.scratch[1][i])})
	}
	return err
}

// undelta0 turns zigzag differences into values, the first of which is that to 0.
func undelta0(column []uint64) { undelta(column, 0) }

func unzigzag(column []uint64) {
	for i, v := range column {
		column[i] = uint64(protowire.DecodeZigZag(v))
	}
}
