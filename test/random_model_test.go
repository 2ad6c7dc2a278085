// SPDX-License-Identifier: Apache-2.0

package test

import (
	"strings"
)

// The random test's model of a filesystem. It is built from the results that the programs got from
// their operations, and from nothing that was recorded.

// node is a file, a directory or a symbolic link.
type node struct {
	names  map[string]*slot // of a directory; otherwise nil
	up     *node            // parent of a directory
	target string           // of a symbolic link; otherwise empty
	ino    uint64           // 0: never opened
	links  int              // number of its names
	what   string           // for messages: its first path
}

func (n *node) dir() bool  { return n.names != nil }
func (n *node) link() bool { return n.target != "" }

// slot is a name in a directory, whether it exists or is missing. Its token moves with the dentry in a
// rename: two names with different tokens never have the same dentry.
type slot struct {
	node  *node // nil: missing
	token int
}

// mount makes a directory, and what is below it, visible in another place.
type mount struct {
	root *node
	on   spot // mount point; zero: none
}

// spot is where a path leads: a node, seen through a mount.
type spot struct {
	mount *mount
	node  *node // nil: nowhere
}

// who identifies a working directory and a root: the threads of a worker share one, except for the
// jailed thread.
type who struct {
	worker int
	jailed bool
}

const jailed = 3

// world holds all files, and where each worker is.
type world struct {
	root   spot
	mounts map[spot]*mount // by mount point
	tokens int
	cwd    map[who]spot
	roots  map[who]spot
	held   map[[2]int]spot
	tmp    map[int]*node // by worker: the last file that it made without a name
}

func newWorld() *world {
	w := &world{mounts: make(map[spot]*mount), cwd: make(map[who]spot), roots: make(map[who]spot),
		held: make(map[[2]int]spot), tmp: make(map[int]*node)}
	root, tmp := w.directory(nil, "/"), w.directory(nil, "/tmp")
	root.up, tmp.up = root, tmp
	w.root = spot{&mount{root: root}, root}
	s := w.slot(root, "tmp")
	s.node = w.directory(root, "tmp under the mount")
	w.mount(tmp, spot{w.root.mount, s.node})
	return w
}

func (w *world) mount(what *node, on spot) { w.mounts[on] = &mount{what, on} }

func (w *world) directory(up *node, what string) *node {
	return &node{names: make(map[string]*slot), up: up, what: what}
}

// slot returns the slot of a name in a directory, which it adds if necessary.
func (w *world) slot(dir *node, name string) *slot {
	s := dir.names[name]
	if s == nil {
		w.tokens++
		s = &slot{token: w.tokens}
		dir.names[name] = s
	}
	return s
}

// through returns the root of what is mounted on a spot, or the spot itself if nothing is.
func (w *world) through(s spot) spot {
	for m := w.mounts[s]; m != nil; m = w.mounts[s] {
		s = spot{m, m.root}
	}
	return s
}

// above returns where ".." leads; nowhere if the directory was moved out of what is mounted.
func (w *world) above(s, root spot) spot {
	from := s
	for s != root && s.node == s.mount.root && s.mount.on.node != nil {
		s = s.mount.on
	}
	if s == root || s.node == s.mount.root {
		return w.through(from)
	}
	s.node = s.node.up
	for n := s.node; n != s.mount.root; n = n.up {
		if n == n.up {
			return spot{}
		}
	}
	return w.through(s)
}

// step is one component of a path, with what was there at the time.
type step struct {
	dir     *node
	name    string
	node    *node // nil: missing
	token   int
	offset  int  // in the path, bytes; -1: in the target of a symbolic link
	up      bool // ".." comes before it
	mounted bool // something is mounted there
}

// trail is the way that a path takes.
type trail struct {
	steps  []step
	end    spot   // where it leads
	linked bool   // a symbolic link was followed
	up     bool   // ".." comes after the last component
	rest   string // what of the path comes after the last step
	errno  int    // ENOENT, ENOTDIR or ELOOP
	links  int
	root   spot
}

const (
	enoent  = 2
	enotdir = 20
	eloop   = 40
)

// last returns the last component, or nil if there is none.
func (t *trail) last() *step {
	if len(t.steps) == 0 {
		return nil
	}
	return &t.steps[len(t.steps)-1]
}

// walk follows a path from a directory on. Follow says whether to follow a symbolic link at its end.
func (w *world) walk(from, root spot, path string, follow bool) *trail {
	t := &trail{root: root}
	t.end = w.follow(t, from, path, follow, true)
	return t
}

func (w *world) follow(t *trail, at spot, path string, follow, top bool) spot {
	if strings.HasPrefix(path, "/") {
		at = t.root
	}
	for from := 0; from < len(path); {
		name, _, _ := strings.Cut(path[from:], "/")
		offset := from
		from += len(name) + 1
		final := strings.Trim(path[min(from, len(path)):], "/") == ""
		switch {
		case name == "" || name == ".":
			continue
		case !at.node.dir():
			return t.fail(enotdir)
		case name == "..":
			t.up = t.up || top
			if at = w.above(at, t.root); at.node == nil {
				return t.fail(enoent)
			}
			continue
		}
		up := t.up && top
		if top {
			t.up, t.rest = false, strings.Trim(path[min(from, len(path)):], "/")
		} else {
			offset = -1
		}
		s := w.slot(at.node, name)
		next := w.through(spot{at.mount, s.node})
		t.steps = append(t.steps, step{at.node, name, s.node, s.token, offset, up, next.node != s.node})
		if next.node == nil {
			return t.fail(enoent)
		}
		if next.node.link() && (!final || follow) {
			if next = w.body(t, at, next.node.target); next.node == nil {
				return spot{}
			}
		}
		at = next
	}
	return at
}

func (t *trail) fail(errno int) spot {
	t.errno = errno
	return spot{}
}

// body follows the target of a symbolic link.
func (w *world) body(t *trail, at spot, target string) spot {
	t.linked = true
	if t.links++; t.links > 40 {
		return t.fail(eloop)
	}
	return w.follow(t, at, target, true, false)
}

// move is a dentry that a rename gave another name.
type move struct {
	token    int
	from, to step
}

// truth is what one operation did.
type truth struct {
	op      *operation
	trail   *trail // of Path; nil if it is not a path
	second  *trail // of Path2
	node    *node  // open: what was opened
	links   int    // number of names that it had then
	home    *step  // name of a directory; nil: it has none
	created bool   // by this open
	moves   []move
	loose   bool // others were working in the same directory: the order is not known
}
