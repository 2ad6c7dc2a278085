// SPDX-License-Identifier: Apache-2.0

package test

import (
	"slices"
	"strconv"
	"strings"
)

// part is a name that a use of a path looked up, as this test reconstructs it.
type part struct {
	name, parent, addr string
	route              int // index of the path that contains it; -1: none
	offset             uint64
	made               bool // a dentry was allocated for it
	dentry             string
	negative           bool // the dentry was negative
	mountable          bool
}

// pathContaining returns the path of the use that contains a name, and the offset in bytes. If two paths are in
// one place it is the later one.
func (u *use) pathContaining(addr string) (route int, offset uint64) {
	at, err := strconv.ParseUint(addr, 0, 64)
	for i, p := range slices.Backward(u.paths) {
		from, bad := strconv.ParseUint(p.NameAddr, 0, 64)
		if err == nil && bad == nil && at-from < p.Len {
			return i, at - from
		}
	}
	return -1, 0
}

// addLookup adds a lookup or an alloc to the parts of its path. A name at or before the last one looked up,
// or a second __d_lookup of the same name alone, shows that the walk has started over.
func (u *use) addLookup(r *summaryBuilder, e *replayEvent) {
	route, offset := u.pathContaining(e.NameAddr)
	last := u.last(route)
	if e.Role == "alloc" && (last == nil || last.addr != e.NameAddr) && route < 0 {
		return // made by a filesystem for itself
	}
	again := last != nil && last.addr == e.NameAddr && last.name == e.Name
	if again && (e.Role != "lookup_chain" || u.lookupID != 0 || last.made) {
		last.made = last.made || e.Role == "alloc"
		if last.parent == "" {
			last.parent = e.Parent
		}
		return
	}
	if route >= 0 {
		if i := slices.IndexFunc(u.parts, func(p part) bool { return p.route == route && p.offset >= offset }); i >= 0 {
			u.parts, u.restarts = u.parts[:i], u.restarts+1
		}
	}
	if n := len(u.parts); n > 0 && e.Parent != "" && u.parts[n-1].mountable && u.parts[n-1].dentry != e.Parent && slices.Contains(e.Facts, "parent_is_root") {
		r.places.mount[e.Parent] = u.parts[n-1].dentry
	}
	if len(u.parts) == 0 && route == 0 && strings.HasPrefix(u.paths[0].Name, "/") && !slices.Contains(u.paths[0].Facts, "other_root") {
		r.places.root[e.Parent] = true
	}
	u.parts = append(u.parts, part{name: e.Name, parent: e.Parent, addr: e.NameAddr, route: route, offset: offset, made: e.Role == "alloc"})
}

// last returns the last part of a path, or for a name in no path the last part of all.
func (u *use) last(route int) *part {
	for i := len(u.parts) - 1; i >= 0; i-- {
		if p := &u.parts[i]; p.route == route || route < 0 || p.route < 0 && route == 0 {
			return p
		}
	}
	return nil
}

// setResult records what a lookup or an alloc returned.
func (u *use) setResult(e *replayEvent) {
	for i := len(u.parts) - 1; i >= 0; i-- {
		p := &u.parts[i]
		if e.Dentry != nil && e.Name == p.name && (e.Role != "insert" || p.dentry == *e.Dentry) {
			p.dentry, p.negative, p.mountable = *e.Dentry, e.Inode == nil, slices.Contains(e.Facts, "mountpoint")
			return
		}
	}
}

// dentryPaths tracks by address where dentries are.
type dentryPaths struct {
	name, up, mount map[string]string
	root            map[string]bool
}

func (p *dentryPaths) update(e *replayEvent) {
	if e.Dentry == nil {
		return
	}
	d := *e.Dentry
	if e.Role == "alloc" {
		delete(p.mount, d)
		delete(p.root, d)
	}
	p.name[d], p.up[d] = e.Name, e.Parent
}

// noteMount records that a walk ended at the root of what is mounted on its last part.
func (p *dentryPaths) noteMount(u *use, e *replayEvent) {
	if n := len(u.parts); n > 0 && e.Dentry != nil && e.Parent == *e.Dentry && u.parts[n-1].mountable && u.parts[n-1].dentry != *e.Dentry {
		p.mount[*e.Dentry] = u.parts[n-1].dentry
	}
}

// path returns the path of a dentry up to the root, across mounts. "…" stands for what is above the
// topmost known directory.
func (p *dentryPaths) path(d string) string {
	path := ""
	for range 100 {
		switch on, up := p.mount[d], p.up[d]; {
		case on != "" && (up == d || up == ""):
			d = on
		case p.root[d] && (up == d || up == ""):
			if path == "" {
				return "/"
			}
			return path
		case up == "" || up == d && p.name[d] == "/":
			return "…" + path
		case up == d:
			return "…/" + p.name[d] + path
		default:
			path = "/" + p.name[d] + path
			d = up
		}
	}
	return "…" + path
}

func joinPath(dir, name string) string { return strings.TrimSuffix(dir, "/") + "/" + name }

func parentDir(path string) string {
	dir := path[:max(strings.LastIndexByte(path, '/'), 0)]
	if dir == "" {
		return "/"
	}
	return dir
}
