// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/spf13/cobra"
)

var (
	errDirectory = errors.New("is a directory")
	errTerminal  = errors.New("is a terminal")
)

// openInput opens a text to be read, or stdin for "-".
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

// explainInput gives an error of opening or reading a text its remedy.
func explainInput(cmd *cobra.Command, path string, err error, hint string) error {
	switch {
	case errors.Is(err, errTerminal):
		hint = "give it a file: '" + cmd.CommandPath() + " - < FILE'"
	case errors.Is(err, errDirectory):
		hint = "name a file in it"
	case errors.Is(err, fs.ErrPermission):
		hint = "read it as a user who may"
	}
	return &exitError{exitTrouble, fmt.Errorf("%s: %w", inputName(path), tracefile.Bare(err)), hint}
}

// inputName is what messages call an input.
func inputName(path string) string {
	if path == "-" {
		return "stdin"
	}
	return display(path)
}
