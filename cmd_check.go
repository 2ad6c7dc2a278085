// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
)

func newCheckCmd() *cobra.Command {
	var run int
	var strict bool
	format := textFormat
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Print the verdicts alone",
		Long: `Judges every claim a trace supports and prints the verdicts, by program and kind
of claim; those not proven one by one with the reason. FILE may be - for stdin.

Exit status: 0 nothing refuted, 1 something refuted (with --strict: or unproven),
2 not readable.`,
		Example: `  dtrec check traces/run1.pb
  dtrec check --strict --format json traces/run1.pb`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(cmd, textFormat, jsonFormat); err != nil {
				return err
			}
			f, err := findings(cmd, args[0], run)
			if err != nil {
				return err
			}
			v := f.Verdicts()
			write := v.WriteText
			if format == jsonFormat {
				write = v.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if v.Refuted > 0 || strict && v.Unproven > 0 {
				return &exitError{code: exitNegative}
			}
			return nil
		},
	}
	addRunFlag(cmd, &run)
	addFormatFlag(cmd, &format, textFormat, jsonFormat)
	cmd.Flags().BoolVar(&strict, "strict", false, "exit 1 for an unproven claim as well")
	return cmd
}
