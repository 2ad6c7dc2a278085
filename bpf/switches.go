// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// hookSwitch is a file with which root takes hooks away from all kernel functions, whoever's they are, and gives them back: the
// programs stay attached, are not run, and no counter tells.
type hookSwitch struct {
	path string
	of   func(schema.Attach) bool // whose hooks
}

var hookSwitches = []hookSwitch{
	{"/proc/sys/kernel/ftrace_enabled", func(a schema.Attach) bool { return a != schema.TPBTF }}, // kprobes at an entry are ftrace's, too
	{"/sys/kernel/debug/kprobes/enabled", func(a schema.Attach) bool { return a == schema.Kprobe || a == schema.Kretprobe }},
}

// switches are those on which a recording depends, as far as this user may read them. They are read, which shows that one is
// off, and watched, which shows that one was: a write is noticed by who has the file open in the same mount of procfs.
type switches struct {
	files  []*os.File
	writes int    // descriptor of inotify; -1: there is none
	until  uint64 // hooks may be missing, nanoseconds since boot; 0: none is
}

// rehooking is how long hooks may take to be back, nanoseconds: a switch is on before they are, and the write is told after.
const rehooking = 1e9

// openSwitches finds those of what is attached.
func openSwitches(list []hookSwitch, attempts []Attempt) *switches {
	s := &switches{writes: -1}
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		s.writes = fd
	}
	for _, file := range list {
		depends := false
		for _, a := range attempts {
			depends = depends || a.Attached && file.of(a.Attach)
		}
		if !depends {
			continue
		}
		f, err := os.Open(file.path)
		if err != nil {
			continue // no such switch, or not for this user
		}
		s.files = append(s.files, f)
		if s.writes >= 0 {
			_, _ = unix.InotifyAddWatch(s.writes, file.path, unix.IN_MODIFY)
		}
	}
	return s
}

// check returns the error of one that is off.
func (s *switches) check() error {
	_, off := s.look()
	if off == "" {
		return nil
	}
	return &MissingError{Lack: LackHooks, What: "hooks in kernel functions", Err: fmt.Errorf("%s is 0", off)}
}

// look reports whether one was, or may have been, off since the last look, and which is.
func (s *switches) look() (was bool, off string) {
	var buf [4096]byte
	if s.writes >= 0 {
		n, _ := unix.Read(s.writes, buf[:])
		was = n > 0
	}
	now := Now()
	for _, f := range s.files {
		if n, _ := f.ReadAt(buf[:8], 0); strings.TrimSpace(string(buf[:n])) == "0" {
			off = f.Name()
		}
	}
	if was || off != "" {
		s.until = now + rehooking
	}
	return now < s.until, off
}

func (s *switches) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	if s.writes >= 0 {
		errs = append(errs, unix.Close(s.writes))
	}
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
