// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
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

// cgroup2Mount is where the cgroup2 hierarchy is mounted; empty: nowhere.
func cgroup2Mount(mountinfo string) string {
	f, err := os.Open(mountinfo)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		if words := strings.Fields(before); ok && strings.HasPrefix(after, "cgroup2 ") && len(words) > 4 {
			return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(words[4])
		}
	}
	return ""
}
