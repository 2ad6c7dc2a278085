// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// keyValue is the key of an event. Its name may point into a buffer, and is copied where it is kept.
type keyValue struct {
	parent       uint64
	name         string
	length, hash uint32
	facts        Fact
}

func (b *batchWriter) putKey(k *keyValue) {
	b.columns[fieldKeyCode].uint(b.codes[rowKey].code(uint64(b.key(k, k.facts))))
}

func (b *batchWriter) putNameAddr(v uint64) {
	b.previous[rowNameAddr] = b.columns[fieldNameAddr].delta(v, b.previous[rowNameAddr])
}

// putDentry writes the row of a dentry plus 1; 0 for nil, which is NULL. Its key, and the facts, which those of the
// key include, are in k.
func (b *batchWriter) putDentry(d *dentryRow, k *keyValue) {
	row := uint64(0)
	if d != nil {
		row = uint64(b.dentry(d, k)) + 1
	}
	b.columns[fieldDentryCode].uint(b.codes[rowDentry].code(row))
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
	b.strings = protowire.AppendString(append(b.strings, stringTag), s)
	b.texts = append(b.texts, span{uint32(len(b.strings) - len(s)), uint32(len(b.strings))})
	*slot = uint32(len(b.texts))
	return *slot - 1
}

var textSeed = maphash.MakeSeed()

// kind returns the row of a kind. It first tries the last row of that role and phase, as most of these have
// the same columns.
func (b *batchWriter) kind(k *kindRow) uint32 {
	near := &b.kindOf[uint8(k.role<<2)|uint8(k.phase&3)]
	if n := int(*near); n < len(b.kinds) && b.kinds[n] == *k {
		return uint32(n)
	}
	i := slices.Index(b.kinds, *k)
	if i < 0 {
		i = len(b.kinds)
		b.kinds, b.kindEvents = append(b.kinds, *k), append(b.kindEvents, 0)
		b.columns[fieldKindRole].uint(uint64(k.role))
		b.columns[fieldKindPhase].uint(uint64(k.phase))
		b.columns[fieldKindColumns].uint(uint64(k.columns))
	}
	*near = uint8(i)
	return uint32(i)
}

func (b *batchWriter) task(pid, tid uint32, comm string) uint32 {
	if int(b.lastTask) < len(b.tasks) && b.isTask(b.lastTask, pid, tid, comm) {
		return b.lastTask
	}
	hash := (uint64(tid) | uint64(pid)<<32) * oddBits
	slot := b.taskSlots.at(hash)
	for *slot != 0 && !b.isTask(*slot-1, pid, tid, comm) {
		hash += nextSlot
		slot = b.taskSlots.at(hash)
	}
	if *slot == 0 {
		b.tasks = append(b.tasks, taskRow{pid, tid, comm})
		b.filterHashes = append(b.filterHashes, commHash(comm), pidHash(pid))
		*slot = uint32(len(b.tasks))
		b.columns[fieldTaskPID].uint(uint64(pid))
		b.columns[fieldTaskTID].uint(uint64(tid))
		b.columns[fieldTaskComm].uint(uint64(b.string(comm)))
	}
	b.lastTask = *slot - 1
	return b.lastTask
}

func (b *batchWriter) isTask(i uint32, pid, tid uint32, comm string) bool {
	t := &b.tasks[i]
	return t.tid == tid && t.pid == pid && t.comm == comm
}

// isKey reports whether row i is the key. The kernel's hash rules out nearly all others before the names
// are compared.
func (b *batchWriter) isKey(i uint32, k *keyValue, facts Fact) bool {
	r := &b.keys[i]
	return r.hash == k.hash && r.parent == k.parent && r.length == k.length && r.facts == facts && string(b.strings[r.name.from:r.name.to]) == k.name
}

