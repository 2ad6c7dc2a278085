// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/report/suite"
	"github.com/spf13/cobra"
)

type checkOptions struct {
	findingsOptions
	page        string // page to hold against the trace; empty: none
	strict, all bool
}

func newCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check FILE... | check --page PAGE.md FILE",
		Short: "Print the verdicts alone, or hold a page against a trace",
		Long: `Judges every claim that a trace supports. It prints the verdicts by program and kind of
claim, then each claim that is not proven, with the reason. FILE may be - for stdin. For
several traces it prints one table with a column each; a trace that cannot be judged is
named on stderr. --without judges as if the roles had not been recorded, and lists the
proven claims that fall with them. ktap and junit have a test for each program and kind
of claim: failed if a claim is refuted, skipped if one is unproven, or failed as well
with --strict. The filters are those of replay, without --role. Under filters, claims
made at an event that is not picked do not count, nor do claims that only the end of
the trace decides.

With --page it holds a Markdown page against the trace. A page that names this run is a
report of it: each line must be in the report that dtrec makes of the trace now. In any
other page the numbers are looked up. An address must be in the run, at the probe, in the
event and of the dentry (D12) that the page names. A hash must be the kernel's for that
name, with its length; offsets and d_hash_shift must be those of the kernel that ran. Subtractions,
equalities and lengths are computed again. Sentences are not judged. It prints line and
column of each number that was something else in this run, is not in it, is wrong, or
is not understood; with --all also of those that were found.

Exit status: 0 nothing refuted, 1 something refuted (with --strict also: unproven, or
the trace is cut or damaged), 2 not readable, or nothing picked. With --page: 0 every
number found with its meaning, 1 some were not, 2 not readable, or no number in it.`,
		Example: `  dtrec check traces/run1.pb
  dtrec check --strict --format json traces/run1.pb
  dtrec check traces/*.pb
  dtrec check --page stage2.md traces/run1.pb`,
		Args: takes(1, many, "one trace or more"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCheck(cmd, args, &o) },
	}
	o.register(cmd.Flags())
	addFormatFlag(cmd, textFormat, jsonFormat, ktapFormat, junitFormat)
	cmd.Flags().BoolVar(&o.strict, "strict", false, "exit 1 also if a claim is unproven, or the trace cut or damaged")
	cmd.Flags().StringVar(&o.page, "page", "", "hold this Markdown `PAGE` against the trace; - for stdin")
	cmd.Flags().BoolVar(&o.all, "all", false, "with --page, list what was found as well")
	return addWideFlag(cmd)
}

func runCheck(cmd *cobra.Command, args []string, o *checkOptions) error {
	if err := checkPageFlags(cmd, o.page, len(args)); err != nil {
		return err
	}
	if o.page != "" {
		return checkPage(cmd, o.page, args[0], o.all)
	}
	for i, file := range args {
		if slices.Contains(args[:i], file) {
			return usageError(cmd, fmt.Errorf("%s is given twice", inputName(file)))
		}
	}
	var names []string
	var runs []report.Verdicts
	failed := eachFile(cmd, args, "judged", func(file string) error {
		f, err := findings(cmd, file, o.findingsOptions)
		if err == nil {
			v := f.Verdicts()
			v.Picked = o.givenFilters(cmd)
			names, runs = append(names, inputName(file)), append(runs, v)
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
	return answerError(no, err)
}

// write prints one run in full and several as a table. In JSON it prints one object per run.
func (o *checkOptions) write(cmd *cobra.Command, several bool, names []string, runs []report.Verdicts) error {
	out := cmd.OutOrStdout()
	switch format := formatOf(cmd); {
	case format == ktapFormat || format == junitFormat:
		return writeTests(out, several, names, runs, o.strict, format)
	case format == jsonFormat:
		for i := range runs {
			if err := runs[i].WriteJSON(out); err != nil {
				return err
			}
		}
		return nil
	case len(runs[0].Picked) > 0:
		fmt.Fprintf(out, "of the claims on what %s picks; events and losses are of the whole trace\n", replay.CommandLine(runs[0].Picked))
	}
	if several {
		return report.WriteMatrix(out, names, runs)
	}
	return runs[0].WriteText(out)
}

// writeTests prints the verdicts of all runs as tests. If there are several runs, the class of each
// test begins with the file's name.
func writeTests(w io.Writer, several bool, names []string, runs []report.Verdicts, strict bool, format string) error {
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
