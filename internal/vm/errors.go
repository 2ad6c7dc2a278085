// SPDX-License-Identifier: Apache-2.0

//go:build linux

package vm

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of this package, for errors.Is. Those about the guest are wrapped in a *GuestError.
var (
	// ErrNoQEMU: QEMU or mke2fs is not installed on this machine.
	ErrNoQEMU = errors.New("not found on this machine")
	// ErrNotBootable: the kernel file is not a Linux image that can be booted here, or it is truncated.
	ErrNotBootable = errors.New("not a bootable kernel image")
	// ErrModules: the kernel's modules cannot be used because they belong to another release or are damaged.
	ErrModules = errors.New("not this kernel's modules")
	// ErrNoProgram: there is no program for the kernel's architecture.
	ErrNoProgram = errors.New("not there")
	// ErrNotStatic: dtrec itself, which is the guest's init, needs a dynamic loader.
	ErrNotStatic = errors.New("dynamically linked, and the guest has no loader")
	// ErrNoLibraries: the libraries of a program for the guest were not found on the host.
	ErrNoLibraries = errors.New("its libraries cannot be taken along")
	// ErrNoBoot: the kernel did not get as far as starting init.
	ErrNoBoot = errors.New("the guest did not reach init")
	// ErrPanic: the guest's kernel panicked.
	ErrPanic = errors.New("the guest's kernel panicked")
	// ErrTimeout: the run took longer than its Timeout.
	ErrTimeout = errors.New("the guest did not end in time")
	// ErrInit: the guest's init could not mount, start the job or write the outputs.
	ErrInit = errors.New("in the guest")
	// ErrLacks: the guest's kernel has no driver for what the run needs, neither built in nor as a module
	// that was found.
	ErrLacks = errors.New("the kernel has no driver for it")
	// ErrDied: the guest ended without sending a result.
	ErrDied = errors.New("the guest ended without a result")
	// ErrNoOutput: the job ended with exit code 0 but did not write an output.
	ErrNoOutput = errors.New("not written by the job")
	// ErrBadOutput: the archive of outputs is damaged or contains something that was not asked for.
	ErrBadOutput = errors.New("the guest's archive of outputs is not sound")
)

// errHung is the ErrNoBoot of a guest that hung while QEMU was still running.
var errHung = fmt.Errorf("%w", ErrNoBoot)

// lackError is an ErrLacks with its own message.
type lackError string

func (l lackError) Error() string { return string(l) }

func (lackError) Is(target error) bool { return target == ErrLacks }

// GuestError is a failure of the guest, with the last lines of its console.
type GuestError struct {
	// Err is the cause; it wraps one of the errors of this package or the context's.
	Err error
	// Console holds the last lines of the kernel's console with control characters replaced; empty if there
	// was no output.
	Console []string
}

// Error returns the cause, followed by the console's last lines, indented.
func (e *GuestError) Error() string {
	if len(e.Console) == 0 {
		return fmt.Sprintf("%v; its console is empty", e.Err)
	}
	return fmt.Sprintf("%v; the end of its console:\n    %s", e.Err, strings.Join(e.Console, "\n    "))
}

// Unwrap returns the cause.
func (e *GuestError) Unwrap() error { return e.Err }
