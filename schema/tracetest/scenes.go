// SPDX-License-Identifier: Apache-2.0

package tracetest

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
)

// open emits the entry of an open of a path. set adds what few opens have.
func (k *Kernel) open(components []string, set func(*schema.Event)) {
	path := "/" + strings.Join(components, "/")
	k.emit(schema.RoleOpen, schema.Enter, func(e *schema.Event) {
		e.Name, e.NameLen, e.NameAddr = path, uint32(len(path)), k.buffer()
		set(e)
	})
}

// opened emits the exit of an open that found a dentry.
func (k *Kernel) opened(d *dentry) {
	k.emit(schema.RoleOpen, schema.Exit, func(e *schema.Event) {
		if d.inode == 0 {
			e.Ret = ^uint64(1) // -ENOENT
			return
		}
		k.setDentry(d, e)
		e.Ret, e.FSType, e.Dev = k.m.at(fileBase)+uint64(k.ev.PID)*512, fsType, fsDev
	})
}

// Open opens the file at the path of the components. All but the last are directories.
func (k *Kernel) Open(exists bool, components ...string) {
	k.open(components, func(e *schema.Event) {
		e.Flags, e.Start, e.DirFD = 0x8000, k.root.addr, schema.ATFDCWD
	})
	last := len(components) - 1
	parent, at := k.walk(components[:last])
	k.opened(k.lookUp(parent, components[last], at, exists))
}

// Create opens a path with O_CREAT and makes the file, as the kernel does it in ref-walk: with one d_lookup
// for the last component.
func (k *Kernel) Create(components ...string) {
	k.open(components, func(e *schema.Event) { e.Flags, e.Mode = 0x8241, 0o100644 })
	d := k.walkToParent(components, false)
	if d.inode == 0 {
		d.inode = k.inode()
		k.show(schema.RoleInstantiate, schema.Exit, d)
	}
	k.opened(d)
}

// Remove is unlink(2) of a file that exists, from its walk on, with vfs_unlink around d_delete.
func (k *Kernel) Remove(components ...string) {
	d := k.walkToParent(components, true)
	k.show(schema.RoleUnlink, schema.Enter, d)
	k.delete(d)
	k.emit(schema.RoleUnlink, schema.Exit, func(*schema.Event) {})
}

// Unlink looks up a cached file with d_lookup, as unlink(2) does, and deletes it. The dentry stays, negative.
func (k *Kernel) Unlink(components ...string) {
	d := k.cached(components)
	k.lookup(schema.RoleLookup, d.parent, d.name, k.buffer()+1, d)
	k.delete(d)
}

// delete is the d_delete of a dentry that nobody else holds: it stays, negative.
func (k *Kernel) delete(d *dentry) {
	k.show(schema.RoleDelete, schema.Enter, d)
	d.inode = 0
	k.show(schema.RoleDelete, schema.Exit, d)
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
	if i := slices.Index(k.live, k.cached(components)); i >= 0 {
		k.Kill(i)
	}
}

// cached returns the dentry of a path; nil: it is not in the cache.
func (k *Kernel) cached(components []string) *dentry {
	d := k.root
	for _, name := range components {
		if d = k.cache[key{d, name}]; d == nil {
			return nil
		}
	}
	return d
}
