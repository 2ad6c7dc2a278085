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

// cgroups knows the paths of cgroups by their id, which is the inode number of their directory.
// A kernel without the cgroup2 hierarchy mounted has none.
type cgroups struct {
	root  string // where the hierarchy is mounted; empty: nowhere
	paths map[uint64]string
	rest  time.Time // until then it is not looked through again
}

// Bounds on cgroups that are known, and on how much of its time one that is not makes the recorder look
// through the hierarchy: one part in cgroupsRest.
const (
	maxCgroups  = 1 << 14
	cgroupsRest = 20
)

// CgroupPaths returns a function that knows the path of a cgroup by its id: within the cgroup2
// hierarchy, "/" for its root; empty where it is not mounted, and of a cgroup that has gone or came
// into being a moment ago.
func CgroupPaths() func(id uint64) string {
	c := &cgroups{root: cgroup2Mount("/proc/self/mountinfo"), paths: make(map[uint64]string)}
	return c.path
}

func (c *cgroups) path(id uint64) string {
	path, known := c.paths[id]
	if known || c.root == "" || id == 0 || time.Now().Before(c.rest) {
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
	c.rest = time.Now().Add(cgroupsRest * time.Since(began))
	return c.paths[id]
}

// cgroup2Mount is where the cgroup2 hierarchy is mounted, all of it where it is; empty: nowhere.
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

// cgroupMount is a mount of the cgroup2 hierarchy, or by a bind mount of what is below a cgroup.
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

// initialCgroups is the inode of the initial cgroup namespace, PROC_CGROUP_INIT_INO.
const initialCgroups = "cgroup:[4026531835]"

// cgroupID returns the id of a cgroup v2 directory (its inode number) and its depth
// below the root of the hierarchy.
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

// cgroupLevel is the depth of a directory in the mount that is nearest above it, of several there the last, and of what that
// shows of the hierarchy.
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
