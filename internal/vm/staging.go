// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unstage moves the files taken along to their places below root.
func unstage(staged, root string) error {
	return filepath.WalkDir(staged, func(name string, entry fs.DirEntry, err error) error {
		place := filepath.Join(root, strings.TrimPrefix(name, staged))
		switch {
		case err != nil:
		case entry.IsDir():
			err = os.MkdirAll(place, 0o755)
		case entry.Type() == fs.ModeSymlink:
			err = unstageLink(name, place)
		case os.Rename(name, place) != nil:
			err = copyFile(name, place)
		}
		if err != nil {
			return fmt.Errorf("file taken along: %w", err)
		}
		return nil
	})
}

// unstageLink creates a link like that of this name. If there is a directory in its place, the contents move to where
// the link points: in the tree of a distribution /bin, where dtrec itself is, is a link to /usr/bin.
func unstageLink(name, place string) error {
	target, err := os.Readlink(name)
	if err != nil {
		return err
	}
	there, err := os.Lstat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case there.IsDir():
		to := target
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(place), target)
		}
		if err := moveEntries(place, to); err != nil {
			return err
		}
		fallthrough
	default:
		if err := os.Remove(place); err != nil {
			return err
		}
	}
	return os.Symlink(target, place)
}

// moveEntries moves the contents of one directory to another one, which is created if necessary.
func moveEntries(from, to string) error {
	entries, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(to, 0o755)
	}
	for _, e := range entries {
		err = errors.Join(err, os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
	}
	return err
}

// copyFile moves a file to another file system.
func copyFile(name, place string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(place, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close(), os.Remove(name))
}
