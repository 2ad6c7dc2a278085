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
	"slices"
	"strconv"
	"strings"
)

// unpackOutputs unpacks the archive on the output disk, on the host. The archive is not trusted: it can only create
// the requested outputs and files and directories below them, and not more bytes than it contains.
func unpackOutputs(disk io.ReaderAt, done message, outputs []string, patterns bool) error {
	if len(outputs) == 0 {
		return nil
	}
	found := make([]bool, len(outputs))
	budget := done.Size // bytes that may still be written; a sparse entry claims more than it contains
	for t := tar.NewReader(io.NewSectionReader(disk, 0, done.Size)); ; {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadOutput, err)
		}
		if budget -= header.Size; budget < 0 || header.Size < 0 {
			return fmt.Errorf("%w: %q is larger than the archive", ErrBadOutput, header.Name)
		}
		index, below, err := splitName(header.Name, len(outputs))
		if err != nil {
			return err
		}
		output := outputs[index]
		if patterns {
			if ok, _ := path.Match(filepath.Base(output), below); !ok || below == "." {
				return fmt.Errorf("%w: %q was not asked for", ErrBadOutput, header.Name)
			}
			output, below = filepath.Join(filepath.Dir(output), below), "."
		}
		if err := unpackEntry(t, header, output, below); err != nil {
			return err
		}
		found[index] = true
	}
	if i := slices.Index(found, false); i >= 0 && done.Exit == 0 {
		return fmt.Errorf("%s: %w", outputs[i], ErrNoOutput)
	}
	return nil
}

// splitName splits a name in the archive into the output's index and the path below the output, "." for the
// output itself.
func splitName(name string, outputs int) (index int, below string, err error) {
	first, below, nested := strings.Cut(strings.TrimSuffix(name, "/"), "/")
	index, err = strconv.Atoi(first)
	if err != nil || index < 0 || index >= outputs || first != strconv.Itoa(index) {
		return 0, "", fmt.Errorf("%w: %q was not asked for", ErrBadOutput, name)
	}
	if !nested {
		return index, ".", nil
	}
	if below == "." || !filepath.IsLocal(below) || path.Clean(below) != below {
		return 0, "", fmt.Errorf("%w: %q leads elsewhere", ErrBadOutput, name)
	}
	return index, below, nil
}

func unpackEntry(t *tar.Reader, header *tar.Header, output, below string) error {
	mode := fs.FileMode(header.Mode) & 0o777
	switch {
	case header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeDir:
		return fmt.Errorf("%w: %q is neither a file nor a directory", ErrBadOutput, header.Name)
	case header.Typeflag == tar.TypeReg && below == ".":
		return writeOutput(output, mode, t)
	case below == ".":
		return os.MkdirAll(output, 0o755)
	}
	// The directory may have existed before, with links in it; a Root does not follow them out of it.
	root, err := os.OpenRoot(output)
	if err != nil {
		return err
	}
	defer root.Close()
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(below, 0o755)
	}
	return replace(root, below, mode, t)
}

// writeOutput writes an output that is a file. An existing file is replaced atomically. Anything but a
// regular file is refused, except /dev/null. The caller has asked the user about overwriting before the boot.
func writeOutput(output string, mode fs.FileMode, r io.Reader) error {
	if info, err := os.Lstat(output); err == nil && !info.Mode().IsRegular() {
		if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		return fmt.Errorf("%s: is not a regular file", output)
	}
	root, err := os.OpenRoot(filepath.Dir(output))
	if err != nil {
		return err
	}
	defer root.Close()
	return replace(root, filepath.Base(output), mode, r)
}

// replace writes to a temporary name first, so that the file is either complete or absent.
func replace(root *os.Root, name string, mode fs.FileMode, r io.Reader) error {
	partial := path.Join(path.Dir(name), fmt.Sprintf(".%s.%d.partial", path.Base(name), os.Getpid()))
	f, err := root.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(partial, name)
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("%s: %w", name, err), root.Remove(partial))
	}
	return err
}
