// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/spf13/cobra"
)

// atLeastOne accepts one argument or more.
func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exactly(1, "one trace or more")(cmd, args)
	}
	return nil
}

// infoTable prints a row for each trace. One that cannot be read is named on stderr, and makes
// the exit code 2 when the others are printed.
func infoTable(cmd *cobra.Command, paths []string, run int, tasks bool, format outputFormat) error {
	if tasks {
		return usageError(cmd, errors.New("--tasks: takes one trace"))
	}
	if slices.Contains(paths, "-") {
		return usageError(cmd, errors.New("stdin is one trace: name files, or it alone"))
	}
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	if format == textFormat {
		fmt.Fprintln(out, "FILE\tKERNEL\tSTARTED\tSECONDS\tEVENTS\tLOST\tPROGRAMS\tBYTES\tSTATE")
	}
	failed := 0
	for _, path := range paths {
		if err := infoRow(cmd, out, path, run, format); err != nil {
			explain(cmd.ErrOrStderr(), cmd, err)
			failed++
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return &exitError{exitTrouble, fmt.Errorf("%d of %d files not read", failed, len(paths)), "each is named above"}
	}
	return nil
}

func infoRow(cmd *cobra.Command, out *tabwriter.Writer, path string, run int, format outputFormat) error {
	t, err := openTrace(cmd, path, run)
	if err != nil {
		return err
	}
	defer t.Close()
	if format == jsonFormat {
		return showInfo(cmd, t, format)
	}
	i, err := replay.ReadInfo(t)
	if err != nil {
		return err
	}
	h := i.Header
	started, state := "-", "complete"
	if h.StartUnixNs != 0 {
		started = time.Unix(0, h.StartUnixNs).UTC().Format(time.DateTime)
	}
	switch {
	case i.Footer == nil:
		state = "cut"
	case len(i.Damage) > 0:
		state = "damaged"
	case h.Imported():
		state = "imported"
	case h.Redacted():
		state = "redacted"
	}
	lost := strconv.FormatUint(i.Lost+i.Damaged, 10)
	if h.Imported() {
		lost = "-"
	}
	_, err = fmt.Fprintf(out, "%s\t%s\t%s\t%.3f\t%d\t%s\t%d\t%d\t%s\n", t.name, replay.Printable(h.GetKernel().GetRelease()), started,
		float64(i.Last-i.First)/1e9, i.Events, lost, len(i.Programs), t.bytes.n, state)
	return err
}
