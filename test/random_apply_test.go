// SPDX-License-Identifier: Apache-2.0

package test

import "fmt"

// apply changes the world as the operation reports to have done. An error means that this cannot have
// happened: then the model is wrong, or the kernel.
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

// home returns the name of a directory, whichever mount it is seen through; nil if it has none.
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

// make creates a node where the trail found nothing.
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
		return nil // two names of one file: rename does nothing
	}
	a, b := w.slot(from.dir, from.name), w.slot(to.dir, to.name)
	t.moves = append(t.moves, move{a.token, *from, *to})
	if exchange {
		t.moves = append(t.moves, move{b.token, *to, *from}) // the second move is of the target of the first
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
