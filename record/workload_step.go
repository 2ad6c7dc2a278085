// SPDX-License-Identifier: Apache-2.0

//go:build linux

package record

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const dropCaches = "/proc/sys/vm/drop_caches"

// step is one statement of a workload. The two methods say the same: what run does
// is what source prints.
type step interface {
	run(s *state) error
	source() []string
}

// state is the variables of a running workload.
type state struct {
	comm   string
	fds    map[string]int
	names  map[string]string
	stdout int
}

// RunWorkload runs the workload on the calling goroutine's thread, which takes its
// name, and by system calls alone. Like the C it stands for, it does not stop at a
// call that fails; the error is what failed against expectation. Gate, if not nil,
// is called when the thread has its name and before the first statement.
func RunWorkload(w *Workload, stdout int, gate func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setComm(w.Name); err != nil {
		return err
	}
	if gate != nil {
		if err := gate(); err != nil {
			return err
		}
	}
	s := &state{comm: w.Name, fds: make(map[string]int), names: make(map[string]string), stdout: stdout}
	var errs []error
	for _, step := range w.steps {
		errs = append(errs, step.run(s))
	}
	return errors.Join(errs...)
}

// setComm gives the calling thread a name.
func setComm(name string) error {
	comm, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(comm)), 0, 0, 0); err != nil {
		return fmt.Errorf("set the task's name: %w", err)
	}
	return nil
}

// longName builds the name of minimal_open.
type longName struct{}

func (longName) run(s *state) error {
	s.names["name"] = fmt.Sprintf("%s%010d", longPrefix, time.Now().Unix())
	return nil
}

func (longName) source() []string {
	return []string{
		"char name[65];",
		`snprintf(name, sizeof(name), "` + longPrefix + `%010ld", (long)time(NULL));`,
	}
}

// open calls open(2) on a path, or on the variable called name; with at, openat(2).
type open struct {
	path, name string
	at         string // the variable of the directory's descriptor
	flags      int
	mode       uint32
	fd         string     // the variable for the result; empty: none
	errno      unix.Errno // how it is expected to fail; 0: it is not
}

func (o open) run(s *state) error {
	path := o.path
	if o.name != "" {
		path = s.names[o.name]
	}
	dir := unix.AT_FDCWD
	if o.at != "" {
		dir = s.fds[o.at]
	}
	fd, err := unix.Openat(dir, path, o.flags, o.mode)
	if err != nil {
		fd = -1
	}
	if o.fd != "" {
		s.fds[o.fd] = fd
	}
	switch {
	case o.errno != 0 && err == nil:
		return fmt.Errorf("open %s: it was to fail with: %w", path, o.errno)
	case o.errno != 0 && errors.Is(err, o.errno), err == nil:
		return nil
	default:
		return fmt.Errorf("open %s: %w", path, err)
	}
}

func (o open) source() []string {
	args := operand(o.path, o.name) + ", " + flagNames(o.flags)
	if o.flags&unix.O_CREAT != 0 || o.flags&unix.O_TMPFILE == unix.O_TMPFILE {
		args += fmt.Sprintf(", %#o", o.mode)
	}
	call := "open(" + args + ");"
	if o.at != "" {
		call = "openat(" + o.at + ", " + args + ");"
	}
	if o.fd != "" {
		call = "int " + o.fd + " = " + call
	}
	return []string{call}
}

// creat makes a file and closes it.
type creat struct{ path string }

func (c creat) run(*state) error {
	fd, err := unix.Creat(c.path, 0o644)
	if err == nil {
		err = unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("creat %s: %w", c.path, err)
	}
	return nil
}

func (c creat) source() []string {
	return []string{"close(creat(" + quote(c.path) + ", 0644));"}
}

// closeFD closes the descriptor in a variable.
type closeFD string

func (c closeFD) run(s *state) error {
	if err := unix.Close(s.fds[string(c)]); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

func (c closeFD) source() []string { return []string{"close(" + string(c) + ");"} }

// unlink removes a file.
type unlink struct{ path, name string }

func (u unlink) run(s *state) error {
	path := u.path
	if u.name != "" {
		path = s.names[u.name]
	}
	if err := unix.Unlink(path); err != nil {
		return fmt.Errorf("unlink %s: %w", path, err)
	}
	return nil
}

func (u unlink) source() []string { return []string{"unlink(" + operand(u.path, u.name) + ");"} }

// syncAll writes dirty data back: dirty inodes keep their dentries.
type syncAll struct{}

func (syncAll) run(*state) error { unix.Sync(); return nil }

func (syncAll) source() []string { return []string{"sync();"} }

// writeFD writes text to the descriptor in a variable.
type writeFD struct{ fd, text string }

func (w writeFD) run(s *state) error {
	if _, err := unix.Write(s.fds[w.fd], []byte(w.text)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (w writeFD) source() []string {
	return []string{fmt.Sprintf("write(%s, %s, %d);", w.fd, quote(w.text), len(w.text))}
}

// pwriteFD writes text at offset 0 of the descriptor in a variable.
type pwriteFD struct{ fd, text string }

func (w pwriteFD) run(s *state) error {
	if _, err := unix.Pwrite(s.fds[w.fd], []byte(w.text), 0); err != nil {
		return fmt.Errorf("pwrite: %w", err)
	}
	return nil
}

func (w pwriteFD) source() []string {
	return []string{fmt.Sprintf("pwrite(%s, %s, %d, 0); // dentries used twice survive the first", w.fd, quote(w.text), len(w.text))}
}

// printFD prints a descriptor by a format with one %d.
type printFD struct{ format, fd string }

func (p printFD) run(s *state) error {
	if _, err := unix.Write(s.stdout, fmt.Appendf(nil, p.format, s.fds[p.fd])); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (p printFD) source() []string {
	return []string{fmt.Sprintf("printf(%s, %s);", quote(p.format), p.fd)}
}

func operand(path, name string) string {
	if name != "" {
		return name
	}
	return quote(path)
}

// quote is a C string literal. What is not printable ASCII is in octal, which unlike
// hexadecimal ends after three digits.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// flagNames spells the flags of open in C. O_TMPFILE holds the bit of O_DIRECTORY.
func flagNames(flags int) string {
	names := []string{[]string{"O_RDONLY", "O_WRONLY", "O_RDWR"}[flags&unix.O_ACCMODE]}
	for _, f := range []struct {
		bits int
		name string
	}{{unix.O_CREAT, "O_CREAT"}, {unix.O_EXCL, "O_EXCL"}, {unix.O_PATH, "O_PATH"}, {unix.O_NOFOLLOW, "O_NOFOLLOW"},
		{unix.O_TMPFILE, "O_TMPFILE"}, {unix.O_DIRECTORY, "O_DIRECTORY"}} {
		if flags&f.bits == f.bits {
			names = append(names, f.name)
			flags &^= f.bits
		}
	}
	return strings.Join(names, " | ")
}
