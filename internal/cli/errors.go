// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"syscall"
)

// Exit codes besides 0.
const (
	exitNegative = 1   // the answer is no: refuted, different, not possible here
	exitTrouble  = 2   // no answer: bad usage, bad input, no privilege
	exitSkip     = 125 // instead, of diff --bisect: git bisect run skips the commit
)

// exitError ends dtrec with an exit code. With err nil nothing is printed: the code
// alone is the message.
type exitError struct {
	code int
	err  error
	hint string // the remedy, printed as the second line
}

// answer is the error of a command that has written its answer: whether that is no, also
// where nobody read it to the end.
func answer(no bool, written error) error {
	if no && (written == nil || errors.Is(written, syscall.EPIPE)) {
		return &exitError{code: exitNegative, err: written}
	}
	return written
}

// Error is the cause.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }
