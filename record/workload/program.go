// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package workload has the built-in programs: small ones, as tables of calls, each of which
// is both run and printed as C. A new one is a row of All; a new call is a row of calls.
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

// Program is a small program as data.
type Program struct {
	Name     string // also its task_struct.comm
	Doc      string // what it shows
	steps    []step
	needs    []need
	optional bool // "all" does without it where a need is not met
	byName   bool // "all" is without it
}

// Names lists the names in order.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Find returns the program of that name, or an *UnknownError.
func Find(name string) (Program, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Program{}, &UnknownError{name}
}

// UnknownError says that there is no program of that name.
type UnknownError struct{ Name string }

// Error names it.
func (e *UnknownError) Error() string { return fmt.Sprintf("no workload %q", e.Name) }

// Select resolves names, in the order given. "all" is every program but those run
// by name only; of those, absent are the optional ones this machine cannot run.
func Select(names []string) (list []Program, absent []error, err error) {
	for _, name := range names {
		if name == "all" {
			for _, p := range All() {
				switch lacks := p.lacks(); {
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

// Source returns the program as lines of C: the body of its main, or where something
// has to stand before main the whole of it without the includes.
func (p *Program) Source() []string {
	var before, lines []string
	for i := range p.steps {
		before = append(before, p.steps[i].before...)
		lines = append(lines, p.steps[i].lines()...)
	}
	if before == nil {
		return lines
	}
	for i := range lines {
		lines[i] = "\t" + lines[i]
	}
	return slices.Concat(before, []string{"int main(void)", "{"}, lines, []string{"}"})
}

// Run runs the program on the calling goroutine's thread, which takes its name, and by
// system calls alone. Like the C it stands for, it does not stop at a call that fails; the
// error is what failed against expectation. Gate, if not nil, is called when the thread has
// its name and before the first statement.
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

// Descriptors of a program that waits to be recorded.
const (
	readyFD = 3 // it closes it when it is about to begin
	startFD = 4 // at its end it begins
)

// Wait is the gate of a program run by a recorder: what the process did up to here, its
// language runtime's start-up, is not part of the program.
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
