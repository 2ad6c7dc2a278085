// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Lack is what a machine does not have that recording needs.
type Lack int

// The kinds of lack.
const (
	LackPrivilege Lack = iota + 1 // CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN
	LackBTF                       // the kernel's type information
	LackLockdown                  // the kernel is locked down against tracing
	LackTracing                   // the kernel has no BPF tracing, or refuses it to everyone
	LackProbe                     // a required role has no probe
	LackHooks                     // hooks in functions are switched off
)

// MissingError says what recording on this machine lacks.
type MissingError struct {
	Lack     Lack
	What     string    // names it, e.g. "CAP_BPF and CAP_PERFMON"
	Attempts []Attempt // everything tried; none if it did not come to that
	Err      error     // what the kernel answered
}

// Error says what is missing.
func (e *MissingError) Error() string {
	if e.Err == nil {
		return "no " + e.What
	}
	return fmt.Sprintf("no %s: %v", e.What, e.Err)
}

// Unwrap returns what the kernel answered.
func (e *MissingError) Unwrap() error { return e.Err }

// SizeError says that the kernel gives no memory for so much as was asked for.
type SizeError struct {
	Flag  string // of record
	Value uint32
	Err   error
}

// Error names the value.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s %d is more than this kernel gives: %v", e.Flag, e.Value, e.Err)
}

// Unwrap returns what the kernel answered.
func (e *SizeError) Unwrap() error { return e.Err }

const (
	capSysAdmin = 21
	capPerfmon  = 38
	capBPF      = 39
)

// refusal turns the kernel's first refusal (EPERM or anything else) into what is
// missing, by asking what this process may do.
func refusal(err error) *MissingError {
	if errors.Is(err, unix.EPERM) {
		err = unix.EPERM // where exactly it refused does not help
	}
	if missing := missingCapabilities("/proc/self/status"); missing != "" {
		return &MissingError{Lack: LackPrivilege, What: missing, Err: err}
	}
	if lockdown("/sys/kernel/security/lockdown") == "confidentiality" { // integrity forbids none of what is done here
		if errno := unix.Errno(0); errors.As(err, &errno) {
			err = errno // the verifier's log tells of a helper that is not there
		}
		return &MissingError{Lack: LackLockdown, What: "BPF tracing under lockdown=confidentiality", Err: err}
	}
	return &MissingError{Lack: LackTracing, What: "BPF tracing on this kernel", Err: err}
}

// missingCapabilities names the capabilities the process would need and has not,
// by the CapEff line of a status file; empty when it has them or cannot know.
func missingCapabilities(path string) string {
	caps, err := capEff(path)
	if err != nil || caps&(1<<capSysAdmin) != 0 {
		return ""
	}
	var missing []string
	if caps&(1<<capBPF) == 0 {
		missing = append(missing, "CAP_BPF")
	}
	if caps&(1<<capPerfmon) == 0 {
		missing = append(missing, "CAP_PERFMON")
	}
	return strings.Join(missing, " and ")
}

// lockdown returns the mode in brackets of a lockdown file, empty without one.
func lockdown(path string) string {
	modes, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, mode, _ := strings.Cut(string(modes), "[")
	mode, _, _ = strings.Cut(mode, "]")
	return mode
}
