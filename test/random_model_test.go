// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"strings"
)

// The random test's model of a file system: what the programs were told happened to
// names, and nothing of what the kernel recorded.

// node is a file, a directory or a symbolic link.
type node struct {
	names  map[string]*slot // of a directory; else nil
	up     *node            // of a directory
	target string           // of a symbolic link; else empty
	ino    uint64           // 0: never opened
	links  int              // names it has
	what   string           // for messages: the first path it had
}

func (n *node) dir() bool  { return n.names != nil }
func (n *node) link() bool { return n.target != "" }

// slot is a name in a directory, in use or missing. Its token goes where a rename takes
// the dentry: two names with different tokens never have one dentry.
type slot struct {
	node  *node // nil: missing
	token int
}

// mount shows a directory, and what is below it, in another place.
type mount struct {
	root *node
	on   spot // where it is mounted; zero: nowhere
}

// spot is where a path leads to: a node, seen through a mount.
type spot struct {
	mount *mount
	node  *node // nil: nowhere
}

// who has a working directory and a root: the threads of a worker together, but for the one
// that is jailed.
type who struct {
	worker int
	jailed bool
}

const jailed = 3

// world is all files, and where each worker is.
type world struct {
	root   spot
	mounts map[spot]*mount // by where they are mounted
	tokens int
	cwd    map[who]spot
	roots  map[who]spot
	held   map[[2]int]spot
	tmp    map[int]*node // by worker: its last file made without a name
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

// slot returns the name's place in the directory.
func (w *world) slot(dir *node, name string) *slot {
	s := dir.names[name]
	if s == nil {
		w.tokens++
		s = &slot{token: w.tokens}
		dir.names[name] = s
	}
	return s
}

// through goes to the root of what is mounted on a spot, if anything is.
func (w *world) through(s spot) spot {
	for m := w.mounts[s]; m != nil; m = w.mounts[s] {
		s = spot{m, m.root}
	}
	return s
}

// above is where .. leads to; nowhere, if the directory was moved out of what is mounted.
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

// step is one component on the way, with what stood there then.
type step struct {
	dir     *node
	name    string
	node    *node // nil: missing
	token   int
	offset  int  // in the path; -1: in that of a symbolic link
	up      bool // .. stands before it
	mounted bool // something is mounted there
}

// trail is the way of a path through the names.
type trail struct {
	steps  []step
	end    spot   // what it leads to
	linked bool   // a symbolic link was followed
	up     bool   // the path has .. after the last component
	rest   string // what of it comes after the last step
	errno  int    // ENOENT, ENOTDIR or ELOOP
	links  int
	root   spot
}

const (
	enoent  = 2
	enotdir = 20
	eloop   = 40
)

// last is the last component; nil where there is none.
func (t *trail) last() *step {
	if len(t.steps) == 0 {
		return nil
	}
	return &t.steps[len(t.steps)-1]
}

// walk goes where the path leads from a directory on.
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

// body follows what stands in a symbolic link.
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
	trail   *trail // of Path; nil where it is none
	second  *trail // of Path2
	node    *node  // open: what was opened
	links   int    // names that it had then
	home    *step  // of a directory: its name; nil: it has none
	created bool   // by this open
	moves   []move
	loose   bool // others were at work in the directory: the order is not known
}

// apply does to the world what the operation was told it did. The error says that it
// cannot have been so: then the model is wrong, or the kernel.
func (w *world) apply(o *operation) (*truth, error) {
	t := &truth{op: o, loose: o.Mark}
	me := who{o.Worker, o.Thread == jailed}
	at, root := w.cwd[me], w.roots[me]
	if o.At > 0 {
		at = w.held[[2]int{o.Worker, o.At}]
	}
	if root.node == nil {
		root = w.root
	}
	if at.node == nil {
		at = w.root
	}
	switch o.Call {
	case "drop":
		return t, nil
	case "chroot":
		w.roots[me], w.cwd[me] = w.root, w.root
		t.trail = w.walk(w.root, w.root, o.Path, true)
	case "open", "hold", "chdir", "tmpfile", "unbind":
		t.trail = w.walk(at, root, o.Path, o.Call != "open" || o.Flags&(oNoFollow|oExcl) == 0)
	case "bind":
		t.trail, t.second = w.walk(at, root, o.Path, true), w.walk(at, root, o.Path2, true)
	case "symlink", "give":
		t.second = w.walk(at, root, o.Path2, false)
	case "rename", "exchange", "link":
		t.trail, t.second = w.walk(at, root, o.Path, false), w.walk(at, root, o.Path2, false)
	default:
		t.trail = w.walk(at, root, o.Path, false)
	}
	if t.loose {
		return t, nil
	}
	return t, w.done(t, o, me)
}

const (
	oCreat    = 0o100
	oExcl     = 0o200
	oNoFollow = 0o400000
)

