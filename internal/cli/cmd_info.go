// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newInfoCmd() *cobra.Command {
	var run int
	var tasks bool
	format := textFormat
	cmd := &cobra.Command{
		Use:   "info FILE…",
		Short: "Show what a trace is and holds",
		Long: `Shows where and how a trace was made (kernel, command, the probes as attached and
those tried in vain, structure layout), what it holds (events by role, programs,
time span, size) and what it lacks (loss, damage, a missing end). FILE may be -
for stdin. With --tasks it lists its processes instead: who made them, what they ran,
their path calls, and how they ended. Of several files it prints a table. Of a large file
with a seek index header, footer and index are read, and that is said: damage of its
events is seen by other commands, or through a pipe.

Exit status: 0 read, 2 not readable.`,
		Example: `  dtrec info run1.pb
  dtrec info --format json run1.pb | jq .counts
  dtrec info traces/*.pb`,
		Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(cmd, textFormat, jsonFormat); err != nil {
				return err
			}
			if len(args) > 1 {
				return infoTable(cmd, args, run, tasks, format)
			}
			t, err := openIndexed(cmd, args[0], run)
			if err != nil {
				return err
			}
			defer t.Close()
			if tasks {
				return listTasks(cmd, t, format)
			}
			return showInfo(cmd, t, format)
		},
	}
	addRunFlag(cmd, &run)
	addFormatFlag(cmd, &format, textFormat, jsonFormat)
	cmd.Flags().BoolVar(&tasks, "tasks", false, "list the processes instead")
	return cmd
}

func listTasks(cmd *cobra.Command, t *trace, format outputFormat) error {
	p, err := answers.ListProcesses(t)
	if err != nil {
		return err
	}
	if format == jsonFormat {
		return answers.WriteJSON(cmd.OutOrStdout(), p)
	}
	return p.WriteText(cmd.OutOrStdout())
}

func showInfo(cmd *cobra.Command, t *trace, format outputFormat) error {
	info, err := replay.ReadInfo(t)
	if err != nil {
		return err
	}
	info.Bytes = t.bytes.n
	if format == jsonFormat {
		return info.WriteJSON(cmd.OutOrStdout(), t.name)
	}
	return info.WriteText(cmd.OutOrStdout(), t.name)
}

// outputFormat is a value of --format.
type outputFormat string

const (
	textFormat  outputFormat = "text"
	jsonFormat  outputFormat = "json"
	dmesgFormat outputFormat = "dmesg"
)

func (f outputFormat) check(cmd *cobra.Command, known ...outputFormat) error {
	if slices.Contains(known, f) {
		return nil
	}
	return usageError(cmd, fmt.Errorf("--format %s: not one of %s", display(string(f)), joinFormats(known)))
}

func joinFormats(known []outputFormat) string {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

func addFormatFlag(cmd *cobra.Command, f *outputFormat, known ...outputFormat) {
	cmd.Flags().StringVar((*string)(f), "format", string(*f), "output `FORMAT`: "+joinFormats(known))
}

func addRunFlag(cmd *cobra.Command, run *int) {
	cmd.Flags().IntVar(run, "run", 0, "which of several runs in one file to read, from 1")
}
