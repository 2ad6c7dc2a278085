// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// Unlink looks up a file with d_lookup, as unlink(2) does, and deletes it. The dentry stays, negative.
func (k *Kernel) Unlink(components ...string) {
	d := k.root
	for _, c := range components[:len(components)-1] {
		d = k.cache[key{d, c}]
	}
	name := components[len(components)-1]
	found := k.cache[key{d, name}]
	k.lookup(schema.RoleLookup, d, name, k.buffer()+1, found)
	k.emit(schema.RoleDelete, schema.Enter, func(e *schema.Event) { k.setDentry(found, e) })
	k.endDelete(found)
}

// endDelete ends a d_delete: the dentry stays, negative.
func (k *Kernel) endDelete(d *dentry) {
	d.inode = 0
	k.emit(schema.RoleDelete, schema.Exit, func(e *schema.Event) { k.setDentry(d, e) })
}

// DropCaches kills every dentry that is not a directory, inside drop_slab.
func (k *Kernel) DropCaches() {
	k.emit(schema.RoleEvict, schema.Enter, func(*schema.Event) {})
	for len(k.live) > 0 {
		if k.m.OldestFirst {
			k.Kill(0)
		} else {
			k.Kill(len(k.live) - 1)
		}
	}
	k.emit(schema.RoleEvict, schema.Exit, func(*schema.Event) {})
}

// Forget makes the slab never hand out again the dentries freed so far.
func (k *Kernel) Forget() { k.free = nil }

// Now returns the time of the last event, nanoseconds since boot.
func (k *Kernel) Now() uint64 { return k.now }

// Create opens a path with O_CREAT and makes the file, as the kernel does it in ref-walk: with one d_lookup
// for the last component.
func (k *Kernel) Create(components ...string) {
	path := "/" + strings.Join(components, "/")
	k.emit(schema.RoleOpen, schema.Enter, func(e *schema.Event) {
		e.Name, e.NameLen, e.NameAddr, e.Flags, e.Mode = path, uint32(len(path)), k.buffer(), 0x8241, 0o100644
	})
	d, at := k.root, k.buffer()+1
	last := len(components) - 1
	for _, c := range components[:last] {
		d = k.lookUp(d, c, at, true)
		at += uint64(len(c)) + 1
	}
	name := components[last]
	found := k.cache[key{d, name}]
	k.lookup(schema.RoleLookup, d, name, at, found)
	if found == nil {
		found = k.alloc(d, name, at, false)
	}
	if found.inode == 0 {
		found.inode = k.inode()
		k.emit(schema.RoleInstantiate, schema.Exit, func(e *schema.Event) { k.setDentry(found, e) })
	}
	k.emit(schema.RoleOpen, schema.Exit, func(e *schema.Event) {
		k.setDentry(found, e)
		e.Ret, e.FSType, e.Dev = k.m.at(fileBase)+uint64(k.ev.PID)*512, fsType, fsDev
	})
}

// Remove is unlink(2) of a file that exists, from its walk on, with vfs_unlink around d_delete.
func (k *Kernel) Remove(components ...string) {
	d, at := k.root, k.buffer()+1
	last := len(components) - 1
	for _, c := range components[:last] {
		d = k.lookUp(d, c, at, true)
		at += uint64(len(c)) + 1
	}
	name := components[last]
	found := k.cache[key{d, name}]
	k.lookup(schema.RoleLookup, d, name, at, found)
	if found == nil {
		found = k.alloc(d, name, at, true)
	}
	k.emit(schema.RoleUnlink, schema.Enter, func(e *schema.Event) { k.setDentry(found, e) })
	k.emit(schema.RoleDelete, schema.Enter, func(e *schema.Event) { k.setDentry(found, e) })
	k.endDelete(found)
	k.emit(schema.RoleUnlink, schema.Exit, func(*schema.Event) {})
}

// Disturb makes the next walk of a cached component fail in rcu-walk and continue with d_lookup.
func (k *Kernel) Disturb() { k.disturbed = true }

// Unrecorded calls do without recording its events.
func (k *Kernel) Unrecorded(do func()) {
	emit := k.Emit
	k.Emit = nil
	do()
	k.Emit = emit
}

// Thread makes thread n of the task do what follows.
func (k *Kernel) Thread(n uint32) { k.ev.TID = k.ev.PID + n }

// Exec emits that the task has begun to run the program at the path.
func (k *Kernel) Exec(components ...string) {
	k.emit(schema.RoleExec, schema.Enter, func(e *schema.Event) {
		e.Name = "/" + strings.Join(components, "/")
		e.NameLen = uint32(len(e.Name))
	})
}

// Fork emits that the task has begun another process.
func (k *Kernel) Fork(child uint32) {
	k.emit(schema.RoleFork, schema.Enter, func(e *schema.Event) { e.Child = child })
}

// Exit emits that the task ended, with a wait status.
func (k *Kernel) Exit(status uint64) {
	k.emit(schema.RoleExit, schema.Enter, func(e *schema.Event) { e.Ret = status })
}

// Reclaim kills the dentry of a path, if it is cached, in whatever task is running.
func (k *Kernel) Reclaim(components ...string) {
	d := k.root
	for _, c := range components {
		if d = k.cache[key{d, c}]; d == nil {
			return
		}
	}
	for i, l := range k.live {
		if l == d {
			k.Kill(i)
			return
		}
	}
}
