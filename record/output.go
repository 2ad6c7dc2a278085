// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/dtrec/dtrec/internal/tracefile"
	"golang.org/x/sys/unix"
)

// traceFile is a trace file being written. Each Write is one frame.
type traceFile struct {
	file        *os.File
	name        string        // for messages
	path        string        // empty for stdout and /dev/null, which cannot be truncated or removed
	wholeBytes  int64         // bytes in complete frames
	countEvents func() uint64 // returns the number of events in all frames so far, the one being written included
	wholeEvents uint64        // events in complete frames
	queue       *frameQueue   // its goroutine writes the frames and owns wholeBytes and wholeEvents until closed; nil: none
}

// ErrTerminal reports that the trace would be written to a terminal.
var ErrTerminal = errors.New("a trace is binary and stdout is a terminal")

// place describes where a trace is created. Under sudo, files of the user who called it may be replaced as
// that user's own.
func (c *Config) place(path string) tracefile.Place {
	p := tracefile.Place{Path: path, Force: c.Force, User: -1}
	if owner := sudoCaller(os.Getenv); owner != nil {
		p.User = int(owner.uid)
	}
	return p
}

// checkOutput checks before anything is attached that the trace can be written to path.
func (c *Config) checkOutput(path string) error {
	if path != "-" {
		return c.place(path).Check()
	}
	if isTerminal(c.Stdout) {
		return ErrTerminal
	}
	return nil
}

// createOutput creates the file; under sudo it then belongs to the user who called it.
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
	if owner := sudoCaller(os.Getenv); owner != nil {
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

// writeBehind makes a goroutine write all later frames, so that reading the ring buffer does not wait for a disk or
// for the reader of a pipe. events returns the number of events in all frames so far, the one being written
// included.
func (o *traceFile) writeBehind(events func() uint64) {
	o.countEvents, o.queue = events, newFrameQueue(o.writeFrame)
}

// Write writes one frame, or queues it. An error of a queued frame is returned by a later Write, or by close.
func (o *traceFile) Write(frame []byte) (int, error) {
	write, events := o.writeFrame, uint64(0)
	if o.queue != nil {
		write, events = o.queue.add, o.countEvents()
	}
	if err := write(frame, events); err != nil {
		return 0, err
	}
	return len(frame), nil
}

// writeFrame writes a frame; events is the number of events up to its end. A frame that was written only in part is
// removed from the file again.
func (o *traceFile) writeFrame(frame []byte, events uint64) error {
	if err := o.checkSize(); err != nil {
		return err
	}
	_, err := o.file.Write(frame)
	if err == nil {
		o.wholeBytes, o.wholeEvents = o.wholeBytes+int64(len(frame)), events
		return nil
	}
	if o.path != "" {
		err = errors.Join(tracefile.Bare(err), o.file.Truncate(o.wholeBytes))
	}
	return tracefile.Bare(err)
}

// checkSize returns an error if somebody has cut the file or written to it. A frame written after that would
// leave a hole, or stand behind what is no trace.
func (o *traceFile) checkSize() error {
	if o.path == "" {
		return nil
	}
	info, err := o.file.Stat()
	if err == nil && info.Size() != o.wholeBytes {
		return o.lose("was truncated or written to")
	}
	return tracefile.Bare(err)
}

// checkPlace returns an error if the file is not at its path any more.
func (o *traceFile) checkPlace() error {
	own, err := o.file.Stat()
	if err != nil {
		return tracefile.Bare(err)
	}
	there, err := os.Lstat(o.path) // which may be forbidden without the capabilities that were given up
	stat, ok := own.Sys().(*syscall.Stat_t)
	switch removed := ok && stat.Nlink == 0; {
	case removed && err == nil:
		return o.lose("was replaced")
	case removed:
		return o.lose("was removed")
	case err == nil && !os.SameFile(own, there), errors.Is(err, fs.ErrNotExist):
		return errMoved
	}
	return nil
}

var errMoved = errors.New("the file was moved while recording, and holds the trace where it is now")

// lose says that what was recorded is lost by what somebody did to the file.
func (o *traceFile) lose(how string) error {
	o.wholeBytes, o.wholeEvents = 0, 0
	return &tracefile.RefusedError{
		What:   "the file " + how + " while recording; what was recorded is lost",
		Remedy: "record again, and name a file with -o that nothing touches meanwhile",
	}
}

// close waits until all frames are written and closes the file. Stdout and /dev/null stay open.
func (o *traceFile) close() error {
	var err error
	if o.queue != nil {
		err, o.queue = o.queue.close(), nil
	}
	if o.path == "" {
		return err
	}
	if err == nil {
		err = cmp.Or(o.checkSize(), o.checkPlace())
	}
	return errors.Join(err, tracefile.Bare(o.file.Close()))
}

func (o *traceFile) remove() error {
	if o.path == "" {
		return nil
	}
	return errors.Join(o.close(), os.Remove(o.path))
}
