// SPDX-License-Identifier: Apache-2.0

package tracetest

import "github.com/dtrec/dtrec/schema"

// Unlink looks a file up under d_lookup, as unlink(2) does, and deletes it; the
// dentry stays, negative.
func (k *Kernel) Unlink(components ...string) {
	d := k.root
	for _, c := range components[:len(components)-1] {
		d = k.cache[key{d, c}]
	}
	name := components[len(components)-1]
	found := k.cache[key{d, name}]
	k.lookup(schema.RoleLookup, d, name, 0xffff888300000021, found)
	k.emit(schema.RoleDelete, schema.Enter, func(e *schema.Event) { found.fill(e) })
	found.inode = 0
}

// DropCaches kills every dentry that is no directory, inside drop_slab.
func (k *Kernel) DropCaches() {
	k.emit(schema.RoleEvict, schema.Enter, func(*schema.Event) {})
	for len(k.live) > 0 {
		k.Kill(len(k.live) - 1)
	}
	k.emit(schema.RoleEvict, schema.Exit, func(*schema.Event) {})
}

// Forget makes the slab never hand a freed dentry out again.
func (k *Kernel) Forget() { k.free = nil }

// Now returns the time of the last event, nanoseconds since boot.
func (k *Kernel) Now() uint64 { return k.now }