func (b *batchWriter) key(k *keyValue, facts Fact) uint32 {
	if int(b.lastKey) < len(b.keys) && b.isKey(b.lastKey, k, facts) {
		return b.lastKey
	}
	hash := (k.parent + uint64(k.hash)) * oddBits
	if k.hash == 0 { // a path
		hash = maphash.String(textSeed, k.name)
	}
	slot := b.keySlots.at(hash)
	for *slot != 0 && !b.isKey(*slot-1, k, facts) {
		hash += nextSlot
		slot = b.keySlots.at(hash)
	}
	if *slot == 0 {
		name := b.string(k.name)
		r := keyText{parent: k.parent, name: b.texts[name], length: k.length, hash: k.hash, facts: facts}
		b.keys = append(b.keys, r)
		if r.parent == 0 && r.hash == 0 {
			b.filterHashes = append(b.filterHashes, pathHash(k.name))
		}
		*slot = uint32(len(b.keys))
		b.parent = b.columns[fieldKeyParentStep].step(r.parent, b.parent)
		b.name = b.columns[fieldKeyNameDelta].delta(uint64(name), b.name)
		b.columns[fieldKeyLength].uint(uint64(r.length))
		b.keyHash(&r, k.name)
		b.columns[fieldKeyFacts].uint(uint64(r.facts))
	}
	b.lastKey = *slot - 1
	return b.lastKey
}

// keyHash writes the hash of the key added last, unless it follows from parent and name.
func (b *batchWriter) keyHash(k *keyText, name string) {
	if b.derived.nameHash != NameHash_NAME_HASH_UNSPECIFIED {
		if k.hash == b.derived.hash(k.parent, name) {
			return
		}
		row := uint64(len(b.keys) - 1)
		skipped := row - b.ownHash
		b.ownHash = row + 1
		if row > 0 && k.hash == b.keys[row-1].hash { // e.g. a dentry allocated for a name just looked up
			b.columns[fieldKeyOwnHash].uint(2*skipped + 1)
			return
		}
		b.columns[fieldKeyOwnHash].uint(2 * skipped)
	}
	b.hashes = binary.LittleEndian.AppendUint32(b.hashes, k.hash)
}

// isDentry reports whether row i is the dentry.
func (b *batchWriter) isDentry(i uint32, d *dentryRow, k *keyValue) bool {
	r := &b.dentries[i]
	return r.address == d.address && r.inode == d.inode && r.nameAddr == d.nameAddr && r.facts == k.facts&^keyFacts &&
		b.isKey(r.key, k, k.facts&keyFacts)
}

func (b *batchWriter) dentry(d *dentryRow, k *keyValue) uint32 {
	if int(b.lastDentry) < len(b.dentries) && b.isDentry(b.lastDentry, d, k) {
		return b.lastDentry
	}
	hash := (d.address + d.inode + uint64(k.hash)) * oddBits // one address can have many rows in a batch
	slot := b.dentrySlots.at(hash)
	for *slot != 0 && !b.isDentry(*slot-1, d, k) {
		hash += nextSlot
		slot = b.dentrySlots.at(hash)
	}
	if *slot == 0 {
		r := *d
		r.key, r.facts = b.key(k, k.facts&keyFacts), k.facts&^keyFacts
		b.dentries = append(b.dentries, r)
		*slot = uint32(len(b.dentries))
		b.address = b.columns[fieldDentryAddress].delta(r.address, b.address)
		b.dentryKey = b.columns[fieldDentryKeyDelta].delta(uint64(r.key), b.dentryKey)
		b.columns[fieldDentryNameOffset].uint(protowire.EncodeZigZag(int64(r.nameAddr - r.address)))
		b.inode = b.columns[fieldDentryInodeStep].step(r.inode, b.inode)
		b.columns[fieldDentryFacts].uint(uint64(r.facts))
	}
	b.lastDentry = *slot - 1
	return b.lastDentry
}

// filesystem returns the row of a filesystem plus 1; 0 for none.
func (b *batchWriter) filesystem(kind string, dev uint32) uint32 {
	if kind == "" && dev == 0 {
		return 0
	}
	for i := range b.filesystems {
		if f := &b.filesystems[i]; f.dev == dev && f.kind == kind {
			return uint32(i + 1)
		}
	}
	b.filesystems = append(b.filesystems, filesystemRow{kind, dev})
	b.columns[fieldFilesystemType].uint(uint64(b.string(kind)))
	b.columns[fieldFilesystemDev].uint(uint64(dev))
	return uint32(len(b.filesystems))
}
