// SPDX-License-Identifier: Apache-2.0

// Package tracefile creates the file that a trace is written to. Whoever records is often root, and may
// write to a directory where others can plant files or links. So a trace is written only to a file that
// dtrec has created itself.
package tracefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dtrec/dtrec/schema"
)

// RefusedError says why nothing is written to a place, and what to do instead.
type RefusedError struct{ What, Remedy string }

// Error says what is at the place.
func (e *RefusedError) Error() string { return e.What }

// LostError says that a trace, or the rest of one, could not be written. What was written before is
// kept, cut to whole frames.
type LostError struct {
	Path string
	Kept uint64 // events in the file
	Err  error
}

// Error names the file and the cause.
func (e *LostError) Error() string {
	name, err := e.Path, e.Err
	if name == "-" {
		name = "stdout"
	}
	if errno := syscall.Errno(0); errors.As(e.Err, &errno) {
		err = errno // without the operation that failed
	}
	return fmt.Sprintf("write %s: %v", name, err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Place says where a trace is to be written.
type Place struct {
	Path     string
	Force    bool // replace any file that is there
	NotTrace bool // what is written is not a trace: then a trace is not replaced, but any other file is
	User     int  // a user whose files count as the caller's, besides those of the process's own: who called sudo; -1: nobody
}

// Check returns an error if nothing can be written there now.
func (p Place) Check() error {
	_, err := p.existing()
	return err
}

// existing returns the file at the place, which may be replaced or is /dev/null; nil if nothing is there.
// Its error is a RefusedError or that of a system call.
func (p Place) existing() (fs.FileInfo, error) {
	info, err := os.Lstat(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, checkWritable(filepath.Dir(p.Path))
	}
	if err != nil {
		return nil, Bare(err)
	}
	const elsewhere = "name another file with -o"
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, syscall.EISDIR
	case isNull(info):
		return info, nil
	case mode&fs.ModeSymlink != 0:
		return nil, &RefusedError{"is a symbolic link", "name the file itself with -o: links are not followed"}
	case mode&fs.ModeNamedPipe != 0:
		return nil, &RefusedError{"is a FIFO", "name a file with -o; '-o -' writes to a pipe on stdout"}
	case !mode.IsRegular():
		return nil, &RefusedError{"is neither a file nor /dev/null", elsewhere}
	case isForeign(info, filepath.Dir(p.Path), p.User):
		return nil, &RefusedError{"belongs to another user, in a directory others can write to", elsewhere}
	case p.Force:
	case p.NotTrace && info.Size() > 0 && IsTrace(p.Path, info):
		return nil, &RefusedError{"is a trace, and would be lost", elsewhere + ", or replace it with --force"}
	case !p.NotTrace && !IsTrace(p.Path, info):
		return nil, &RefusedError{"is there and is not a trace", elsewhere + ", or replace it with --force"}
	}
	return info, checkWritable(filepath.Dir(p.Path))
}

// IsTrace reports whether the file at path is still the one of info, and either a file that dtrec wrote
// or empty, so that nothing else is lost if it is replaced. A trace counts even if it is damaged, cut,
// or of a later format version.
func IsTrace(path string, info fs.FileInfo) bool {
	_, is := headerOf(path, info)
	return is
}

// headerOf returns what IsTrace reports, and the header of the trace; nil if the header cannot be read.
func headerOf(path string, info fs.FileInfo) (h *schema.Header, is bool) {
	f, err := open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !os.SameFile(now, info) {
		return nil, false
	}
	if info.Size() == 0 {
		return nil, true
	}
	r, err := schema.NewReader(bufio.NewReader(f), 1)
	if err != nil {
		return nil, !errors.Is(err, schema.ErrNotTrace)
	}
	defer r.Close()
	return r.Header(), true
}

func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && info.Mode()&fs.ModeCharDevice != 0 && os.SameFile(null, info)
}

// Create creates the file with mode 0600. A file that may be replaced is removed first, never written
// through. Made is false for /dev/null.
func (p Place) Create() (f *os.File, made bool, err error) {
	info, err := p.existing()
	if err != nil {
		return nil, false, err
	}
	if info != nil && isNull(info) {
		f, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		return f, false, Bare(err)
	}
	if info != nil {
		if err := os.Remove(p.Path); err != nil {
			return nil, false, Bare(err)
		}
	}
	f, err = os.OpenFile(p.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // O_EXCL does not follow links
	return f, err == nil, Bare(err)
}

// Replace creates the file once write has written all of it. If that fails, what was there stays.
func (p Place) Replace(write func(io.Writer) error) error {
	info, err := p.existing()
	if err != nil {
		return err
	}
	if info != nil && isNull(info) {
		return write(io.Discard)
	}
	f, err := os.CreateTemp(filepath.Dir(p.Path), ".dtrec-*")
	if err != nil {
		return Bare(err)
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = Bare(os.Rename(f.Name(), p.Path))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Bare removes the path from an error whose message will name the path anyway.
func Bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
