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
		needs:    replay.RolesOf(schema.RoleDelete, schema.RoleDrop, schema.RoleMove), // after which it is no name
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

var NameUnseen = &Reason{Unproven, "nothing shows both names in the hash table", false}

// links are the dentries seen with each inode, by its address, and the one that the claim at
// hand is about.
type links struct {
	seen  map[uint64]inodeUse
	other inodeUse
}

// inodeUse is a dentry seen with an inode at the exit of an open.
type inodeUse struct {
	obj   *replay.Object
	seq   uint64 // of obj: it has been freed where that has another
	event uint64
	comm  string
}

// maxInodes bounds the inodes remembered.
const maxInodes = 1 << 16

// open: another dentry, opened before, still has the inode of the one that this open
// returned, and both are names: in the hash table, where no disconnected alias, no file
// without a name and no name that another was renamed over is. While the other is alive and
// not deleted it holds the inode, whose address cannot have been handed out again.
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

// nameless reports whether the events show a dentry to be nobody's name: it is not in a
// directory, or out of the hash table.
func nameless(d *replay.Object) bool { return d.Parent == d.Addr || out(d) != 0 }

// forget forgets a dentry that was killed.
func (l *links) forget(_ *view, d *replay.Object) {
	if s, ok := l.seen[d.Inode]; ok && s.obj == d {
		delete(l.seen, d.Inode)
	}
}
