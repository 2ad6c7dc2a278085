// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// outputFormat is a value of --format.
type outputFormat string

const (
	textFormat     outputFormat = "text"
	jsonFormat     outputFormat = "json"
	dmesgFormat    outputFormat = "dmesg"
	markdownFormat outputFormat = "markdown"
	htmlFormat     outputFormat = "html"
	ktapFormat     outputFormat = "ktap"
	junitFormat    outputFormat = "junit"
)

// addFormatFlag: the first of those known is what is printed without it.
func addFormatFlag(cmd *cobra.Command, f *outputFormat, known ...outputFormat) {
	*f = known[0]
	cmd.Flags().Var(oneOf(f, known...), "format", "output `FORMAT`: "+joined(known))
}

func addRunFlag(f *pflag.FlagSet, run *int) {
	f.IntVar(run, "run", 0, "which of several runs in one file to read, from 1")
}

// question is what a command asks of one trace, and answers as text or JSON.
type question struct {
	run    int
	format outputFormat
}

func (q *question) register(cmd *cobra.Command) {
	addRunFlag(cmd.Flags(), &q.run)
	addFormatFlag(cmd, &q.format, textFormat, jsonFormat)
}

// ask opens a trace, and prints what answer makes of it: a value, and how that is printed as text.
func (q *question) ask(cmd *cobra.Command, path string, answer func(*trace) (any, func(io.Writer) error, error)) error {
	t, err := openTrace(cmd, path, q.run)
	if err != nil {
		return err
	}
	defer t.Close()
	value, text, err := answer(t)
	if err != nil {
		return err
	}
	if q.format == jsonFormat {
		return answers.WriteJSON(cmd.OutOrStdout(), value)
	}
	return text(cmd.OutOrStdout())
}

// exactly accepts n arguments, which a usage error calls what.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return counted(cmd, len(args) == n, what, len(args)) }
}

// atLeastOne accepts one argument or more.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return counted(cmd, len(args) > 0, what, len(args)) }
}

func counted(cmd *cobra.Command, right bool, what string, n int) error {
	if right {
		return nil
	}
	return usageError(cmd, fmt.Errorf("%s takes %s, got %s", cmd.Name(), what, plural.Of(uint64(n), "argument")))
}
