// SPDX-License-Identifier: Apache-2.0

package replay

import "strings"

// maxPlaces bounds the mounts and roots that are remembered, maxUp the levels up which a path is followed,
// and maxPathBytes its length.
const (
	maxPlaces    = 4096
	maxUp        = 256
	maxPathBytes = 4096 // PATH_MAX
)

// unknownDir stands for the directories above the topmost one known.
const unknownDir = "…"

// noteMount notes that the root of a filesystem is mounted on a dentry. It does nothing if the dentry is
// below that root, as after a bind mount of /, or after pivot_root(2) has put the old / below the new one:
// the root keeps its path, which leads to it as well.
func (m *Model) noteMount(root, on *Object) {
	if root == nil || on == nil || m.mounts[root.Seq] == on || m.isBelow(on, root) {
		return
	}
	if len(m.mounts) >= maxPlaces {
		clear(m.mounts)
	}
	on.Keep()
	m.mounts[root.Seq] = on
	m.State.Objects.pathChanges++
}

// isBelow reports whether the dentry is another, or the way up from it leads there.
func (m *Model) isBelow(d, to *Object) bool {
	for range maxUp {
		if d == to {
			return true
		}
		up := m.State.Objects.find(d.Parent)
		if d.Parent == d.Addr || d.Parent == 0 {
			up = m.mounts[d.Seq]
		} else if up != nil && up.Born > d.last.event {
			return false
		}
		if d = up; d == nil {
			return false
		}
	}
	return true
}

// noteRoot notes that an absolute path began at the dentry.
func (m *Model) noteRoot(d *Object) {
	if m.roots[d.Seq] {
		return
	}
	if len(m.roots) >= maxPlaces {
		clear(m.roots)
	}
	m.roots[d.Seq] = true
	m.State.Objects.pathChanges++
}

// Path returns the path of a dentry, built from the names and parents with which it and those above it were
// last seen, across mounts that a path was seen to cross. It begins with / if it leads up to a directory
// that an absolute path began at, and with …/ where the trace does not show what is above, or above a
// directory that has been removed.
func (m *Model) Path(d *Object) string { return m.pathAs("", d) }

// pathAs is Path. If guess equals the result, it is returned to save an allocation.
func (m *Model) pathAs(guess string, d *Object) string {
	if dir := m.State.Objects.find(d.Parent); dir != nil && d.Parent != d.Addr && d.Name != "" && dir.Born <= d.last.event {
		if path, whole := m.dirPath(dir); whole && len(path)+len(d.Name) < maxShort {
			return inDirAs(guess, path, d.Name)
		}
	}
	path, _ := m.buildPath(d, false)
	return path
}

// cachedDirs is how many paths of directories are cached, each of less than maxShort bytes.
const (
	cachedDirs = 1 << 6
	maxShort   = 1 << 10
)

// cachedPath is the path of a directory, valid while Objects.pathChanges has not changed.
type cachedPath struct {
	object      *Object
	pathChanges uint64 // Objects.pathChanges when the path was made
	path        string
}

// dirPath is buildPath with a cache, as many names are looked up in one directory.
func (m *Model) dirPath(d *Object) (path string, whole bool) {
	known := &m.dirCache[d.Addr*0x9e3779b97f4a7c15>>(64-6)]
	if known.object == d && known.pathChanges == m.State.Objects.pathChanges {
		return known.path, true
	}
	if path, whole = m.buildPath(d, true); whole && len(path) < maxShort {
		*known = cachedPath{d, m.State.Objects.pathChanges, path}
	}
	return path, whole
}

// buildPath makes the path of a dentry, or of a directory that something is in: one that is out of the hash table has
// no place, while a file is said to be where it last was. whole reports whether the path stays right until
// Objects.pathChanges changes.
func (m *Model) buildPath(d *Object, asDir bool) (path string, whole bool) {
	m.scratch = m.scratch[:0] // names from the last to the first, each reversed and with a slash behind it
	top := unknownDir
	for level := range maxUp {
		d.inPath = true
		if d.Parent == d.Addr || d.Parent == 0 {
			if on := m.mounts[d.Seq]; on != nil {
				d = on
				continue
			}
		}
		if d.Parent == d.Addr && d.Name == "/" || d.Parent == 0 || d.Name == "" {
			if whole = level < maxUp-1; m.roots[d.Seq] {
				top = ""
			}
			break
		}
		if len(m.scratch)+len(d.Name) >= maxPathBytes {
			break
		}
		m.scratch = appendReversed(m.scratch, d.Name)
		if (asDir || level > 0) && d.UnhashedSince() != 0 {
			whole = true
			break
		}
		up := m.State.Objects.find(d.Parent)
		if up == nil || d.Parent == d.Addr || up.Born > d.last.event && up.Born != 0 {
			break
		}
		d = up
	}
	if len(m.scratch) == 0 {
		if top == "" {
			return "/", whole
		}
		return top, whole
	}
	var b strings.Builder
	b.Grow(len(top) + len(m.scratch))
	b.WriteString(top)
	for i := len(m.scratch) - 1; i >= 0; i-- {
		b.WriteByte(m.scratch[i])
	}
	return b.String(), whole
}

func appendReversed(dst []byte, name string) []byte {
	for i := len(name) - 1; i >= 0; i-- {
		dst = append(dst, name[i])
	}
	return append(dst, '/')
}

// PathAt returns the path of the dentry at an address, or … where none is known.
func (m *Model) PathAt(addr uint64) string {
	if d := m.State.Objects.find(addr); d != nil {
		path, _ := m.dirPath(d)
		return path
	}
	return unknownDir
}

// InDir joins the path of a directory and a name.
func InDir(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}

// inDirAs is InDir, with a guess as in pathAs.
func inDirAs(guess, dir, name string) string {
	if n := len(dir); len(guess) == n+1+len(name) && n > 1 && guess[n] == '/' && guess[:n] == dir && guess[n+1:] == name {
		return guess
	}
	return InDir(dir, name)
}

// moves holds where dentries were before their last __d_move. A call that found one before it is said to have come
// to that path, whatever another task makes of it until the call returns.
type moves struct {
	of    map[uint64]moved // by Seq
	last  uint64           // the last move noted
	since uint64           // the last one that may have been dropped
}

// moved is the last move of a dentry: its event, that of the one before it, and the path in between.
type moved struct {
	at, before uint64
	path       string
}

// note notes that a dentry, nil where it is not known, is about to be moved.
func (l *moves) note(m *Model, d *Object, by uint64) {
	if d == nil {
		return
	}
	if len(l.of) >= maxPlaces {
		l.of, l.since = nil, l.last
	}
	l.last = by
	if l.of == nil {
		l.of = make(map[uint64]moved)
	}
	l.of[d.Seq] = moved{at: by, before: max(l.of[d.Seq].at, l.since), path: m.Path(d)}
}

// pathFound is the path that a dentry had when the event found it; empty if that is not known.
func (m *Model) pathFound(guess string, d *Object, event uint64) string {
	if d.Moved <= event {
		return m.pathAs(guess, d)
	}
	if last := m.moves.of[d.Seq]; last.before < event && event < last.at {
		return last.path
	}
	return ""
}
