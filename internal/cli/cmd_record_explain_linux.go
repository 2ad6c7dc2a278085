// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/doctor"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/record"
	"github.com/dtrec/dtrec/record/workload"
	"github.com/spf13/cobra"
)

// summarize says on stderr what was recorded.
func summarize(cmd *cobra.Command, c *record.Config, r record.Result) {
	name := display(r.Output)
	switch {
	case c.Output == "-":
		name = "stdout"
	case r.Files > 1:
		name = fmt.Sprintf("%d files, the last of them %s", r.Files, name)
		if r.Files > c.Rotate {
			name += fmt.Sprintf("; %d are kept", c.Rotate)
		}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s events, %s lost, %s in %s\n",
		record.Count(r.Events), record.Count(r.Lost), record.Size(r.Bytes), name)
	if r.Unreadable > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the names of %s events could not be read\n", record.Count(r.Unreadable))
	}
	if r.Left > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the recording ended with the command; started by it and running on: %s\n", processes(r.Left))
	}
	if r.EndedBy == "limit" || r.EndedBy == "duration" {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the recording ended by its %s\n", r.EndedBy)
	}
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return record.Count(uint64(n)) + " processes"
}

// explainRecord gives an error of a recording its exit code and remedy.
func explainRecord(cmd *cobra.Command, err error) error {
	exit := &exitError{code: exitTrouble, err: err, hint: seeHelp(cmd)}
	var (
		missing *bpf.MissingError
		command *record.CommandError
		lost    *tracefile.LostError
		refused *tracefile.RefusedError
		size    *bpf.SizeError
		need    *workload.NeedError
		unknown *workload.UnknownError
	)
	switch {
	case errors.Is(err, record.ErrTerminal):
		exit.err, exit.hint = record.ErrTerminal, "redirect it, or name a file with -o"
	case errors.As(err, &refused):
		exit.hint = refused.Remedy
	case errors.As(err, &lost) && errors.Is(err, syscall.EPIPE):
		exit.hint = "its reader must read to the end; or name a file with -o"
	case errors.As(err, &lost) && lost.Kept > 0:
		exit.hint = fmt.Sprintf("the %s events written so far are kept and can be read", record.Count(lost.Kept))
	case errors.As(err, &lost):
		exit.hint = "name another file with -o"
	case errors.As(err, &size):
		exit.hint = "give " + size.Flag + " a smaller value"
	case errors.As(err, &command):
		exit.code, exit.err = command.Code, command
		exit.hint = "check its name and PATH"
		if command.Code == 126 {
			exit.hint = "check that it is a program and may be executed"
		}
	case errors.As(err, &missing):
		exit.hint = doctor.Remedy(missing.Lack)
	case errors.As(err, &need):
		exit.hint = need.Remedy
	case errors.As(err, &unknown):
		exit.hint = "'dtrec workload' lists them"
	case errors.Is(err, record.ErrNoTarget):
		exit.hint = "add '-- CMD', --workload, -p, --comm, --cgroup or -a; " + seeHelp(cmd)
	}
	return exit
}
