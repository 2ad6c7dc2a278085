// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups maps the ids of cgroups to their paths. An id is the inode number of the cgroup's directory. If the
// cgroup2 hierarchy is not mounted, no path is known.
type cgroups struct {
	root     string // mount point of the hierarchy; empty if it is not mounted
	paths    map[uint64]string
	nextWalk time.Time // the hierarchy is not walked again before this time
}

// maxCgroups bounds the number of cgroups that are remembered. walkShare bounds the time spent on unknown
// ids: at most one part in walkShare of the recorder's time goes into walking the hierarchy.
const (
	maxCgroups = 1 << 14
	walkShare  = 20
)

// CgroupPaths returns a function that finds the path of a cgroup by its id. The path is relative to the
// cgroup2 hierarchy, "/" for its root. It is empty if the hierarchy is not mounted, or for a cgroup that is
// gone or was created a moment ago.
func CgroupPaths() func(id uint64) string {
	c := &cgroups{root: cgroup2Mount("/proc/self/mountinfo"), paths: make(map[uint64]string)}
	return c.path
}

func (c *cgroups) path(id uint64) string {
	path, known := c.paths[id]
	if known || c.root == "" || id == 0 || time.Now().Before(c.nextWalk) {
		return path
	}
	began := time.Now()
	filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if len(c.paths) >= maxCgroups {
			return fs.SkipAll
		}
		if info, err := d.Info(); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				c.paths[stat.Ino] = filepath.Clean("/" + strings.TrimPrefix(path, c.root))
			}
		}
		return nil
	})
	c.nextWalk = time.Now().Add(walkShare * time.Since(began))
	return c.paths[id]
}

// cgroup2Mount returns where the cgroup2 hierarchy is mounted, preferably a mount that shows all of it; empty
// if it is not mounted.
func cgroup2Mount(mountinfo string) (point string) {
	for _, m := range cgroup2Mounts(mountinfo) {
		if point == "" || m.root == "/" {
			point = m.point
		}
		if m.root == "/" {
			break
		}
	}
	return point
}

// cgroupMount is a mount of the cgroup2 hierarchy: root is the cgroup it shows ("/" for all, another one for
// a bind mount), point is the mount point.
type cgroupMount struct{ root, point string }

func cgroup2Mounts(mountinfo string) (mounts []cgroupMount) {
	f, err := os.Open(mountinfo)
	if err != nil {
		return nil
	}
	defer f.Close()
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		if words := strings.Fields(before); ok && strings.HasPrefix(after, "cgroup2 ") && len(words) > 4 {
			mounts = append(mounts, cgroupMount{plain.Replace(words[3]), plain.Replace(words[4])})
		}
	}
	return mounts
}

// initialCgroups is the link target of /proc/PID/ns/cgroup for the initial cgroup namespace; the inode is
// PROC_CGROUP_INIT_INO.
const initialCgroups = "cgroup:[4026531835]"

// cgroupID returns the id of a cgroup v2 directory (its inode number) and its depth below the root of the
// hierarchy. It fails in a cgroup namespace other than the initial one, where the depth is not known.
func cgroupID(dir string) (id uint64, level uint32, err error) {
	var stat unix.Stat_t
	var fs unix.Statfs_t
	if err := unix.Stat(dir, &stat); err != nil {
		return 0, 0, fmt.Errorf("cgroup %s: %w", dir, err)
	}
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return 0, 0, fmt.Errorf("%s is not a cgroup v2 directory", dir)
	}
	if ns, err := os.Readlink("/proc/self/ns/cgroup"); err == nil && ns != initialCgroups {
		return 0, 0, fmt.Errorf("cgroup %s: in a cgroup namespace it is not known how deep it is: run in the initial one", dir)
	}
	path, err := filepath.Abs(dir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("cgroup %s: %w", dir, err)
	}
	level, ok := cgroupLevel(cgroup2Mounts("/proc/self/mountinfo"), path)
	if !ok {
		return 0, 0, fmt.Errorf("cgroup %s: no mount of cgroup v2 is known that it is in", dir)
	}
	return stat.Ino, level, nil
}

// cgroupLevel returns the depth of a directory in the whole hierarchy: its depth below the nearest mount
// above it (the last one, if several are mounted there) plus the depth of the cgroup that this mount shows.
// ok is false if the directory is in none of the mounts.
func cgroupLevel(mounts []cgroupMount, path string) (level uint32, ok bool) {
	nearest := cgroupMount{}
	for _, m := range mounts {
		if (path == m.point || strings.HasPrefix(path, strings.TrimSuffix(m.point, "/")+"/")) && len(m.point) >= len(nearest.point) {
			nearest, ok = m, true
		}
	}
	for _, name := range strings.Split(nearest.root+"/"+strings.TrimPrefix(path, nearest.point), "/") {
		if name != "" {
			level++
		}
	}
	return level, ok
}
