// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/schema"
	"golang.org/x/sys/unix"
)

// hookSwitch is a file with which root disables the hooks in all kernel functions, no matter whose they are,
// and enables them again. The programs stay attached but are not run, and no counter shows it.
type hookSwitch struct {
	path    string
	affects func(schema.Attach) bool // reports whether hooks attached in this way depend on it
	// handler is the function that reads and writes the value under a lock which is held while any tracer
	// attaches to or detaches from functions; nil if there is no such lock.
	handler *candidate
}

var hookSwitches = []hookSwitch{
	{"/proc/sys/kernel/ftrace_enabled", func(a schema.Attach) bool { return a != schema.TPBTF }, // kprobes at a function's entry use ftrace, too
		&candidate{symbol: "proc_dointvec", attach: schema.Fexit, program: "sysctl", params: []string{"ctl_table", "", "", "", ""}}},
	{"/sys/kernel/debug/kprobes/enabled", func(a schema.Attach) bool { return a == schema.Kprobe || a == schema.Kretprobe }, nil},
}

// switches are those on which a recording depends, as far as this user may read them. They are read, which
// shows that one is off, and watched, which shows that one was off: a write is noticed by a process that has
// the file open in the same mount of procfs. If the handler of a switch has a probe, the kernel side reports
// both, and ignores a write that changes nothing, as trace-cmd's; the file is then not read while the ring
// fills.
type switches struct {
	files    []*os.File
	probed   *os.File      // the one of files whose handler has a probe; nil if none has
	probe    *handlerProbe // the probe of its handler
	inotify  int           // inotify descriptor; -1 if there is none
	offUntil uint64        // hooks may be missing until then, nanoseconds since boot; 0 if none are
}

// handlerProbe is a probe of a handler and what it shows.
type handlerProbe struct {
	attached *attached
	read     func() (switched uint32, off bool) // how often the switch was turned off, and whether it is off
	switched uint32                             // count at the last look
}

// rehookTime is the longest time in nanoseconds until hooks are back: a switch reads on before they are, and
// the write is reported after that.
const rehookTime = 1e9

// openSwitches opens the switches that matter to what is attached. probe attaches a probe to the handler of a
// file and makes it run once; it returns nil if it cannot.
func openSwitches(list []hookSwitch, attempts []Attempt, probe func(*os.File, candidate) *handlerProbe) *switches {
	s := &switches{inotify: -1}
	if fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err == nil {
		s.inotify = fd
	}
	for _, file := range list {
		if !slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Attached && file.affects(a.Attach) }) {
			continue
		}
		f, err := os.Open(file.path)
		if err != nil {
			continue // no such switch, or this user may not read it
		}
		s.files = append(s.files, f)
		if file.handler != nil {
			if s.probe = probe(f, *file.handler); s.probe != nil {
				s.probed = f
				continue
			}
		}
		if s.inotify >= 0 {
			_, _ = unix.InotifyAddWatch(s.inotify, file.path, unix.IN_MODIFY)
		}
	}
	return s
}

func isOff(f *os.File) bool {
	var buf [8]byte
	n, _ := f.ReadAt(buf[:], 0)
	return strings.TrimSpace(string(buf[:n])) == "0"
}

// check returns a *MissingError if a switch is off.
func (s *switches) check() error {
	for _, f := range s.files {
		if isOff(f) {
			return &MissingError{Lack: LackHooks, What: "hooks in kernel functions", Err: fmt.Errorf("%s is 0", f.Name())}
		}
	}
	return nil
}

// wasOff reports whether a switch was, or may have been, off since the last look.
func (s *switches) wasOff() (was bool) {
	var buf [4096]byte
	if s.inotify >= 0 {
		n, _ := unix.Read(s.inotify, buf[:])
		was = n > 0
	}
	now := Now()
	for _, f := range s.files {
		was = was || f != s.probed && isOff(f)
	}
	if p := s.probe; p != nil {
		switched, off := p.read()
		was = was || off || switched != p.switched
		p.switched = switched
	}
	if was {
		s.offUntil = now + rehookTime
	}
	return now < s.offUntil
}

func (s *switches) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	if s.inotify >= 0 {
		errs = append(errs, unix.Close(s.inotify))
	}
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	if s.probe != nil {
		errs = append(errs, s.probe.attached.close())
	}
	return errors.Join(errs...)
}

// probeHandler attaches a probe to the handler of a switch and reads the file, by which the probe learns
// where the value is.
func (s *Session) probeHandler(a *attacher, f *os.File, c candidate) *handlerProbe {
	if s.mode == KprobeMode {
		return nil
	}
	hooked, err := a.attach(schema.Role_ROLE_UNSPECIFIED, c)
	if err != nil {
		return nil
	}
	var at uint64
	isOff(f)
	if s.vars["hook_switch"].Get(&at) != nil || at == 0 || s.queries.Variables["hook_switch"].Set(at) != nil {
		_ = hooked.close()
		return nil
	}
	return &handlerProbe{attached: hooked, read: func() (switched uint32, off bool) {
		var unhooked uint32
		if errors.Join(s.vars["switched_off"].Get(&switched), s.queries.Variables["unhooked"].Get(&unhooked)) != nil {
			return 0, true
		}
		return switched, unhooked != 0
	}}
}

// switchedOffLosses returns the loss of what happened without hooks since the last look. Nobody knows how much that
// was, so it is counted as one.
func (s *Session) switchedOffLosses() []*schema.Loss {
	off := []*schema.Loss{{Cause: schema.LossSwitchedOff, Count: 1, FirstNs: s.polled, LastNs: Now()}}
	for _, a := range s.attempts {
		if a.Role == schema.RoleFork && a.Attached && a.Attach != schema.TPBTF && s.follows {
			off = append(off, &schema.Loss{Cause: schema.LossWatchOverflow, Role: a.Role, Count: 1, FirstNs: s.polled, LastNs: Now()})
		}
	}
	return off
}
