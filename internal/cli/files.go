// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/spf13/cobra"
)

var (
	errDirectory = errors.New("is a directory")
	errTerminal  = errors.New("is a terminal")
)

// openInput opens a file for reading, or stdin for "-". It returns errDirectory for a directory and
// errTerminal if stdin is a terminal.
func openInput(cmd *cobra.Command, path string) (io.ReadCloser, error) {
	if path == "-" {
		in := cmd.InOrStdin()
		if isTerminal(in) {
			return nil, errTerminal
		}
		return io.NopCloser(in), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, errDirectory
	}
	return f, nil
}

// explainInput adds the remedy to an error of opening or reading a text; hint is used if no better one
// is known.
func explainInput(cmd *cobra.Command, path string, err error, hint string) error {
	hint = hintFor(err, hint,
		remedy{errTerminal, "give it a file: '" + cmd.CommandPath() + " - < FILE'"},
		remedy{errDirectory, "name a file in it"},
		remedy{fs.ErrPermission, "read it as a user who may"})
	return &exitError{exitTrouble, fmt.Errorf("%s: %w", inputName(path), tracefile.Bare(err)), hint}
}

// eachFile calls do for each of the files. For a single file it returns do's error. For several it
// prints each error on stderr, goes on, and returns an error that says how many were not done.
func eachFile(cmd *cobra.Command, files []string, done string, do func(file string) error) error {
	failed := 0
	for _, file := range files {
		err := do(file)
		switch {
		case err == nil:
			continue
		case len(files) == 1:
			return err
		}
		explain(cmd.ErrOrStderr(), cmd, err)
		failed++
	}
	if failed > 0 {
		return &exitError{exitTrouble, fmt.Errorf("%d of %d files not %s", failed, len(files), done), "each is named above"}
	}
	return nil
}

// inputName returns the name of an input in messages.
func inputName(path string) string {
	if path == "-" {
		return "stdin"
	}
	return display(path)
}

// destination is the file that a command writes: a trace, or an export of one. Its path is - for stdout.
type destination struct{ tracefile.Place }

func (d *destination) register(cmd *cobra.Command, path, usage string) {
	d.User = -1
	cmd.Flags().StringVarP(&d.Path, "output", "o", path, usage)
	if addForceFlag(cmd, &d.Force); d.NotTrace {
		cmd.Flags().Lookup("force").Usage = "replace the file also where it is a trace"
	}
}

// addForceFlag adds --force to a command that writes a trace.
func addForceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "replace the file also where it is not a trace")
}

// refuseTerminal returns an error if stdout is the destination and a terminal: what would be written is binary.
func (d *destination) refuseTerminal(cmd *cobra.Command, what string) error {
	if d.Path == "-" && isTerminal(rawOut(cmd)) {
		return &exitError{exitTrouble, fmt.Errorf("%s is binary and stdout is a terminal", what), "name a file: -o FILE"}
	}
	return nil
}

// write writes to stdout, or to a file that appears only when all of it is written. The file's mode is
// 0600, since kernel addresses defeat KASLR.
func (d *destination) write(stdout io.Writer, write func(io.Writer) error) error {
	if d.Path == "-" {
		return write(stdout)
	}
	return d.Replace(write)
}

// isSameFile reports whether the file is the one that would be written.
func (d *destination) isSameFile(cmd *cobra.Command, file *os.File) bool {
	from, err := file.Stat()
	if err != nil || !from.Mode().IsRegular() {
		return false
	}
	to, err := os.Stat(d.Path)
	if out, ok := rawOut(cmd).(*os.File); ok && d.Path == "-" {
		to, err = out.Stat()
	}
	return err == nil && os.SameFile(from, to)
}

// explainOutput adds the remedy to an error of writing a trace.
func explainOutput(name string, err error) error {
	return &exitError{exitTrouble, &tracefile.LostError{Path: name, Err: err}, outputHint(err)}
}

func outputHint(err error) string {
	var refused *tracefile.RefusedError
	if errors.As(err, &refused) {
		return refused.Remedy
	}
	return hintFor(err, "name another file with -o",
		remedy{syscall.EPIPE, "its reader must read to the end; or name a file with -o"})
}
