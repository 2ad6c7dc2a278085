// SPDX-License-Identifier: Apache-2.0

//go:build unix

package tracefile

import (
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// isForeign reports whether a file belongs neither to this process's user nor to the given one, and is in
// a directory where somebody else could have put it.
func isForeign(info fs.FileInfo, dir string, user int) bool {
	above, err := os.Stat(dir)
	if err != nil {
		return true
	}
	ours := []int{os.Geteuid(), user}
	shared := above.Mode()&0o022 != 0 || !slices.Contains(append(ours, 0), owner(above))
	return shared && !slices.Contains(ours, owner(info))
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -2
}

// open opens a file for reading. It does not wait for a FIFO and does not follow a symbolic link.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

func checkWritable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
