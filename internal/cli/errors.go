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
	exitSkip     = 125 // diff --bisect's instead of 2, for which git bisect run skips the commit
)

// exitError ends dtrec with an exit code. If err is nil nothing is printed, and the code alone is the
// message.
type exitError struct {
	code int
	err  error
	hint string // the remedy, printed as the second line
}

// answerError returns the error of a command after it has written its answer. If the answer is no, the exit
// code is 1 even if the reader of the output closed the pipe early.
func answerError(no bool, written error) error {
	if no && (written == nil || errors.Is(written, syscall.EPIPE)) {
		return &exitError{code: exitNegative, err: written}
	}
	return written
}

// Error returns the text of the cause, or "" if there is none.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// remedy says what to do about an error.
type remedy struct {
	err  error
	hint string
}

// hintFor returns the hint of the first of the known errors that err is, or else otherwise.
func hintFor(err error, otherwise string, known ...remedy) string {
	for _, r := range known {
		if errors.Is(err, r.err) {
			return r.hint
		}
	}
	return otherwise
}
