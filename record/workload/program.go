// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package workload contains the built-in programs. They are small tables of calls, and each is both run and
// printed as C. A new program is a row of All; a new call is a row of calls.
package workload

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Program is a small program, stored as data.
type Program struct {
	Name     string // also the thread's comm while it runs
	Doc      string // what it demonstrates
	steps    []step
	needs    []need
	optional bool // "all" leaves it out if a need is not met
	byName   bool // run only by name; never part of "all"
}

// Names returns the names of all programs, in order.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Find returns the program with this name, or an *UnknownError.
func Find(name string) (Program, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Program{}, &UnknownError{name}
}

// UnknownError says that no program has this name.
type UnknownError struct{ Name string }

// Error names the program.
func (e *UnknownError) Error() string { return fmt.Sprintf("no workload %q", e.Name) }

// Select returns the named programs in the order given. "all" stands for every program except those that run
// only by name, and except the optional ones that this machine cannot run; absent has an error for each of
// the latter.
func Select(names []string) (list []Program, absent []error, err error) {
	for _, name := range names {
		if name == "all" {
			for _, p := range All() {
				switch lacks := p.checkNeeds(); {
				case p.byName:
				case p.optional && lacks != nil:
					absent = append(absent, lacks)
				default:
					list = append(list, p)
				}
			}
			continue
		}
		p, err := Find(strings.TrimSpace(name))
		if err != nil {
			return nil, nil, err
		}
		list = append(list, p)
	}
	return list, absent, nil
}

// Source returns the program as lines of C: the body of its main, or the whole program without the includes
// if something must stand before main.
func (p *Program) Source() []string {
	var before, lines []string
	for i := range p.steps {
		before = append(before, p.steps[i].before...)
		lines = append(lines, p.steps[i].sourceLines()...)
	}
	if before == nil {
		return lines
	}
	for i := range lines {
		lines[i] = "\t" + lines[i]
	}
	return slices.Concat(before, []string{"int main(void)", "{"}, lines, []string{"}"})
}

// Run runs the program on the calling goroutine's thread, which takes the program's name, using system calls
// only. Like the C it stands for, it does not stop when a call fails; the error joins the calls that ended
// otherwise than expected. gate, if not nil, is called after the thread has its name and before the first
// statement. stdout is the descriptor that printf writes to.
func (p *Program) Run(stdout int, gate func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := setComm(p.Name); err != nil {
		return err
	}
	if gate != nil {
		if err := gate(); err != nil {
			return err
		}
	}
	return runSteps(p.steps, &state{comm: p.Name, fds: make(map[variable]int), names: make(map[variable]string), stdout: stdout})
}

func runSteps(steps []step, s *state) error {
	var errs []error
	for i := range steps {
		errs = append(errs, steps[i].execute(s))
	}
	return errors.Join(errs...)
}

// setComm sets the calling thread's comm.
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

// Descriptors of a program that waits to be recorded.
const (
	readyFD = 3 // the program closes it when it is ready to begin
	startFD = 4 // the program begins when it reads the end of file
)

// Wait is the gate of a program run by a recorder. It makes sure that what the process did before, the start
// of its language runtime, is not recorded as part of the program.
func Wait() error {
	if err := unix.Close(readyFD); err != nil {
		return fmt.Errorf("tell the recorder: %w", err)
	}
	var b [1]byte
	if _, err := unix.Read(startFD, b[:]); err != nil {
		return fmt.Errorf("wait for the recorder: %w", err)
	}
	return unix.Close(startFD)
}
