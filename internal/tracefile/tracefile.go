// SPDX-License-Identifier: Apache-2.0

// Package tracefile makes the file a trace is written to. Whoever records is often root, and
// may write in a directory where others plant things: a trace goes to a file that dtrec
// has made itself, or nowhere.
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

// RefusedError says why nothing is written to a place.
type RefusedError struct{ What, Remedy string }

// Error says what is there.
func (e *RefusedError) Error() string { return e.What }

// LostError says that a trace, or the rest of it, could not be written. What was written
// before is kept, cut to whole frames.
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
		err = errno // whatever was being written
	}
	return fmt.Sprintf("write %s: %v", name, err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Place is where a trace shall go.
type Place struct {
	Path  string
	Force bool // whatever file is there is replaced
	Other bool // what goes there is no trace: then a trace is not replaced, and any other file is
	User  int  // whose files are the caller's too, beside the process's own: who called sudo; -1: nobody's
}

// Check says what speaks against writing there; nil: nothing does, now.
func (p Place) Check() error {
	_, err := p.look()
	return err
}

// look returns what is there and may be replaced, or is /dev/null; nil: nothing is there.
func (p Place) look() (fs.FileInfo, error) {
	info, err := os.Lstat(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, writable(filepath.Dir(p.Path))
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
	case foreign(info, filepath.Dir(p.Path), p.User):
		return nil, &RefusedError{"belongs to another user, in a directory others can write to", elsewhere}
	case p.Force:
	case p.Other && info.Size() > 0 && IsTrace(p.Path, info):
		return nil, &RefusedError{"is a trace, and would be lost", elsewhere + ", or replace it with --force"}
	case !p.Other && !IsTrace(p.Path, info):
		return nil, &RefusedError{"is there and is not a trace", elsewhere + ", or replace it with --force"}
	}
	return info, writable(filepath.Dir(p.Path))
}

// IsTrace reports whether the file at a path is the one of info, and one that dtrec wrote, or
// empty, so that nothing is lost with it. A trace that is damaged, cut or of a later version is one.
func IsTrace(path string, info fs.FileInfo) bool {
	_, is := headerOf(path, info)
	return is
}

// headerOf is what IsTrace says, and the header of the trace; nil where there is none that can be read.
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

// Create makes the file anew, mode 0600. What may be replaced is removed first, never
// written through. Made is false for /dev/null.
func (p Place) Create() (f *os.File, made bool, err error) {
	info, err := p.look()
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
	f, err = os.OpenFile(p.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // O_EXCL follows no link
	return f, err == nil, Bare(err)
}

// Replace makes the file once write has written all of it, and leaves what was there if
// that fails.
func (p Place) Replace(write func(io.Writer) error) error {
	info, err := p.look()
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

// Bare takes the path off an error that will be named with it again.
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
