// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/dtrec/dtrec/report"
	"github.com/spf13/cobra"
)

func newReportCmd() *cobra.Command {
	var run int
	cmd := &cobra.Command{
		Use:   "report FILE",
		Short: "Write the proof as a Markdown page",
		Long: `Writes what the kernel did with each path as a page of Markdown, made from the
events of the trace alone: every number cites its event, every claim has a
verdict. FILE may be - for stdin.

Exit status: 0 written, 2 not readable.`,
		Example: `  dtrec report traces/run1.pb > stage2.md`,
		Args:    exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := findings(cmd, args[0], run)
			if err != nil {
				return err
			}
			return report.Markdown(cmd.OutOrStdout(), f)
		},
	}
	addRunFlag(cmd, &run)
	return cmd
}

// findings reads a trace to its end and judges it.
func findings(cmd *cobra.Command, path string, run int) (*report.Findings, error) {
	t, err := openTrace(cmd, path, run)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return report.Collect(t)
}
