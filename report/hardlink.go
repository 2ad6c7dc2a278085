// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

const HardLink Kind = 12

var _ = register(func() kind {
	l := links{seen: make(map[uint64]inodeUse)}
	return kind{
		number:   HardLink,
		name:     "hard link",
		says:     "two names in the hash table at once have one inode",
		open:     l.open,
		forget:   l.forget,
		enters:   replay.RolesOf(schema.RoleKill, schema.RoleFree),
		exits:    replay.RolesOf(schema.RoleKill, schema.RoleFree),
		dentries: true,
		event:    func(v *view) { l.forget(v, v.step.Object) },
		needs:    replay.RolesOf(schema.RoleDelete, schema.RoleDrop, schema.RoleMove), // it is no name afterwards
		shows: []operand{
			{show: func(v *view) {
				label := v.label(schema.RoleOpen, schema.Exit)
				v.term(label, v.exit.Inode, l.other.event, l.other.comm)
				v.term(label, v.exit.Inode, v.exit.ID, v.exit.Comm)
			}},
		},
		fails: []test{
			unfollowed(two),
			unfollowedLive(one),
			maybeKilled(two), afterItsEnd(one),
			when(NameUnseen, func(v *view) bool { return unseen(v.two) || unseen(v.one) }),
		},
		tell: func(cl *Claim, _ func(string) string) string {
			return fmt.Sprintf("%s and %s are two names of one inode: %s", cl.Other, cl.Object, equals(cl.Terms, false))
		},
	}
})

var NameUnseen = &Reason{Unproven, "no event shows both names in the hash table", false}

// links holds the dentry last seen with each inode, by the address of the inode, and the other dentry of
// the claim at hand.
type links struct {
	seen  map[uint64]inodeUse
	other inodeUse
}

// inodeUse is a dentry seen with an inode at the exit of an open.
type inodeUse struct {
	obj   *replay.Object
	seq   uint64 // of obj; if obj has another number, its dentry was freed
	event uint64
	comm  string
}

// maxInodes bounds the number of inodes that are remembered.
const maxInodes = 1 << 16

// open makes the claim if another dentry, opened before, still has the inode of the dentry that this open
// returned, and both are names. A name is in the hash table, which excludes disconnected aliases, files
// without a name, and names over which another one was renamed. While the other dentry is alive and not
// deleted it holds the inode, so the address of the inode cannot have been handed out again.
func (l *links) open(v *view) {
	exit, d := v.exit, v.w.end().obj
	if exit.Errno() != 0 || d == nil || exit.Inode == 0 || exit.Facts&schema.FactInodeUnknown != 0 || nameless(d) {
		return
	}
	other, met := l.seen[exit.Inode]
	if !met && len(l.seen) >= maxInodes {
		clear(l.seen)
	}
	l.seen[exit.Inode] = inodeUse{d, d.Seq, exit.ID, exit.Comm}
	o := other.obj
	if !met || o == d || o.Seq != other.seq || o.Parent == d.Parent && o.Name == d.Name || o.Killed != 0 || o.Freed != 0 || o.Inode != exit.Inode ||
		o.Deleted > min(other.event, o.Positive) || nameless(o) {
		return
	}
	v.one, v.two, l.other = d, o, other
	v.at = whole(min(v.enter.Time, o.FirstAt), exit.Time)
	v.judge()
}

// unseen reports whether no event shows the dentry in the hash table.
func unseen(d *replay.Object) bool { return d.Inserted == 0 && d.Hit == 0 }

// nameless reports whether the events show that a dentry is not a name: it is in no directory, or out of
// the hash table.
func nameless(d *replay.Object) bool { return d.Parent == d.Addr || d.UnhashedSince() != 0 }

// forget drops a dentry that was killed or forgotten.
func (l *links) forget(_ *view, d *replay.Object) {
	if s, ok := l.seen[d.Inode]; ok && s.obj == d {
		delete(l.seen, d.Inode)
	}
}
