// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dtrec/dtrec/export"
	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// exportOptions are the flags of export as given.
type exportOptions struct {
	export.Options
	format, output string
	force          bool
	run            int
}

func newExportCmd() *cobra.Command {
	o := exportOptions{format: "csv", output: "-", Options: export.Options{Table: "calls", Of: "calls"}}
	cmd := &cobra.Command{
		Use:   "export [--format FORMAT] [-o OUT] FILE",
		Short: "Give a trace to the programs you already use",
		Long: `Writes what a trace says in a format that other programs read. FILE may be - for stdin.

` + described("Formats", exportFormats()) + `
` + described("Tables", exportTables()) + `
Exit status: 0 written, 2 not readable or not written.`,
		Example: `  dtrec export --format pprof -o run1.pprof run1.pb && go tool pprof -top run1.pprof
  dtrec export --table verdicts run1.pb > verdicts.csv
  dtrec export --format folded --of time run1.pb | flamegraph.pl > time.svg
  dtrec export --format perfetto -o run1.pftrace run1.pb`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.export(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", o.format, "`FORMAT` to write")
	f.StringVar(&o.Table, "table", o.Table, "csv, ndjson: the `TABLE` to write")
	f.StringVar(&o.Of, "of", o.Of, "folded: count `WHAT`: "+names(exportMeasures()))
	f.StringVarP(&o.output, "output", "o", o.output, "write to `OUT`, - for stdout")
	f.BoolVar(&o.force, "force", false, "replace the file if it is there")
	addRunFlag(cmd, &o.run)
	return cmd
}

// choice is a name that a flag takes, and what it means.
type choice struct{ name, doc string }

func exportFormats() (out []choice) {
	for _, f := range export.Formats() {
		out = append(out, choice{f.Name, f.Doc})
	}
	return out
}

func exportTables() (out []choice) {
	for _, t := range export.Tables() {
		out = append(out, choice{t.Name, t.Doc})
	}
	return out
}

func exportMeasures() (out []choice) {
	for _, m := range export.Measures() {
		out = append(out, choice{m.Name, m.Unit})
	}
	return out
}

func described(title string, choices []choice) string {
	var b strings.Builder
	b.WriteString(title + ":\n")
	for _, c := range choices {
		fmt.Fprintf(&b, "  %-9s %s\n", c.name, c.doc)
	}
	return b.String()
}

func names(choices []choice) string {
	var out []string
	for _, c := range choices {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

// chosen is a usage error where a flag's value is not one of the choices.
func chosen(cmd *cobra.Command, flag, value string, choices []choice) error {
	for _, c := range choices {
		if c.name == value {
			return nil
		}
	}
	return usageError(cmd, fmt.Errorf("--%s %s: not one of %s", flag, display(value), names(choices)))
}

func (o *exportOptions) export(cmd *cobra.Command, path string) error {
	if err := cmp.Or(chosen(cmd, "format", o.format, exportFormats()), chosen(cmd, "table", o.Table, exportTables()), chosen(cmd, "of", o.Of, exportMeasures())); err != nil {
		return err
	}
	var format export.Format
	for _, f := range export.Formats() {
		if f.Name == o.format {
			format = f
		}
	}
	if out, ok := rawOut(cmd).(*os.File); ok && o.output == "-" && format.Binary && term.IsTerminal(int(out.Fd())) {
		return &exitError{exitTrouble, fmt.Errorf("%s is binary and stdout is a terminal", o.format), "name a file: -o FILE"}
	}
	t, err := openTrace(cmd, path, o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	write := func(w io.Writer) error { return format.Write(w, t, o.Options) }
	if o.output == "-" {
		return o.explain(t, write(cmd.OutOrStdout()))
	}
	var failed error
	err = tracefile.Place{Path: o.output, Force: o.force, User: -1}.Replace(func(w io.Writer) error {
		failed = write(w)
		return failed
	})
	if err != nil && failed == nil {
		return explainOutput(display(o.output), err)
	}
	return o.explain(t, err)
}

// explain gives the error of an export its remedy.
func (o *exportOptions) explain(t *trace, err error) error {
	var void *export.VoidError
	if errors.As(err, &void) {
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, err), "see 'dtrec info' for what the file lacks"}
	}
	return err
}
