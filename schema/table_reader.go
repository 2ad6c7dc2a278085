// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"fmt"
)

// tableColumn is a column of a table: its field, and the decoder for that; nil: the values are stored as
// they are.
type tableColumn struct {
	field int
	as    decoder
	old   *tableColumn // before version 3, if another
}

// The tables. The first column determines the number of rows.
var (
	kindTable = []tableColumn{{field: fieldKindRole}, {field: fieldKindPhase}, {field: fieldKindColumns}}
	taskTable = []tableColumn{{field: fieldTaskPID}, {field: fieldTaskTID}, {field: fieldTaskComm}}
	keyTable  = []tableColumn{
		{field: fieldKeyParentStep, as: steps, old: &tableColumn{field: fieldKeyParent, as: deltas}},
		{field: fieldKeyNameDelta, as: deltas, old: &tableColumn{field: fieldKeyName}},
		{field: fieldKeyLength}, {field: fieldKeyFacts},
	}
	dentryTable = []tableColumn{
		{field: fieldDentryAddress, as: deltas},
		{field: fieldDentryKeyDelta, as: deltas, old: &tableColumn{field: fieldDentryKey}},
		{field: fieldDentryNameOffset, as: zigzags},
		{field: fieldDentryInodeStep, as: steps, old: &tableColumn{field: fieldDentryInode, as: deltas}},
		{field: fieldDentryFacts},
	}
	filesystemTable = []tableColumn{{field: fieldFilesystemType}, {field: fieldFilesystemDev}}
)

// table decodes the columns of a table, which must have equal length, into scratch.
func (b *batchReader) table(columns []tableColumn) (rows int, err error) {
	for i := range columns {
		c := &columns[i]
		if b.raw[c.field] == nil && c.old != nil {
			c = c.old
		}
		column := b.raw[c.field]
		if i == 0 {
			if rows = count(column); rows > MaxTableRows {
				return 0, errTooLong
			}
		}
		if c.as == nil {
			err = b.scratch[i].load(column, rows, -1)
		} else {
			err = b.scratch[i].decode(c.as, column, rows)
		}
		if err != nil {
			return 0, err
		}
	}
	return rows, nil
}

func (b *batchReader) loadKinds() error {
	n, err := b.table(kindTable)
	b.kinds = b.kinds[:0]
	for i := range n {
		k := readKind{kindRow: kindRow{role: Role(b.scratch[0].at(i)), phase: Phase(b.scratch[1].at(i)), columns: Columns(b.scratch[2].at(i)) & knownColumns}}
		if k.phase == Whole && k.role.Is(TraitLeaf) {
			k.call, k.phase, k.entry = true, Exit, k.columns&k.role.Shape(Enter).Columns
			k.columns &^= k.entry
		}
		for r := range columnTable {
			if !(k.columns | k.entry).Has(columnTable[r].Column) {
				continue
			}
			k.rows[k.n] = uint8(r)
			if k.n++; r <= rowFilesystem {
				k.common = k.n
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
		comm, err := b.stringAt(b.scratch[2].at(i))
		if err != nil {
			return err
		}
		b.tasks = append(b.tasks, taskRow{pid: uint32(b.scratch[0].at(i)), tid: uint32(b.scratch[1].at(i)), comm: comm})
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
	b.keys = room(b.keys, n)
	parents, names, lengths, facts := b.scratch[0].wide, b.scratch[1], b.scratch[2], b.scratch[3]
	texts := b.strings
	for i := range b.keys {
		text := names.at(i)
		if text >= uint64(len(texts)) {
			return fmt.Errorf("key names string %d of %d", text, len(texts))
		}
		k := &b.keys[i]
		k.parent, k.name, k.length, k.facts = parents[i], texts[text], uint32(lengths.at(i)), Fact(facts.at(i))
	}
	return b.loadHashes()
}

func (b *batchReader) loadDentries() error {
	n, err := b.table(dentryTable)
	if err != nil {
		return err
	}
	b.dentries = room(b.dentries, n)
	addresses, keys, offsets, inodes, facts := b.scratch[0].wide, b.scratch[1], b.scratch[2].wide, b.scratch[3].wide, b.scratch[4]
	for i := range b.dentries {
		key := keys.at(i)
		if key >= uint64(len(b.keys)) {
			return fmt.Errorf("dentry has key %d of %d", key, len(b.keys))
		}
		d := &b.dentries[i]
		d.address, d.inode, d.nameAddr = addresses[i], inodes[i], addresses[i]+offsets[i]
		d.key, d.facts = uint32(key), Fact(facts.at(i))
	}
	return nil
}

func (b *batchReader) loadFilesystems() error {
	n, err := b.table(filesystemTable)
	b.filesystems = b.filesystems[:0]
	for i := range n {
		kind, err := b.stringAt(b.scratch[0].at(i))
		if err != nil {
			return fmt.Errorf("filesystem names %w", err)
		}
		b.filesystems = append(b.filesystems, filesystemRow{kind: kind, dev: uint32(b.scratch[1].at(i))})
	}
	return err
}
