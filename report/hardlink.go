// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// sight is a dentry seen with an inode at the exit of an open.
type sight struct {
	obj   *replay.Object
	event uint64
	comm  string
}

// maxInodes bounds the inodes remembered.
const maxInodes = 1 << 16

// hardLink: another dentry, opened before, still has the inode of the one that this open
// returned, and both are names: in the hash table, where no disconnected alias, no file
// without a name and no name that another was renamed over is. While the other is alive and
// not deleted it holds the inode, whose address cannot have been handed out again.
func (c *collector) hardLink(p *Program, it *Item, w *walk) {
	exit, d := w.exit(), w.steps[len(w.steps)-1].obj
	if d == nil || exit.Inode == 0 || exit.Facts&schema.FactInodeUnknown != 0 || nameless(d) {
		return
	}
	other, met := c.inodes[exit.Inode]
	if !met && len(c.inodes) >= maxInodes {
		clear(c.inodes)
	}
	c.inodes[exit.Inode] = sight{d, exit.ID, exit.Comm}
	o := other.obj
	if !met || o == d || o.Parent == d.Parent && o.Name == d.Name || o.Killed != 0 || o.Freed != 0 || o.Inode != exit.Inode ||
		o.Deleted > min(other.event, o.Positive) || nameless(o) {
		return
	}
	cl := c.begin(HardLink, w.enter().Name, min(w.enter().Time, o.FirstAt), exit.Time)
	cl.Object, cl.Other = ref(d), ref(o)
	cl.alive(o)
	cl.alive(d)
	cl.ended(o)
	cl.before(d, exit.ID)
	for _, name := range []*replay.Object{o, d} {
		if name.Inserted == 0 && name.Hit == 0 {
			cl.doubt(NameUnseen, "")
		}
	}
	label := c.label(schema.RoleOpen, schema.Exit)
	c.term(label, exit.Inode, other.event, other.comm)
	c.term(label, exit.Inode, exit.ID, exit.Comm)
	c.emit(p, it, cl)
}

// nameless reports whether the events show a dentry to be nobody's name: it is not in a
// directory, or out of the hash table.
func nameless(d *replay.Object) bool { return d.Parent == d.Addr || out(d) != 0 }

// forget forgets a dentry that was killed.
func (c *collector) forget(d *replay.Object) {
	if s, ok := c.inodes[d.Inode]; ok && s.obj == d {
		delete(c.inodes, d.Inode)
	}
}
