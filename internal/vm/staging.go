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

// unstage moves the files taken along to their places.
func unstage() error {
	return filepath.WalkDir(stagingPath, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == stagingPath {
			return nil
		}
		if err != nil {
			return err
		}
		place := strings.TrimPrefix(name, stagingPath)
		if place == "" {
			return nil
		}
		if err := unstageEntry(name, place, entry); err != nil {
			return fmt.Errorf("file taken along: %w", err)
		}
		return nil
	})
}

func unstageEntry(name, place string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return os.MkdirAll(place, 0o755)
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := os.Readlink(name)
		if err != nil {
			return err
		}
		return os.Symlink(target, place)
	case os.Rename(name, place) == nil:
		return nil
	}
	return copyFile(name, place, info)
}

// copyFile moves a file to another file system.
func copyFile(name, place string, info fs.FileInfo) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(place, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return os.Remove(name)
}
