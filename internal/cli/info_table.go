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
		if err := writeRows(cmd, rows); err != nil {
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

// writeRows prints a table. On a terminal that is too narrow for it the last two columns, which are said
// of each trace alone, are left out, and times, names and kernels shortened.
func writeRows(cmd *cobra.Command, rows [][]string) error {
	columns := terminalColumns(cmd)
	if wide, _ := cmd.Flags().GetBool("wide"); wide {
		columns = 0
	}
	if widths := widest(rows); columns > 0 && tableWidth(widths) > columns {
		for i, row := range rows {
			rows[i] = row[:len(row)-2]
			row[2] = row[2][:min(len(row[2]), len("2026-11-26 13:07"))]
		}
		widths = widest(rows)
		excess := tableWidth(widths) - columns
		for _, c := range []int{0, 1} { // file and kernel
			const least = 12
			if to := max(least, widths[c]-excess); excess > 0 && widths[c] > to {
				excess -= widths[c] - to
				for i := range rows {
					rows[i][c] = shortened(rows[i][c], to)
				}
			}
		}
	}
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}

func widest(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], shown([]byte(cell)))
		}
	}
	return widths
}

func tableWidth(widths []int) int {
	sum := 2 * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// shortened leaves the beginning and, more of it, the end.
func shortened(s string, to int) string {
	r := []rune(s)
	if len(r) <= to {
		return s
	}
	head := (to - 1) / 3
	return string(r[:head]) + "…" + string(r[len(r)-(to-1-head):])
}
