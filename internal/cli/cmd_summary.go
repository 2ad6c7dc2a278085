// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newSummaryCmd() *cobra.Command {
	var run int
	format := textFormat
	cmd := &cobra.Command{
		Use:   "summary FILE",
		Short: "Say what happened: calls, failures, time, by program",
		Long: `Says what a trace holds of path calls: how many, how many failed, how long they took,
with a row for each program, and what stands out, by the rules of docs/answers.md,
with the command to see more of it. FILE may be - for stdin.

A call is rcu if it never left rcu-walk, ref if it went on or started
over in ref-walk, and miss if a filesystem was asked for a name.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec summary run1.pb
  dtrec summary --format json run1.pb | jq '.programs[] | [.program, .failed]'`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(cmd, textFormat, jsonFormat); err != nil {
				return err
			}
			t, err := openTrace(cmd, args[0], run)
			if err != nil {
				return err
			}
			defer t.Close()
			s, err := answers.Summarize(t)
			if err != nil {
				return err
			}
			if format == jsonFormat {
				return answers.WriteJSON(cmd.OutOrStdout(), s)
			}
			return s.WriteText(cmd.OutOrStdout(), args[0])
		},
	}
	addRunFlag(cmd, &run)
	addFormatFlag(cmd, &format, textFormat, jsonFormat)
	return cmd
}
