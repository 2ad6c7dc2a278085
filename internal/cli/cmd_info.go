// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"io"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newInfoCmd() *cobra.Command {
	var q question
	var tasks bool
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
		Args: atLeastOne("one trace or more"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return infoTable(cmd, args, q.run, tasks, q.format)
			}
			if tasks {
				return q.ask(cmd, args[0], func(t *trace) (any, func(io.Writer) error, error) {
					p, err := answers.ListProcesses(t)
					return p, p.WriteText, err
				})
			}
			t, err := openIndexed(cmd, args[0], q.run)
			if err != nil {
				return err
			}
			defer t.Close()
			return showInfo(cmd, t, q.format)
		},
	}
	q.register(cmd)
	cmd.Flags().BoolVar(&tasks, "tasks", false, "list the processes instead")
	return cmd
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
