// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// output is the file being written. Each Write is one frame.
type output struct {
	file    *os.File
	path    string // empty for stdout and special files: nothing to remove or cut
	good    int64  // bytes of whole frames
	created bool
	events  func() uint64 // how many events were appended to the trace so far
	kept    uint64        // how many of them are in whole frames
}

// OutputError says that the trace could not be written. What was written before is
// kept, cut to whole frames.
type OutputError struct {
	Path string
	Kept uint64 // events in the file
	Err  error
}

// Error names the file and the cause.
func (e *OutputError) Error() string {
	var errno unix.Errno
	if errors.As(e.Err, &errno) {
		return fmt.Sprintf("write %s: %v", e.Path, errno) // whatever was being written
	}
	return fmt.Sprintf("write %s: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *OutputError) Unwrap() error { return e.Err }

// ErrTerminal says that a trace would go to a terminal.
var ErrTerminal = errors.New("a trace is binary and stdout is a terminal")

// checkOutput finds what is wrong with an output path before anything is attached.
func checkOutput(path string) error {
	if path == "-" {
		return nil
	}
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return unix.EISDIR
		}
		return nil
	}
	return bare(unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK))
}

// createOutput makes the file anew, mode 0600, for the user behind sudo. A regular
// file or link of that name is replaced, never written through: with root's rights
// that would write wherever the link points. A device or pipe is written to.
func createOutput(path string, stdout *os.File, owner *identity) (*output, error) {
	if path == "-" {
		if isTerminal(stdout) {
			return nil, ErrTerminal
		}
		return &output{file: stdout}, nil
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, bare(err)
	case info.IsDir():
		return nil, unix.EISDIR
	case info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe) != 0:
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &output{file: f}, bare(err)
	default:
		if err := os.Remove(path); err != nil {
			return nil, bare(err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, bare(err)
	}
	if owner != nil {
		if err := f.Chown(int(owner.uid), int(owner.gid)); err != nil {
			f.Close()
			return nil, errors.Join(bare(err), os.Remove(path))
		}
	}
	return &output{file: f, path: path, created: true}, nil
}

// bare takes the path off an error that will be named with it again.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func isTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Write writes one frame. A frame that was cut short is taken back.
func (o *output) Write(frame []byte) (int, error) {
	n, err := o.file.Write(frame)
	if err == nil {
		o.good += int64(n)
		if o.events != nil {
			o.kept = o.events()
		}
		return n, nil
	}
	if o.path != "" {
		err = errors.Join(bare(err), o.file.Truncate(o.good))
	}
	return n, bare(err)
}

// close ends the file. Without events worth keeping, remove it instead.
func (o *output) close() error {
	if o.path == "" && !o.created {
		return nil
	}
	return bare(o.file.Close())
}

func (o *output) remove() error {
	if !o.created {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.path))
}
