// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/suite"
	"github.com/spf13/cobra"
)

type checkOptions struct {
	findingsOptions
	format      outputFormat
	page        string // a page to hold against the trace; empty: none
	strict, all bool
}

func newCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE... | check --page PAGE.md FILE",
		Short: "Print the verdicts alone, or hold a page against a trace",
		Long: `Judges every claim a trace supports and prints the verdicts, by program and kind
of claim; those not proven one by one with the reason. FILE may be - for stdin.
Of several traces it prints one table, a column each; one that cannot be judged is named on stderr. With --without, as if those
roles had not been recorded, and which proven claims fall with them. ktap and junit
have a test for each program and kind of claim: failed where one is refuted, skipped
where one is unproven, with --strict failed. The filters are those of replay but
--role: claims made with an event that is not picked do not count, nor do those that
only the end of the trace decides.

With --page it holds a Markdown page against the trace. A page that names this run is
a report of it: every line must stand in the report that the trace gives now. Of any
other page the numbers are held: every address must be in the run, at the probe and in
the event the page names, every hash with its length, offsets and d_hash_shift must be
those of the kernel that ran; every subtraction, equality and length is computed again.
Sentences are not judged. It prints line and column of what was something else in this
run, is not in it, is wrong, or is not understood; with --all what was found as well.

Exit status: 0 nothing refuted, 1 something refuted (with --strict: or unproven, or the trace cut or damaged),
2 not readable, or nothing picked. Of a page: 0 all found with its meaning, 1 something was not, 2 not
readable, or nothing in it to look up.`,
		Example: `  dtrec check traces/run1.pb
  dtrec check --strict --format json traces/run1.pb
  dtrec check traces/*.pb
  dtrec check --page stage2.md traces/run1.pb`,
		Args: atLeastOne("one trace or more"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCheck(cmd, args, &o) },
	}
	o.register(cmd.Flags())
	addFormatFlag(cmd, &o.format, textFormat, jsonFormat, ktapFormat, junitFormat)
	cmd.Flags().BoolVar(&o.strict, "strict", false, "exit 1 for an unproven claim, a cut or a damaged trace as well")
	cmd.Flags().StringVar(&o.page, "page", "", "hold this Markdown page against the trace; - for stdin")
	cmd.Flags().BoolVar(&o.all, "all", false, "of a page, list what was found as well")
	return cmd
}

func runCheck(cmd *cobra.Command, args []string, o *checkOptions) error {
	if err := pageFlags(cmd, o.page, len(args), o.format); err != nil {
		return err
	}
	if o.page != "" {
		return holdPage(cmd, o.page, args[0], o.findingsOptions, o.format, o.all)
	}
	if twice := repeated(args); twice != "" {
		return usageError(cmd, fmt.Errorf("%s is given twice", inputName(twice)))
	}
	var names []string
	var runs []report.Verdicts
	failed := eachFile(cmd, args, "judged", func(file string) error {
		f, err := findings(cmd, file, o.findingsOptions)
		if err == nil {
			names, runs = append(names, inputName(file)), append(runs, f.Verdicts())
		}
		return err
	})
	if len(runs) == 0 {
		return failed
	}
	err := o.write(cmd, len(args) > 1, names, runs)
	if err == nil && failed != nil {
		return failed
	}
	no := slices.ContainsFunc(runs, func(v report.Verdicts) bool { return v.Refuted > 0 || o.strict && !v.Whole() })
	return answer(no, err)
}

// write prints one run in full, several as a table; as JSON one object each.
func (o *checkOptions) write(cmd *cobra.Command, several bool, names []string, runs []report.Verdicts) error {
	out := cmd.OutOrStdout()
	switch {
	case o.format == ktapFormat || o.format == junitFormat:
		return writeTests(out, several, names, runs, o.strict, o.format)
	case o.format == jsonFormat:
		for i := range runs {
			if err := runs[i].WriteJSON(out); err != nil {
				return err
			}
		}
		return nil
	case several:
		return report.WriteMatrix(out, names, runs)
	}
	return runs[0].WriteText(out)
}

// writeTests prints the verdicts of all runs as tests; of several runs the file is part of
// their names.
func writeTests(w io.Writer, several bool, names []string, runs []report.Verdicts, strict bool, format outputFormat) error {
	var tests []suite.Test
	for i := range runs {
		for _, t := range runs[i].Tests(strict) {
			if several {
				t.Class = names[i] + ": " + t.Class
			}
			tests = append(tests, t)
		}
	}
	if format == ktapFormat {
		return suite.WriteKTAP(w, tests)
	}
	return suite.WriteJUnit(w, "dtrec check", tests)
}

// repeated returns the first file that is given twice, empty where none is.
func repeated(files []string) string {
	for i, f := range files {
		if slices.Contains(files[:i], f) {
			return f
		}
	}
	return ""
}
