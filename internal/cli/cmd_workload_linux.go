// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/record/workload"
	"github.com/spf13/cobra"
)

func newWorkloadCmd() *cobra.Command {
	var source, wait bool
	cmd := &cobra.Command{
		Use:   "workload [NAME]",
		Short: "Run one built-in workload, or list them",
		Long: `Runs a built-in workload by itself, unrecorded. 'dtrec record --workload NAME' runs it in
a process of its own and records it. Without a name, lists them. --source prints the
workload as a C program, without running it.

Exit status: 0 done, 2 a call failed.`,
		Example: `  dtrec workload
  dtrec workload --source tm_miss
  sudo dtrec workload te_miss`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listWorkloads(cmd)
			}
			w, err := workload.Find(args[0])
			if err != nil {
				return explainRecord(cmd, err)
			}
			if source {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(w.Source(), "\n"))
				return err
			}
			return runWorkload(&w, wait)
		},
	}
	cmd.Flags().BoolVar(&source, "source", false, "print the program instead of running it")
	cmd.Flags().BoolVar(&wait, "wait", false, "begin when the recorder says so")
	_ = cmd.Flags().MarkHidden("wait") // used only between record and the process it starts
	return cmd
}

func listWorkloads(cmd *cobra.Command) error {
	for _, w := range workload.All() {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-14s %s\n", w.Name, w.Doc); err != nil {
			return err
		}
	}
	return nil
}

// runWorkload runs a workload, which writes to file descriptor 1 as the C program would. With wait it
// begins when the recorder says so.
func runWorkload(w *workload.Program, wait bool) error {
	var gate func() error
	if wait {
		gate = workload.Wait
	}
	err := w.Run(1, gate)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("workload %s: %w", w.Name, errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")))
	return &exitError{code: exitTrouble, err: err, hint: "run it as root, in a directory of its own on a disk filesystem"}
}
