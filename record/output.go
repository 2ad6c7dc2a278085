// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"os"

	"github.com/dtrec/dtrec/internal/tracefile"
	"golang.org/x/sys/unix"
)

// traceFile is the file being written. Each Write is one frame.
type traceFile struct {
	file   *os.File
	name   string        // as told to the user
	path   string        // empty for stdout and /dev/null: nothing to remove or cut
	good   int64         // bytes of whole frames
	events func() uint64 // how many events were in the frames before this one
	kept   uint64        // how many of them are in whole frames
}

// ErrTerminal says that a trace would go to a terminal.
var ErrTerminal = errors.New("a trace is binary and stdout is a terminal")

// place is where a trace goes. Under sudo files of who called it are the caller's own.
func (c *Config) place(path string) tracefile.Place {
	p := tracefile.Place{Path: path, Force: c.Force, User: -1}
	if owner := invoker(os.Getenv); owner != nil {
		p.User = int(owner.uid)
	}
	return p
}

// checkOutput finds what is wrong with the output before anything is attached.
func (c *Config) checkOutput(path string) error {
	if path != "-" {
		return c.place(path).Check()
	}
	if isTerminal(c.Stdout) {
		return ErrTerminal
	}
	return nil
}

// createOutput makes the file, for the user behind sudo.
func (c *Config) createOutput(path string) (*traceFile, error) {
	if path == "-" {
		return &traceFile{file: c.Stdout, name: path}, nil
	}
	f, made, err := c.place(path).Create()
	if err != nil {
		return nil, err
	}
	o := &traceFile{file: f, name: path}
	if !made {
		return o, nil
	}
	o.path = path
	if owner := invoker(os.Getenv); owner != nil {
		if err := f.Chown(int(owner.uid), int(owner.gid)); err != nil {
			return nil, errors.Join(tracefile.Bare(err), o.remove())
		}
	}
	return o, nil
}

func isTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Write writes one frame. A frame that was cut short is taken back.
func (o *traceFile) Write(frame []byte) (int, error) {
	n, err := o.file.Write(frame)
	if err == nil {
		o.good += int64(n)
		if o.events != nil {
			o.kept = o.events()
		}
		return n, nil
	}
	if o.path != "" {
		err = errors.Join(tracefile.Bare(err), o.file.Truncate(o.good))
	}
	return n, tracefile.Bare(err)
}

// close ends the file.
func (o *traceFile) close() error {
	if o.path == "" {
		return nil
	}
	return tracefile.Bare(o.file.Close())
}

func (o *traceFile) remove() error {
	if o.path == "" {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.path))
}
