// SPDX-License-Identifier: Apache-2.0

package replay

import "strings"

// maxPlaces bounds the mounts and roots that are remembered, maxUp how far up a path is
// followed, and maxPathBytes how long it may get.
const (
	maxPlaces    = 4096
	maxUp        = 256
	maxPathBytes = 4096 // PATH_MAX
)

// above stands for the directories above the topmost one that the run tells of.
const above = "…"

// mounted notes that the root of a filesystem is mounted on a dentry.
func (m *Model) mounted(root, on *Object) {
	if root == nil || on == nil || root == on || m.mounts[root.Seq] == on {
		return
	}
	if len(m.mounts) >= maxPlaces {
		clear(m.mounts)
	}
	m.mounts[root.Seq] = on
}

// rooted notes that an absolute path began at the dentry.
func (m *Model) rooted(d *Object) {
	if m.roots[d.Seq] {
		return
	}
	if len(m.roots) >= maxPlaces {
		clear(m.roots)
	}
	m.roots[d.Seq] = true
}

// Path returns the path of a dentry, from the names and parents that it and those above it
// were last seen with, across mounts that a path was seen to cross. It begins with / where
// it leads to a directory that an absolute path began at; with …/ where the run does not
// tell what is above.
func (m *Model) Path(d *Object) string {
	m.scratch = m.scratch[:0] // the names from the last to the first, each as a slash and its bytes reversed
	top := above
	for range maxUp {
		on := m.mounts[d.Seq]
		if on != nil && (d.Parent == d.Addr || d.Parent == 0) {
			d = on
			continue
		}
		if d.Parent == d.Addr && d.Name == "/" || d.Parent == 0 || d.Name == "" {
			if m.roots[d.Seq] {
				top = ""
			}
			break
		}
		if len(m.scratch)+len(d.Name) >= maxPathBytes {
			break
		}
		m.scratch = appendReversed(m.scratch, d.Name)
		up := m.State.Objects.find(d.Parent)
		if up == nil || d.Parent == d.Addr || up.Born > d.self.shown && up.Born != 0 {
			break
		}
		d = up
	}
	if len(m.scratch) == 0 {
		if top == "" {
			return "/"
		}
		return top
	}
	var b strings.Builder
	b.Grow(len(top) + len(m.scratch))
	b.WriteString(top)
	for i := len(m.scratch) - 1; i >= 0; i-- {
		b.WriteByte(m.scratch[i])
	}
	return b.String()
}

func appendReversed(dst []byte, name string) []byte {
	for i := len(name) - 1; i >= 0; i-- {
		dst = append(dst, name[i])
	}
	return append(dst, '/')
}

// PathAt is the path of what is at an address.
func (m *Model) PathAt(addr uint64) string {
	if d := m.State.Objects.find(addr); d != nil {
		return m.Path(d)
	}
	return above
}

// InDir is a name in a directory.
func InDir(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}
