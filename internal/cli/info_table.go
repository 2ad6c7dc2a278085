// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/spf13/cobra"
)

// infoTable prints a row for each trace. One that cannot be read is named on stderr, and makes
// the exit code 2 when the others are printed.
func infoTable(cmd *cobra.Command, paths []string, run int, tasks bool, format outputFormat) error {
	if tasks {
		return usageError(cmd, errors.New("--tasks: takes one trace"))
	}
	if slices.Contains(paths, "-") {
		return usageError(cmd, errors.New("stdin is one trace: name files, or it alone"))
	}
	rows := [][]string{{"FILE", "KERNEL", "STARTED", "SECONDS", "EVENTS", "LOST", "STATE", "PROGRAMS", "BYTES"}}
	failed := 0
	for _, path := range paths {
		row, err := infoRow(cmd, path, run, format)
		if err != nil {
			explain(cmd.ErrOrStderr(), cmd, err)
			failed++
		} else if row != nil {
			rows = append(rows, row)
		}
	}
	if format == textFormat {
		out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, row := range rows {
			fmt.Fprintln(out, strings.Join(row, "\t"))
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &exitError{exitTrouble, fmt.Errorf("%d of %d files not read", failed, len(paths)), "each is named above"}
	}
	return nil
}

// infoRow is nil where the trace was printed as JSON.
func infoRow(cmd *cobra.Command, path string, run int, format outputFormat) ([]string, error) {
	t, err := openTrace(cmd, path, run)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if format == jsonFormat {
		return nil, showInfo(cmd, t, format)
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
		strconv.FormatUint(i.Events, 10), lost, stateOf(i), strconv.Itoa(len(i.Programs)), strconv.FormatInt(t.bytes.n, 10)}, nil
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
