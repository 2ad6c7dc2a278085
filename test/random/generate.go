// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// shared is the directory in which all workers work at once.
const shared = "/tmp/s"

// generator makes up operations below a directory. It knows roughly which directories exist. It is
// sometimes wrong, which makes errors worth recording.
type generator struct {
	rng    *rand.Rand
	base   string
	dirs   []string
	cwd    [workers + 1]string
	held   [workers + 1][4]string
	recent []request
	files  []string
	due    []request           // operations to be done next
	roots  [workers + 1]string // root directories of the jailed threads
}

func newGenerator(rng *rand.Rand, base string) *generator {
	return &generator{rng: rng, base: base, dirs: []string{base}}
}

// settle returns requests that give a worker a working directory and directories to hold open.
func (g *generator) settle(worker int) []request {
	out := []request{{Call: "chdir", Worker: worker, Path: g.base}}
	for i := 1; i < len(g.held[worker]); i++ {
		out = append(out, request{Call: "hold", Worker: worker, Path: g.base, Flags: i})
	}
	return out
}

// name returns one of a few names, so that what is created is found again: short ones, and ones of
// about the length up to which a dentry holds its name inline.
func (g *generator) name() string {
	short := []string{"a", "b", "c", "d", "e", "f", "two words"}
	if g.rng.IntN(10) < 7 {
		return short[g.rng.IntN(len(short))]
	}
	lengths := []int{31, 32, 39, 40, 41, 100, 255}
	return strings.Repeat("n", lengths[g.rng.IntN(len(lengths))])
}

func (g *generator) dir() string { return g.dirs[g.rng.IntN(len(g.dirs))] }

// below returns a directory other than the base, which may be removed.
func (g *generator) below() string {
	if d := g.dir(); d != g.base {
		return d
	}
	return g.path()
}

// known returns a file that was opened recently.
func (g *generator) known() string {
	if n := len(g.files); n > 0 {
		return g.files[g.rng.IntN(n)]
	}
	return g.path()
}

func (g *generator) path() string { return g.dir() + "/" + g.name() }

// next returns an operation for a worker.
func (g *generator) next(worker int) request {
	if len(g.due) > 0 {
		r := g.due[0]
		g.due = g.due[1:]
		return r
	}
	r := g.think(worker)
	if r.Call == "open" {
		if len(g.recent) > 0 && g.rng.IntN(3) == 0 {
			r = g.recent[g.rng.IntN(len(g.recent))]
			if g.rng.IntN(4) > 0 {
				r.Flags = 0
			}
		}
		g.remember(r)
	}
	r.Worker = worker
	switch g.rng.IntN(7) {
	case 0:
		return g.jail(r)
	default:
		r.Thread = g.rng.IntN(2)
	}
	g.follow(r)
	return r
}

// jail gives the operation to the thread with a root directory of its own, below which the paths mean
// much the same as outside.
func (g *generator) jail(r request) request {
	if r.Call == "drop" || r.Call == "bind" || r.Call == "unbind" {
		return r // these need what the chroot does not have
	}
	r.Thread = jailed
	if g.roots[r.Worker] == "" || g.rng.IntN(8) == 0 {
		return request{Call: "chroot", Worker: r.Worker, Thread: jailed, Path: g.dir()}
	}
	for _, p := range []*string{&r.Path, &r.Path2} {
		if below, ok := strings.CutPrefix(*p, g.roots[r.Worker]); ok && r.Call != "symlink" {
			*p = "/" + strings.TrimPrefix(below, "/")
		}
	}
	return r
}

// follow queues operations that are worth doing after r.
func (g *generator) follow(r request) {
	open := func(path string) request { return request{Call: "open", Worker: r.Worker, Path: path} }
	switch r.Call {
	case "tmpfile":
		name := path.Clean(r.Path) + "/" + g.name()
		g.due = append(g.due, request{Call: "give", Worker: r.Worker, Path2: name}, open(name))
		if g.rng.IntN(2) == 0 {
			other := path.Clean(r.Path) + "/" + g.name()
			g.due = append(g.due, request{Call: "link", Worker: r.Worker, Path: name, Path2: other}, open(other), open(name))
		}
	case "bind":
		for range 1 + g.rng.IntN(3) {
			between := []string{"/", "/../" + path.Base(r.Path2) + "/", "//./"}
			name := between[g.rng.IntN(len(between))] + g.name()
			g.due = append(g.due, open(r.Path2+name), open(r.Path+name))
		}
		if g.rng.IntN(4) > 0 {
			g.due = append(g.due, request{Call: "unbind", Worker: r.Worker, Path: r.Path2})
		}
	}
}

// remember keeps an operation that is worth repeating.
func (g *generator) remember(r request) {
	if g.recent = append(g.recent, r); len(g.recent) > 30 {
		g.recent = g.recent[1:]
	}
}

