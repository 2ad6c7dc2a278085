// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newDoctorCmd() *cobra.Command {
	var attach string
	format := textFormat
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can record, and what it would miss",
		Long: `Looks at the kernel, its type information, this process's capabilities, lockdown and
limits, then attaches every probe and detaches it again, where the kernel lets it.
Prints for each role the kernel function and the attach type it got, or the reason
it has none and the kinds of claim that costs, and the remedy. Nothing is recorded.
Without privileges it says what it could not try.

Exit status: 0 everything can be recorded, 1 with gaps (optional roles are missing,
or missed hits are not counted), 2 this machine, or this user, cannot record.`,
		Example: `  sudo dtrec doctor
  sudo dtrec doctor --format json | jq .probes
  dtrec vm --kernel "$(scripts/fetch-kernel 6.12)" -- doctor`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := format.check(cmd, textFormat, jsonFormat); err != nil {
				return err
			}
			mode, err := attachMode(attach)
			if err != nil {
				return usageError(cmd, err)
			}
			d := diagnose(mode)
			write := d.writeText
			if format == jsonFormat {
				write = d.writeJSON
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
	addFormatFlag(cmd, &format, textFormat, jsonFormat)
	addAttachFlag(cmd, &attach)
	return cmd
}

func (d *diagnosis) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(d)
}

// writeText prints the verdict last, where it is seen.
func (d *diagnosis) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "Linux %s, %s\n\nMachine\n", display(d.Kernel), display(d.Machine))
	for _, c := range d.Checks {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", c.Name, c.State, display(c.Value))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(t, "\nProbes\n")
	for _, p := range d.Probes {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", p.Role, p.Phase, p.State, display(p.describe()))
	}
	if len(d.Probes) == 0 {
		fmt.Fprint(t, "  could not be looked at\n")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, d.verdict())
	return err
}

// describe says how the probe is attached, or why not and what that costs.
func (p *doctorProbe) describe() string {
	var out []string
	switch {
	case p.State == stateOK && p.Uncounted:
		out = append(out, p.Symbol+" by "+p.Attach+"; hits it misses are not counted")
		if len(p.Costs) > 0 {
			out = append(out, "so no proof of: "+strings.Join(p.Costs, ", "))
		}
	case p.State == stateOK:
		out = append(out, p.Symbol+" by "+p.Attach)
	case p.Symbol != "":
		out = append(out, p.Symbol+" is in the kernel's BTF; "+p.Reason)
	default:
		out = append(out, p.Reason)
		if p.Required {
			out = append(out, "required: nothing can be recorded without it")
		} else if len(p.Costs) > 0 {
			out = append(out, "without it no proof of: "+strings.Join(p.Costs, ", "))
		} else {
			out = append(out, "no claim needs it")
		}
	}
	return strings.Join(out, "; ")
}

// verdict is the sum, with the remedies.
func (d *diagnosis) verdict() string {
	var b strings.Builder
	switch d.Exit {
	case 0:
		b.WriteString("\nThis machine can record everything.\n")
	case exitNegative:
		fmt.Fprintf(&b, "\nThis machine can record, with gaps: %s.\n", display(d.Reason))
	default:
		fmt.Fprintf(&b, "\nThis machine cannot record: %s.\n", display(d.Reason))
	}
	said := make(map[string]bool)
	remedy := func(of, text string) {
		if text != "" && !said[text] {
			said[text] = true
			fmt.Fprintf(&b, "  remedy%s: %s\n", of, text)
		}
	}
	remedy("", d.Remedy)
	if d.Exit != 0 {
		for _, c := range d.Checks {
			remedy(" for "+c.Name, c.Remedy)
		}
	}
	return b.String()
}
