// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/internal/doctor"
	"github.com/spf13/cobra"
)

func newDoctorCmd() *cobra.Command {
	var mode bpf.Mode
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can record, and what it would miss",
		Long: `Says whether this machine can record, and what it would miss. It looks at the kernel,
its type information, this process's capabilities, lockdown, container and limits; then,
if the kernel lets it, it attaches every probe and detaches it again. For each role it
prints the kernel function and how it was attached, or why not, the kinds of claim that
this costs, and the remedy. Nothing is recorded. Without privileges it says what it could
not try.

Exit status: 0 everything can be recorded, 1 with gaps (optional roles are missing, or
missed hits are not counted), 2 this machine, or this user, cannot record.`,
		Example: `  sudo dtrec doctor
  sudo dtrec doctor --format json | jq .probes
  dtrec vm --kernel "$(scripts/fetch-kernel 6.12)" -- doctor`,
		Args: takes(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := doctor.Diagnose(mode)
			write := d.WriteText
			if formatOf(cmd) == jsonFormat {
				write = d.WriteJSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if d.Exit != 0 {
				return &exitError{code: d.Exit}
			}
			return nil
		},
	}
	addFormatFlag(cmd, textFormat, jsonFormat)
	addAttachFlag(cmd, &mode)
	return addOutputFlags(addWideFlag(cmd))
}
