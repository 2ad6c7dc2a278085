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
	events func() uint64 // how many events are in the frames written, the one at hand included
	kept   uint64        // how many of them are in whole frames
	queue  *frameQueue   // of which another goroutine writes, good and kept are its own until it is closed; nil: none
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

// behind has the frames from now on, in which there are so many events, written by a goroutine: who reads the ring buffer does
// not wait for a disk, or for the reader of a pipe.
func (o *traceFile) behind(events func() uint64) {
	o.events, o.queue = events, newFrameQueue(o.put)
}

// Write writes one frame, or has it written. What went wrong with those before is told then, or by close.
func (o *traceFile) Write(frame []byte) (int, error) {
	write, events := o.put, uint64(0)
	if o.queue != nil {
		write, events = o.queue.add, o.events()
	}
	if err := write(frame, events); err != nil {
		return 0, err
	}
	return len(frame), nil
}

// put writes a frame, with which there are so many events. One that was cut short is taken back.
func (o *traceFile) put(frame []byte, events uint64) error {
	_, err := o.file.Write(frame)
	if err == nil {
		o.good, o.kept = o.good+int64(len(frame)), events
		return nil
	}
	if o.path != "" {
		err = errors.Join(tracefile.Bare(err), o.file.Truncate(o.good))
	}
	return tracefile.Bare(err)
}

// close ends the file, when all of it is written.
func (o *traceFile) close() error {
	var err error
	if o.queue != nil {
		err, o.queue = o.queue.close(), nil
	}
	if o.path == "" {
		return err
	}
	return errors.Join(err, tracefile.Bare(o.file.Close()))
}

func (o *traceFile) remove() error {
	if o.path == "" {
		return nil
	}
	return errors.Join(o.close(), os.Remove(o.path))
}
