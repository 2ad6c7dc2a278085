// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"github.com/dtrec/dtrec/schema"
	"google.golang.org/protobuf/encoding/protowire"
)

// slowEvents decodes a batch from the generated message, by FORMAT.md alone.
func slowEvents(batch *schema.EventBatch) []schema.Event {
	b := &slowBatch{batch, map[string]uint64{}, steps(batch.KeyParentStep), prefix(batch.DentryAddressDelta), steps(batch.DentryInodeStep),
		prefix(batch.KeyNameDelta), prefix(batch.DentryKeyDelta), rows(batch.KeyCode), rows(batch.DentryCode), nil}
	b.hash = b.hashes()
	time := batch.BaseTimeNs
	used := map[schema.Column]int{}
	out := make([]schema.Event, len(b.Kind))
	for i, k := range b.Kind {
		e := &out[i]
		task := b.Task[i]
		time += b.TimeHigh[i]*256 + uint64(b.TimeLow[i])
		e.ID, e.Time, e.CPU = b.FirstId+uint64(i), time, b.Cpu[i]
		e.PID, e.TID, e.Comm = b.TaskPid[task], b.TaskTid[task], string(b.String_[b.TaskComm[task]])
		e.Role, e.Phase = schema.Role(b.KindRole[k]), schema.Phase(b.KindPhase[k])
		e.Columns = schema.Columns(b.KindColumns[k])
		if entry, ok := entered[e.Role]; ok && e.Phase == schema.Whole {
			in := *e
			in.Phase, in.Columns = schema.Enter, e.Columns&entry
			e.Phase, e.Columns, e.Entry = schema.Exit, e.Columns&^entry, &in
			b.fill(&in, used)
		}
		b.fill(e, used)
	}
	return out
}

// entered are the columns that the entry of a leaf has.
var entered = map[schema.Role]schema.Columns{
	schema.RoleLookupChain: 1<<schema.ColumnKey | 1<<schema.ColumnNameAddr | 1<<schema.ColumnFilesystem,
	schema.RoleLookupRCU:   1<<schema.ColumnKey | 1<<schema.ColumnNameAddr | 1<<schema.ColumnFilesystem,
	schema.RoleAlloc:       1<<schema.ColumnKey | 1<<schema.ColumnNameAddr,
}

// fill sets in an event the next value of each of its columns.
func (b *slowBatch) fill(e *schema.Event, used map[schema.Column]int) {
	for c := range schema.Column(32) {
		if e.Columns.Has(c) {
			b.set(e, c, used[c])
			used[c]++
		}
	}
}

// slowBatch is a batch with its deltas added up.
type slowBatch struct {
	*schema.EventBatch
	sum                       map[string]uint64
	keyParent, address, inode []uint64
	keyName, dentryKey        []uint64
	key, dentry, hash         []uint32
}

// rows decodes the codes of rows.
func rows(codes []uint32) []uint32 {
	after := map[uint32]uint32{}
	var last, next uint32
	var out []uint32
	for _, c := range codes {
		row := c - 2
		switch c {
		case 0:
			row = after[last]
		case 1:
			row = next
		}
		after[last], last, next = row, row, max(next, row+1)
		out = append(out, row)
	}
	return out
}

func (b *slowBatch) hashes() []uint32 {
	if b.NameHash == schema.NameHash_NAME_HASH_UNSPECIFIED {
		return b.KeyHash
	}
	out := make([]uint32, len(b.keyParent))
	for i, parent := range b.keyParent {
		if name := string(b.String_[b.keyName[i]]); parent != 0 && len(name) <= 255 {
			out[i] = schema.HashName(parent, name)
		}
	}
	row, own := uint32(0), b.KeyHash
	for _, code := range b.KeyOwnHash {
		row += code / 2
		if code%2 == 1 {
			out[row] = out[row-1]
		} else {
			out[row], own = own[0], own[1:]
		}
		row++
	}
	return out
}

func (b *slowBatch) delta(name string, d int64) uint64 {
	b.sum[name] += uint64(d)
	return b.sum[name]
}

func (b *slowBatch) setKey(e *schema.Event, i uint32) {
	e.Parent, e.Name = b.keyParent[i], string(b.String_[b.keyName[i]])
	e.NameLen, e.Hash, e.Facts = b.KeyLength[i], b.hash[i], e.Facts|schema.Fact(b.KeyFacts[i])
}

// set sets in an event the n-th value of a column.
func (b *slowBatch) set(e *schema.Event, c schema.Column, n int) {
	switch c {
	case schema.ColumnKey:
		b.setKey(e, b.key[n])
	case schema.ColumnNameAddr:
		e.NameAddr = b.delta("name", b.NameAddressDelta[n])
	case schema.ColumnDentry:
		if b.dentry[n] > 0 {
			d := b.dentry[n] - 1
			e.Dentry, e.Inode, e.Facts = b.address[d], b.inode[d], schema.Fact(b.DentryFacts[d])
			e.NameAddr = e.Dentry + uint64(b.DentryNameOffset[d])
			b.setKey(e, uint32(b.dentryKey[d]))
		}
	case schema.ColumnRet:
		e.Ret = b.delta("ret", b.RetDelta[n])
	case schema.ColumnOpen:
		e.Flags, e.Mode = b.OpenFlags[n], b.OpenMode[n]
	case schema.ColumnFilesystem:
		if f := b.Filesystem[n]; f > 0 {
			e.FSType, e.Dev = string(b.String_[b.FilesystemType[f-1]]), b.FilesystemDev[f-1]
		}
	case schema.ColumnBucket:
		e.Bucket = b.delta("bucket", b.BucketOffsetDelta[n])
		if b.DentryHashtable != 0 {
			e.Bucket += b.DentryHashtable + 8*uint64(e.Hash>>b.DHashShift)
		}
	case schema.ColumnTarget:
		e.Target = b.delta("target", b.TargetDelta[n])
	case schema.ColumnChild:
		e.Child = b.Child[n]
	case schema.ColumnStart:
		e.Start, e.DirFD = b.delta("start", b.StartDelta[n]), int32(b.StartDirfd[n])
	case schema.ColumnHow:
		e.How = b.How[n]
	case schema.ColumnIno:
		e.Ino = b.Ino[n]
	case schema.ColumnCgroup:
		e.Cgroup = string(b.String_[b.Cgroup[n]])
	case schema.ColumnSymbol:
		e.Symbol = string(b.String_[b.Symbol[n]])
	case schema.ColumnTook:
		if took := b.TookNs[n]; took > 0 {
			e.Entered = e.Time - (took - 1)
		}
	}
}

func prefix(deltas []int64) []uint64 {
	out := make([]uint64, len(deltas))
	var v uint64
	for i, d := range deltas {
		v += uint64(d)
		out[i] = v
	}
	return out
}

// steps decodes addresses from steps.
func steps(codes []uint64) []uint64 {
	out := make([]uint64, len(codes))
	var last uint64
	for i, c := range codes {
		if c == 0 {
			continue
		}
		if out[i] = last + uint64(protowire.DecodeZigZag(c-1)); out[i] == 0 {
			out[i] = last + 1<<63
		}
		last = out[i]
	}
	return out
}
