// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newInfoCmd() *cobra.Command {
	var tasks bool
	cmd := &cobra.Command{
		Use:   "info FILE…",
		Short: "Show what a trace is and holds",
		Long: `Shows where and how a trace was made (kernel, command, the probes attached and those
tried in vain, structure layout), what it holds (events by role, programs, time span,
size) and what it lacks (loss, damage, a missing end). FILE may be - for stdin. --tasks
lists the processes instead: who made them, what they ran, their path calls, and how
they ended. For several files it prints a table. From a large file with a seek index it
reads only header, footer and index, and says so: damage of the events is then found by
the other commands, or through a pipe.

Exit status: 0 read, 2 not readable.`,
		Example: `  dtrec info run1.pb
  dtrec info --format json run1.pb | jq .counts
  dtrec info traces/*.pb`,
		Args: takes(1, many, "one trace or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return infoTable(cmd, args, tasks)
			}
			if tasks {
				return ask(cmd, args[0], func(t *trace) (any, func(io.Writer) error, error) {
					p, err := answers.ListProcesses(t)
					return p, p.WriteText, err
				})
			}
			t, err := openIndexed(cmd, args[0])
			if err != nil {
				return err
			}
			defer t.Close()
			return showInfo(cmd, t)
		},
	}
	addQuestionFlags(cmd)
	cmd.Flags().BoolVar(&tasks, "tasks", false, "list the processes instead")
	return addWideFlag(cmd)
}

func showInfo(cmd *cobra.Command, t *trace) error {
	info, err := replay.ReadInfo(t)
	if err != nil {
		return err
	}
	info.Bytes = t.progress.n
	if formatOf(cmd) == jsonFormat {
		return info.WriteJSON(cmd.OutOrStdout(), t.name)
	}
	return info.WriteText(cmd.OutOrStdout(), t.name)
}

// infoTable prints a row for each trace. A trace that cannot be read is named on stderr; the others are
// still printed, and the exit code is 2.
func infoTable(cmd *cobra.Command, paths []string, tasks bool) error {
	if tasks {
		return usageError(cmd, errors.New("--tasks: takes one trace"))
	}
	if slices.Contains(paths, "-") {
		return usageError(cmd, errors.New("stdin is one trace: name files, or it alone"))
	}
	rows := [][]string{{"FILE", "KERNEL", "STARTED", "SECONDS", "EVENTS", "LOST", "STATE", "PROGRAMS", "BYTES"}}
	failed := eachFile(cmd, paths, "read", func(path string) error {
		row, err := infoRow(cmd, path)
		if row != nil {
			rows = append(rows, row)
		}
		return err
	})
	if formatOf(cmd) == textFormat {
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, row := range rows {
			fmt.Fprintln(out, strings.Join(row, "\t"))
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return failed
}

// infoRow returns the row of a trace in the table. It is nil with --format json, which it prints
// itself.
func infoRow(cmd *cobra.Command, path string) ([]string, error) {
	t, err := openTrace(cmd, path)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if formatOf(cmd) == jsonFormat {
		return nil, showInfo(cmd, t)
	}
	i, err := replay.ReadInfo(t)
	if err != nil {
		return nil, err
	}
	h := i.Header
	started := "-"
	if h.StartUnixNs != 0 {
		started = time.Unix(0, h.StartUnixNs).UTC().Format(time.DateTime)
	}
	lost := strconv.FormatUint(i.Lost+i.Damaged, 10)
	if h.Imported() {
		lost = "-"
	}
	return []string{t.name, replay.Printable(h.GetKernel().GetRelease()), started, fmt.Sprintf("%.3f", float64(i.Last-i.First)/1e9),
		strconv.FormatUint(i.Events, 10), lost, stateOf(i), strconv.Itoa(len(i.Programs)), strconv.FormatInt(t.progress.n, 10)}, nil
}

func stateOf(i *replay.Info) string {
	h := i.Header
	switch {
	case i.Footer == nil:
		return "cut"
	case len(i.Damage) > 0:
		return "damaged"
	case h.Imported():
		return "imported"
	case h.Redacted():
		return "redacted"
	case h.GetPart() > 0:
		return fmt.Sprintf("part %d", h.Part)
	}
	return "complete"
}
