// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/internal/vm"
	"github.com/dtrec/dtrec/record"
	"golang.org/x/sys/unix"
)

// TestExplainRecord checks the exit code and the remedy of what can only go wrong once probes are attached.
func TestExplainRecord(t *testing.T) {
	gone := &tracefile.RefusedError{What: "the file was removed", Remedy: "record again"}
	for _, test := range []struct {
		err  error
		code int
		hint string
	}{
		{&record.InterruptedError{What: "the command", Code: 130}, 130, "record again"},
		{&bpf.MissingError{Lack: bpf.LackFiles, Err: unix.EMFILE}, exitTrouble, "ulimit -n"},
		{&tracefile.LostError{Path: "run.pb", Err: errors.Join(gone)}, exitTrouble, "record again"},
		{&tracefile.LostError{Path: "run.pb", Kept: 7, Err: unix.ENOSPC}, exitTrouble, "the 7 events written so far"},
	} {
		var got *exitError
		if err := explainRecord(newRecordCmd(), test.err); !errors.As(err, &got) || got.code != test.code || !strings.Contains(got.hint, test.hint) {
			t.Errorf("%v: %+v, want code %d and %q", test.err, got, test.code, test.hint)
		}
	}
}

// TestNoOutputOfADevice checks that /dev/null is not expected to come back out of the guest.
func TestNoOutputOfADevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.pb")
	for path, want := range map[string]int{os.DevNull: 0, "/dev/../dev/null": 0, file: 1} {
		var c vm.Config
		if err := requestOutput(&c, path, newRecordCmd().Flags()); err != nil || len(c.Outputs) != want {
			t.Errorf("%s: %q, %v, want %d outputs", path, c.Outputs, err, want)
		}
	}
}
