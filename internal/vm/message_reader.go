// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// messageReader reads the control port on the host. It is an io.Writer that handles init's messages as they come.
type messageReader struct {
	onAlive  func(message) // called when init first speaks
	onNotice func(string)  // called for each notice
	onLast   func()        // called when init has sent its last message
	// outputs receives the bytes of the outputs in chunks; size is how many there were.
	outputs io.WriterAt
	size    int64
	last    message // the last message, Done or Error; Alive as soon as init has spoken
	bad     error   // the first error in what was received
	line    []byte
}

// Write takes bytes from the port. It never fails; errors are kept for result.
func (d *messageReader) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		head, tail, whole := bytes.Cut(rest, []byte("\n"))
		if len(d.line)+len(head) <= maxMessage {
			d.line = append(d.line, head...)
		}
		if whole {
			d.handle(d.line)
			d.line = d.line[:0]
		}
		rest = tail
	}
	return len(p), nil
}

func (d *messageReader) handle(line []byte) {
	var m message
	err := json.Unmarshal(line, &m)
	if err == nil {
		err = m.check()
	}
	switch {
	case d.last.Done || d.last.Error != "":
		// Nothing after the last message counts.
	case err != nil:
		d.bad = cmp.Or(d.bad, fmt.Errorf("%w: its init said %q: %w", ErrDied, line, err))
	case m.Alive && !d.last.Alive:
		d.last.Alive = true
		d.onAlive(m)
	case m.Notice != "":
		d.onNotice(printable(m.Notice))
	case len(m.Chunk) > 0:
		d.writeChunk(m.Chunk)
	case m.Done || m.Error != "":
		m.Alive = d.last.Alive
		d.last = m
		d.onLast()
	}
}

// writeChunk writes the next bytes of the outputs to the file of the output disk.
func (d *messageReader) writeChunk(chunk []byte) {
	at := d.size
	if d.size += int64(len(chunk)); d.size > outputSize {
		d.bad = cmp.Or(d.bad, fmt.Errorf("%w: more than %d bytes", ErrBadOutput, int64(outputSize)))
		return
	}
	_, err := d.outputs.WriteAt(chunk, at)
	d.bad = cmp.Or(d.bad, err)
}

// result turns the way the guest ended into an error; nil if its job ran to its end. complaint is QEMU's
// stderr, exit the error with which it ended.
func (d *messageReader) result(ctx context.Context, console *consoleTail, exit error, complaint string) error {
	if d.last.Done && d.size == 0 {
		return nil
	}
	if d.last.Done {
		return d.bad // receiving the outputs may have failed
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errStillUp) {
		cause = nil
	}
	switch {
	case d.last.Lacks:
		return lackError(printable(d.last.Error))
	case d.last.Error != "":
		return console.guestError(fmt.Errorf("%w: %s", ErrInit, printable(d.last.Error)))
	case errors.Is(cause, ErrTimeout), errors.Is(cause, ErrNoBoot):
		return console.guestError(cause)
	case cause != nil:
		return cause
	case console.sawPanic:
		return console.guestError(ErrPanic)
	case exit != nil:
		return console.guestError(fmt.Errorf("%w: QEMU: %w: %s", ErrDied, exit, complaint))
	case d.bad != nil:
		return console.guestError(d.bad)
	case !d.last.Alive:
		return console.guestError(ErrNoBoot)
	}
	return console.guestError(ErrDied)
}

const (
	tailBytes = 16 << 10 // of the console that are kept
	tailLines = 20       // of the console that are shown
)

// consoleTail is an io.Writer that passes the console on to w and keeps its end.
type consoleTail struct {
	w   io.Writer
	end []byte
	// sawPanic is set once the kernel has panicked; the message itself may no longer be in end.
	sawPanic bool
}

// Write never fails, because a console that cannot be written is no reason to end a run.
func (t *consoleTail) Write(p []byte) (int, error) {
	if t.w != nil {
		if _, err := t.w.Write(p); err != nil {
			t.w = nil
		}
	}
	t.end = append(t.end, p...)
	t.sawPanic = t.sawPanic || bytes.Contains(t.end, []byte("Kernel panic - not syncing"))
	if extra := len(t.end) - tailBytes; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return len(p), nil
}

// lines returns the last lines of the console, safe to show on a terminal.
func (t *consoleTail) lines() []string {
	var lines []string
	for line := range strings.Lines(string(t.end)) {
		if line = strings.TrimRight(line, "\r\n "); line != "" {
			lines = append(lines, printable(line))
		}
	}
	return lines[max(0, len(lines)-tailLines):]
}

// guestError returns the error as one of the guest, with the end of its console.
func (t *consoleTail) guestError(err error) error { return &GuestError{Err: err, Console: t.lines()} }

// printable replaces characters that could control a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0)) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
