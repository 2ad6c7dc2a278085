// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// The archive of outputs is a tar whose names begin with the output's index in the job: "0" is the first
// output itself, "1/a/b" is a file in the second one, which is a directory, and "0/run.1.pb" is a match of
// the first one, which is a pattern. So no name from the guest determines where on the host a file goes.

// packOutputs writes the archive, in the guest. Outputs that do not exist are left out, and so is anything
// that is neither a file nor a directory.
func packOutputs(w io.Writer, outputs []string, patterns bool) error {
	t := tar.NewWriter(w)
	for i, output := range outputs {
		pack := packTree
		if patterns {
			pack = packMatches
		}
		if err := pack(t, strconv.Itoa(i), output); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", output, err)
		}
	}
	return t.Close()
}

// packMatches packs the files that match a pattern, as if they were below the output.
func packMatches(t *tar.Writer, prefix, pattern string) error {
	dir, base := filepath.Split(pattern)
	entries, err := os.ReadDir(filepath.Clean(dir))
	for _, e := range entries {
		if ok, _ := path.Match(base, e.Name()); ok {
			err = errors.Join(err, packTree(t, path.Join(prefix, e.Name()), dir+e.Name()))
		}
	}
	return err
}

func packTree(t *tar.Writer, prefix, root string) error {
	return walk(root, func(name, relative string, info fs.FileInfo) error {
		if !info.IsDir() && !info.Mode().IsRegular() {
			return nil
		}
		return packEntry(t, path.Join(prefix, relative), name, info)
	})
}

func packEntry(t *tar.Writer, name, file string, info fs.FileInfo) error {
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	header.Name, header.Uname, header.Gname = name, "", ""
	if err := t.WriteHeader(header); err != nil || info.IsDir() {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(t, f, info.Size())
	return err
}
