// SPDX-License-Identifier: Apache-2.0

package main

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

// world is all files, and where each worker is.
type world struct {
	root   *node
	tokens int
	cwd    map[int]*node
	held   map[[2]int]*node
}

func newWorld() *world {
	w := &world{cwd: make(map[int]*node), held: make(map[[2]int]*node)}
	w.root = w.directory(nil, "/")
	w.root.up = w.root
	w.slot(w.root, "tmp").node = w.directory(w.root, "/tmp")
	return w
}

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

// step is one component on the way, with what stood there then.
type step struct {
	dir    *node
	name   string
	node   *node // nil: missing
	token  int
	offset int  // in the path; -1: in that of a symbolic link
	up     bool // .. stands before it
}

// trail is the way of a path through the names.
type trail struct {
	steps  []step
	end    *node  // what it leads to; nil: nothing
	linked bool   // a symbolic link was followed
	up     bool   // the path has .. after the last component
	rest   string // what of it comes after the last step
	errno  int    // ENOENT, ENOTDIR or ELOOP
	links  int
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
func (w *world) walk(from *node, path string, follow bool) *trail {
	t := &trail{}
	t.end = w.follow(t, from, path, follow, true)
	return t
}

func (w *world) follow(t *trail, at *node, path string, follow, top bool) *node {
	if strings.HasPrefix(path, "/") {
		at = w.root
	}
	for from := 0; from < len(path); {
		name, _, _ := strings.Cut(path[from:], "/")
		offset := from
		from += len(name) + 1
		final := strings.Trim(path[min(from, len(path)):], "/") == ""
		switch {
		case name == "" || name == ".":
			continue
		case !at.dir():
			t.errno = enotdir
			return nil
		case name == "..":
			at, t.up = at.up, t.up || top
			continue
		}
		up := t.up && top
		if top {
			t.up, t.rest = false, strings.Trim(path[min(from, len(path)):], "/")
		} else {
			offset = -1
		}
		s := w.slot(at, name)
		t.steps = append(t.steps, step{at, name, s.node, s.token, offset, up})
		next := s.node
		if next == nil {
			t.errno = enoent
			return nil
		}
		if next.link() && (!final || follow) {
			if next = w.through(t, at, next.target); next == nil {
				return nil
			}
		}
		at = next
	}
	return at
}

func (w *world) through(t *trail, at *node, target string) *node {
	t.linked = true
	if t.links++; t.links > 40 {
		t.errno = eloop
		return nil
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
	created bool   // by this open
	moves   []move
	loose   bool // others were at work in the directory: the order is not known
}

// apply does to the world what the operation was told it did. The error says that it
// cannot have been so: then the model is wrong, or the kernel.
func (w *world) apply(o *operation) (*truth, error) {
	t := &truth{op: o, loose: o.Mark}
	at := w.cwd[o.Worker]
	if o.At > 0 {
		at = w.held[[2]int{o.Worker, o.At}]
	}
	if at == nil {
		at = w.root
	}
	switch o.Call {
	case "drop":
		return t, nil
	case "open", "hold", "chdir":
		t.trail = w.walk(at, o.Path, o.Call != "open" || o.Flags&(oNoFollow|oExcl) == 0)
	case "symlink":
		t.second = w.walk(at, o.Path2, false)
	case "rename", "exchange", "link":
		t.trail, t.second = w.walk(at, o.Path, false), w.walk(at, o.Path2, false)
	default:
		t.trail = w.walk(at, o.Path, false)
	}
	if t.loose {
		return t, nil
	}
	return t, w.done(t, o)
}

const (
	oCreat    = 0o100
	oExcl     = 0o200
	oNoFollow = 0o400000
)

func (w *world) done(t *truth, o *operation) error {
	if o.Call == "open" || o.Call == "hold" {
		if err := w.open(t, o); err != nil || o.Errno != 0 {
			return err
		}
	}
	if o.Errno != 0 {
		return nil
	}
	switch o.Call {
	case "chdir":
		w.cwd[o.Worker] = t.trail.end
	case "hold":
		w.held[[2]int{o.Worker, o.Flags}] = t.trail.end
	case "mkdir":
		return w.make(t.trail, func(s *step) *node { return w.directory(s.dir, o.Path) })
	case "symlink":
		return w.make(t.second, func(*step) *node { return &node{target: o.Path, what: o.Path2} })
	case "link":
		return w.make(t.second, func(*step) *node { return t.trail.end })
	case "unlink", "rmdir":
		return w.remove(t.trail, o.Call == "rmdir")
	case "rename", "exchange":
		return w.rename(t, o.Call == "exchange")
	}
	return nil
}

func (w *world) open(t *truth, o *operation) error {
	if (t.trail.errno == enoent) != (o.Errno == enoent) && !(o.Flags&oCreat != 0 && o.Errno == 0) {
		return fmt.Errorf("errno %d, in the model %d", o.Errno, t.trail.errno)
	}
	if o.Errno != 0 {
		return nil
	}
	if t.node = t.trail.end; t.node == nil {
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
	t.node.ino = o.Ino
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
	return nil
}

func (w *world) remove(t *trail, directory bool) error {
	s := t.last()
	if s == nil || t.end == nil || t.end.dir() != directory {
		return fmt.Errorf("removed, and in the model it is not there (errno %d)", t.errno)
	}
	w.slot(s.dir, s.name).node = nil
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
		t.moves = append(t.moves, move{b.token, *to, *from})
		*a, *b = *b, *a
	} else {
		w.tokens++
		*a, *b = slot{token: w.tokens}, *a
	}
	for s, dir := range map[*slot]*node{a: from.dir, b: to.dir} {
		if s.node != nil && s.node.dir() {
			s.node.up = dir
		}
	}
	return nil
}
