// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dtrec/dtrec/export"
	"github.com/spf13/cobra"
)

func newExportCmd() *cobra.Command {
	format, o, to := "csv", export.Options{Table: "calls", Measure: "calls"}, destination{}
	formats, theFormats := describeValues(export.Formats(), func(f export.Format) (string, string) { return f.Name, f.Doc })
	tables, theTables := describeValues(export.Tables(), func(t export.Table) (string, string) { return t.Name, t.Doc })
	measures, _ := describeValues(export.Measures(), func(m export.Measure) (string, string) { return m.Name, m.Unit })
	cmd := &cobra.Command{
		Use:   "export [--format FORMAT] [-o OUT] FILE",
		Short: "Give a trace to the programs you already use",
		Long: `Writes what a trace says in a format that other programs read. FILE may be - for stdin.

Formats:
` + theFormats + `
Tables:
` + theTables + `
Exit status: 0 written, 2 not readable or not written.`,
		Example: `  dtrec export --format pprof -o run1.pprof run1.pb && go tool pprof -top run1.pprof
  dtrec export --table verdicts run1.pb > verdicts.csv
  dtrec export --format folded --of time run1.pb | flamegraph.pl > time.svg
  dtrec export --format perfetto -o run1.pftrace run1.pb`,
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return runExport(cmd, args[0], &to, o) },
	}
	f := cmd.Flags()
	f.Var(oneOf(&format, formats...), "format", "`FORMAT` to write")
	f.Var(oneOf(&o.Table, tables...), "table", "csv, ndjson: the `TABLE` to write")
	f.Var(oneOf(&o.Measure, measures...), "of", "folded: count `WHAT`: "+joinWords(measures))
	to.NotTrace = true
	to.register(cmd, "-", "write to `OUT`, - for stdout")
	addRunFlag(f)
	return cmd
}

func runExport(cmd *cobra.Command, path string, to *destination, o export.Options) error {
	all := export.Formats()
	format := all[slices.IndexFunc(all, func(f export.Format) bool { return f.Name == formatOf(cmd) })]
	stdout := cmd.OutOrStdout()
	if format.Binary {
		if err := to.refuseTerminal(cmd, format.Name); err != nil {
			return err
		}
		stdout = rawOut(cmd)
	}
	t, err := openTrace(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	var failed error // the error of format.Write alone
	err = to.write(stdout, func(w io.Writer) error {
		failed = format.Write(w, t, o)
		return failed
	})
	var void *export.VoidError
	switch {
	case errors.As(err, &void):
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, err), "see 'dtrec info' for what the file lacks"}
	case err != nil && failed == nil:
		return explainOutput(display(to.Path), err)
	}
	return err
}

// describeValues returns the values that a flag accepts, and a text that lists them with their descriptions.
func describeValues[T any](of []T, name func(T) (name, doc string)) (words []string, text string) {
	for _, v := range of {
		name, doc := name(v)
		words = append(words, name)
		text += fmt.Sprintf("  %-10s %s\n", name, doc)
	}
	return words, text
}
