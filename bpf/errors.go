// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Lack is the kind of thing that recording needs and this machine does not have.
type Lack int

// The kinds of lack.
const (
	LackPrivilege  Lack = iota + 1 // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN
	LackBTF                        // the kernel's type information
	LackLockdown                   // the kernel is locked down against tracing
	LackTracing                    // the kernel has no BPF tracing
	LackProbe                      // a required role has no probe
	LackHooks                      // hooks in functions are switched off
	LackPermission                 // the kernel has BPF tracing and refuses it in spite of all capabilities
	LackFiles                      // this process, or the machine, may open no more files
	LackMemory                     // the kernel had no memory left
)

// MissingError says what this machine lacks for recording.
type MissingError struct {
	Lack     Lack
	What     string    // name of what is missing, e.g. "CAP_BPF and CAP_PERFMON"
	Attempts []Attempt // everything that was tried; nil if it failed before attaching
	Err      error     // the kernel's answer
}

// Error says what is missing.
func (e *MissingError) Error() string {
	if e.Err == nil {
		return "no " + e.What
	}
	return fmt.Sprintf("no %s: %v", e.What, e.Err)
}

// Unwrap returns the kernel's answer.
func (e *MissingError) Unwrap() error { return e.Err }

// SizeError says that the kernel refused to allocate as much memory as was asked for.
type SizeError struct {
	Flag  string // the flag of dtrec record that sets the size, e.g. "--buffer"
	Value uint32
	Err   error
}

// Error names the flag and its value.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s %d is more than this kernel gives: %v", e.Flag, e.Value, e.Err)
}

// Unwrap returns the kernel's answer.
func (e *SizeError) Unwrap() error { return e.Err }

// refusal turns the kernel's first refusal (EPERM or any other error) into a MissingError by checking this
// process's capabilities and the lockdown mode.
func refusal(err error) *MissingError {
	if errors.Is(err, unix.EPERM) {
		err = unix.EPERM // where exactly the kernel refused is of no use
	}
	if missing := missingCapabilities("/proc/self/status"); missing != "" {
		return &MissingError{Lack: LackPrivilege, What: missing, Err: err}
	}
	if lockdownMode("/sys/kernel/security/lockdown") == "confidentiality" { // mode integrity forbids nothing that is done here
		if errno := unix.Errno(0); errors.As(err, &errno) {
			err = errno // the verifier's log would only complain of an unknown helper
		}
		return &MissingError{Lack: LackLockdown, What: "BPF tracing under lockdown=confidentiality", Err: err}
	}
	if errors.Is(err, unix.EPERM) {
		return &MissingError{Lack: LackPermission, What: "permission for BPF tracing", Err: err}
	}
	return &MissingError{Lack: LackTracing, What: "BPF tracing on this kernel", Err: err}
}

// shortage returns a MissingError for an error that says what there was too little of, and nil for any other.
// It is no answer about the kernel, whatever was asked of it then.
func shortage(err error) *MissingError {
	if errors.As(err, new(*SizeError)) {
		return nil
	}
	missing := &MissingError{Lack: LackFiles, What: "file descriptor left for the probes"}
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if !errors.Is(err, errno) {
			continue
		}
		if missing.Err = errno; errno == unix.ENOMEM {
			missing.Lack, missing.What = LackMemory, "memory left for the probes"
		}
		if whole := (*MissingError)(nil); errors.As(err, &whole) {
			missing.Attempts = whole.Attempts
		}
		return missing
	}
	return nil
}

// missingCapabilities returns the names of the capabilities that the process needs and does not have, by a
// status file; empty if it has them or if that cannot be found out.
func missingCapabilities(path string) string {
	have, err := effectiveCapabilities(path)
	if err != nil || slices.Contains(have, "CAP_SYS_ADMIN") {
		return ""
	}
	missing := slices.DeleteFunc([]string{"CAP_BPF", "CAP_PERFMON"}, func(c string) bool { return slices.Contains(have, c) })
	return strings.Join(missing, " and ")
}

// lockdownMode returns the mode in brackets in a lockdown file; empty if there is no such file.
func lockdownMode(path string) string {
	modes, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, mode, _ := strings.Cut(string(modes), "[")
	mode, _, _ = strings.Cut(mode, "]")
	return mode
}
