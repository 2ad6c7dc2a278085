// SPDX-License-Identifier: Apache-2.0

//go:build linux

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/replay"
)

// WriteJSON writes the diagnosis as one JSON object.
func (d *Diagnosis) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(d)
}

// WriteText writes the verdict, followed by the checks and probes it is based on.
func (d *Diagnosis) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "Linux %s, %s\n%s\nMachine\n", replay.Printable(d.Kernel), replay.Printable(d.Machine), d.verdict())
	for _, c := range d.Checks {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", c.Name, c.State, replay.Printable(c.Value))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(t, "\nProbes\n")
	for _, p := range d.Probes {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", p.Role, p.Phase, p.State, replay.Printable(p.describe()))
	}
	if len(d.Probes) == 0 {
		fmt.Fprint(t, "  could not be looked at\n")
	}
	return t.Flush()
}

// describe says how the probe is attached, or why it is not and what that costs.
func (p *Probe) describe() string {
	var out []string
	switch {
	case p.State == OK && p.Uncounted:
		out = append(out, p.Symbol+" by "+p.Attach+"; missed hits are not counted")
		if costs := p.costs(); costs != "" {
			out = append(out, "so no proof of"+costs)
		}
	case p.State == OK:
		out = append(out, p.Symbol+" by "+p.Attach)
	case p.Symbol != "":
		out = append(out, p.Symbol+" is in the kernel's BTF; "+p.Reason)
	default:
		out = append(out, p.Reason)
		if p.Required {
			out = append(out, "required: nothing can be recorded without it")
		} else if costs := p.costs(); costs != "" {
			out = append(out, "without it no proof of"+costs)
		} else {
			out = append(out, "no claim needs it")
		}
	}
	return strings.Join(out, "; ")
}

// costs lists the kinds of claim that cannot be proven without the role, entirely or in part; empty for none.
func (p *Probe) costs() (text string) {
	if len(p.Costs) > 0 {
		text = ": " + strings.Join(p.Costs, ", ")
	}
	if len(p.Some) > 0 {
		if text != "" {
			text += "; nor of"
		}
		text += " some: " + strings.Join(p.Some, ", ")
	}
	return text
}

// verdict returns the conclusion with its remedies.
func (d *Diagnosis) verdict() string {
	var b strings.Builder
	switch d.Exit {
	case 0:
		b.WriteString("This machine can record everything.\n")
	case Gaps:
		fmt.Fprintf(&b, "This machine can record, with gaps: %s.\n", replay.Printable(d.Reason))
	default:
		fmt.Fprintf(&b, "This machine cannot record: %s.\n", replay.Printable(d.Reason))
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