func (g *generator) think(worker int) request {
	two := func(call string, from, to string) request { return request{Call: call, Path: from, Path2: to} }
	switch n := g.rng.IntN(112); {
	case n < 36:
		flags := []int{0, 0, 0, 0, unix.O_PATH, unix.O_NOFOLLOW, unix.O_DIRECTORY, unix.O_RDWR}
		return g.place(worker, request{Call: "open", Path: g.path(), Flags: flags[g.rng.IntN(len(flags))]})
	case n < 50:
		flags := []int{unix.O_CREAT, unix.O_CREAT, unix.O_CREAT | unix.O_EXCL}
		return g.place(worker, request{Call: "open", Path: g.path(), Flags: unix.O_RDWR | flags[g.rng.IntN(len(flags))]})
	case n < 60:
		return g.place(worker, request{Call: "unlink", Path: g.path()})
	case n < 64:
		d := g.dir()
		return two("rename", d+"/"+g.name(), d+"/"+g.name())
	case n < 68:
		return two("rename", g.path(), g.path())
	case n < 71:
		return two("rename", g.below(), g.path())
	case n < 74:
		return two("exchange", g.known(), g.known())
	case n < 79:
		return g.place(worker, request{Call: "mkdir", Path: g.path()})
	case n < 83:
		return g.place(worker, request{Call: "rmdir", Path: g.below()})
	case n < 86:
		return two("symlink", g.target(), g.path())
	case n < 92:
		return two("link", g.path(), g.path())
	case n < 95:
		return request{Call: "chdir", Path: g.dir()}
	case n < 98:
		return request{Call: "hold", Path: g.dir(), Flags: 1 + g.rng.IntN(3)}
	case n < 101:
		return request{Call: "tmpfile", Path: g.dir(), Flags: unix.O_TMPFILE | unix.O_RDWR}
	case n < 104:
		return two("bind", g.dir(), g.below())
	case n < 107:
		return request{Call: "unbind", Path: g.below()}
	case n < 110: // onto a file that may exist
		return two("rename", g.known(), g.known())
	}
	return request{Call: "drop"}
}

// target returns a target for a symbolic link. A relative one stays in the directory.
func (g *generator) target() string {
	switch g.rng.IntN(4) {
	case 0:
		return g.name()
	case 1:
		return "./" + g.name()
	case 2:
		return g.dir()
	}
	return g.path()
}

// place names the file of a request in another way: relative to the working directory, relative to a
// held directory, or with redundant components. The result is not always the same file.
func (g *generator) place(worker int, r request) request {
	switch g.rng.IntN(8) {
	case 0, 1:
		r.Path = path.Base(r.Path)
	case 2:
		r.At, r.Path = 1+g.rng.IntN(3), path.Base(r.Path)
	case 3:
		d, name := path.Split(r.Path)
		more := []string{"./", "/", ".//", "../" + path.Base(d) + "/"}
		r.Path = d + more[g.rng.IntN(len(more))] + name
	case 4:
		r.Path = strings.TrimPrefix(r.Path, g.cwd[worker]+"/")
	}
	return r
}

// contended returns an operation in the shared directory.
func (g *generator) contended() request {
	name := shared + "/" + g.name()
	r := request{Call: "open", Path: name, Mark: true, Thread: g.rng.IntN(2)}
	switch g.rng.IntN(8) {
	case 0, 1:
		r.Flags = unix.O_RDWR | unix.O_CREAT
	case 2:
		r.Flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL
	case 3:
		r.Call = "unlink"
	case 4:
		r.Call, r.Path2 = "rename", shared+"/"+g.name()
	}
	return r
}

// learn updates the directories and files that may exist after an operation.
func (g *generator) learn(o op) {
	if o.Call == "chroot" {
		g.roots[o.Worker] = ""
	}
	if o.Errno != 0 || o.Mark || o.At > 0 || !path.IsAbs(o.Path) || o.Thread == jailed && o.Call != "chroot" {
		return
	}
	switch o.Call {
	case "open":
		if g.files = append(g.files, o.Path); len(g.files) > 12 {
			g.files = g.files[1:]
		}
	case "mkdir":
		g.add(path.Clean(o.Path))
	case "rmdir":
		g.forget(o.Path)
	case "symlink":
		if slices.Contains(g.dirs, o.Path) {
			g.add(o.Path2)
		}
	case "link": // so that both names are opened
		for _, p := range []string{o.Path, o.Path2} {
			g.remember(request{Call: "open", Path: p})
			g.remember(request{Call: "open", Path: p})
		}
	case "rename":
		if slices.Contains(g.dirs, o.Path) {
			g.forget(o.Path)
			g.add(o.Path2)
		}
	case "chroot":
		g.roots[o.Worker] = o.Path
	case "chdir":
		g.cwd[o.Worker] = o.Path
	case "hold":
		g.held[o.Worker][o.Flags] = o.Path
	}
}

// add remembers a directory, at most a dozen and none too deep, since otherwise few would be used
// twice.
func (g *generator) add(dir string) {
	if len(g.dirs) < 12 && strings.Count(dir, "/") < 6 && len(dir) < 700 {
		g.dirs = append(g.dirs, dir)
	}
}

// forget forgets a directory and all below it, but never the base.
func (g *generator) forget(dir string) {
	g.dirs = slices.DeleteFunc(g.dirs, func(d string) bool {
		return d != g.base && (d == dir || strings.HasPrefix(d, dir+"/"))
	})
}