func (w *world) done(t *truth, o *operation, me who) error {
	if o.Call == "open" || o.Call == "hold" || o.Call == "tmpfile" {
		if err := w.open(t, o); err != nil || o.Errno != 0 {
			return err
		}
	}
	if o.Errno != 0 {
		return nil
	}
	switch o.Call {
	case "chdir":
		w.cwd[me] = t.trail.end
	case "chroot":
		w.roots[me], w.cwd[me] = t.trail.end, t.trail.end
	case "hold":
		w.held[[2]int{o.Worker, o.Flags}] = t.trail.end
	case "mkdir":
		return w.make(t.trail, func(s *step) *node { return w.directory(s.dir, o.Path) })
	case "symlink":
		return w.make(t.second, func(*step) *node { return &node{target: o.Path, what: o.Path2} })
	case "link":
		return w.make(t.second, func(*step) *node { return t.trail.end.node })
	case "give":
		return w.make(t.second, func(*step) *node { return w.tmp[o.Worker] })
	case "bind":
		return w.bind(t.trail.end, t.second.end)
	case "unbind":
		return w.unbind(t.trail.end)
	case "unlink", "rmdir":
		return w.remove(t.trail, o.Call == "rmdir")
	case "rename", "exchange":
		return w.rename(t, o.Call == "exchange")
	}
	return nil
}

func (w *world) bind(what, on spot) error {
	if what.node == nil || on.node == nil {
		return fmt.Errorf("mounted, and in the model one of the two is not there")
	}
	w.mount(what.node, on)
	return nil
}

func (w *world) unbind(at spot) error {
	if at.node == nil || at.node != at.mount.root || w.mounts[at.mount.on] != at.mount {
		return fmt.Errorf("unmounted, and in the model nothing is mounted there")
	}
	delete(w.mounts, at.mount.on)
	return nil
}

func (w *world) open(t *truth, o *operation) error {
	if (t.trail.errno == enoent) != (o.Errno == enoent) && !(o.Flags&oCreat != 0 && o.Errno == 0) {
		return fmt.Errorf("errno %d, in the model %d", o.Errno, t.trail.errno)
	}
	if o.Errno != 0 {
		return nil
	}
	switch t.node = t.trail.end.node; {
	case o.Call == "tmpfile":
		t.node, t.created = &node{what: "without a name in " + o.Path}, true
		w.tmp[o.Worker] = t.node
	case t.node == nil:
		t.created = true
		if err := w.make(t.trail, func(*step) *node { return &node{what: o.Path} }); err != nil {
			return err
		}
		last := t.trail.last()
		t.node = w.slot(last.dir, last.name).node
	}
	if t.node.ino != 0 && t.node.ino != o.Ino {
		return fmt.Errorf("inode %d, in the model %s has %d", o.Ino, t.node.what, t.node.ino)
	}
	t.node.ino, t.links, t.home = o.Ino, t.node.links, t.node.home()
	return nil
}

// home is the name of a directory, whatever mount it is seen through.
func (n *node) home() *step {
	if n.dir() && n.up != n {
		for name, s := range n.up.names {
			if s.node == n {
				return &step{dir: n.up, name: name, node: n, token: s.token}
			}
		}
	}
	return nil
}

// make puts something where the trail found nothing.
func (w *world) make(t *trail, what func(*step) *node) error {
	s := t.last()
	if s == nil || t.errno != enoent || s.node != nil {
		return fmt.Errorf("made, and in the model it was there already (errno %d)", t.errno)
	}
	n := what(s)
	if n == nil {
		return fmt.Errorf("made from nothing")
	}
	w.slot(s.dir, s.name).node = n
	n.links++
	return nil
}

func (w *world) remove(t *trail, directory bool) error {
	s := t.last()
	if s == nil || s.node == nil || s.node.dir() != directory {
		return fmt.Errorf("removed, and in the model it is not there (errno %d)", t.errno)
	}
	w.slot(s.dir, s.name).node = nil
	s.node.links--
	return nil
}

func (w *world) rename(t *truth, exchange bool) error {
	from, to := t.trail.last(), t.second.last()
	if from == nil || to == nil || from.node == nil || (t.second.errno != 0) != (to.node == nil) {
		return fmt.Errorf("renamed, and in the model it is not there (errno %d)", t.trail.errno)
	}
	if from.node == to.node {
		return nil // two names of one file: nothing happens
	}
	a, b := w.slot(from.dir, from.name), w.slot(to.dir, to.name)
	t.moves = append(t.moves, move{a.token, *from, *to})
	if exchange {
		t.moves = append(t.moves, move{b.token, *to, *from}) // also the target of the first
		*a, *b = *b, *a
	} else {
		w.tokens++
		if b.node != nil {
			b.node.links--
		}
		*a, *b = slot{token: w.tokens}, *a
	}
	for s, dir := range map[*slot]*node{a: from.dir, b: to.dir} {
		if s.node != nil && s.node.dir() {
			s.node.up = dir
		}
	}
	return nil
}
