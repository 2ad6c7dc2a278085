// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newTopCmd() *cobra.Command {
	run, rows, of, by := 0, 20, "calls", "path"
	format := textFormat
	ofs, bys := answers.Names()
	cmd := &cobra.Command{
		Use:   "top FILE",
		Short: "Print what there is most of: calls, failures, time, misses, negatives",
		Long: `Prints what there is most of in a trace, in memory that does not grow with it: where
there are more rows than are kept, it says how much an amount may be too low; else
the amounts are exact. FILE may be - for stdin.

--of takes
` + choices(ofs) + `
--by takes
` + choices(bys) + `
Of dentries without inode it says how they came to be (lookup, unlink, rmdir,
delete) and what became of them (alive at the end of the trace, killed and by whom,
reused for a file, dropped from the hash table).

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec top --by path --of failures run1.pb
  dtrec top --by dir --of negatives run1.pb
  dtrec top --by program --of time -n 5 run1.pb`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(cmd, textFormat, jsonFormat); err != nil {
				return err
			}
			if err := oneOf(cmd, "--of", of, ofs); err != nil {
				return err
			}
			if err := oneOf(cmd, "--by", by, bys); err != nil {
				return err
			}
			t, err := openTrace(cmd, args[0], run)
			if err != nil {
				return err
			}
			defer t.Close()
			top, err := answers.TopOf(t, of, by, rows)
			if err != nil {
				return err
			}
			if format == jsonFormat {
				return answers.WriteJSON(cmd.OutOrStdout(), top)
			}
			if len(top.Rows) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the trace has no %s\n", of)
			}
			return top.WriteText(cmd.OutOrStdout())
		},
	}
	addRunFlag(cmd, &run)
	addFormatFlag(cmd, &format, textFormat, jsonFormat)
	cmd.Flags().StringVar(&of, "of", of, "`WHAT` is counted")
	cmd.Flags().StringVar(&by, "by", by, "`WHAT` it is grouped by")
	cmd.Flags().IntVarP(&rows, "rows", "n", rows, "most rows")
	return cmd
}

// choices lists words and what they say.
func choices(of []answers.Choice) string {
	var b strings.Builder
	for _, c := range of {
		fmt.Fprintf(&b, "  %-10s %s\n", c.Name, c.Says)
	}
	return b.String()
}

// oneOf refuses a word that is none of those an option takes.
func oneOf(cmd *cobra.Command, flag, word string, of []answers.Choice) error {
	var known []string
	for _, c := range of {
		if c.Name == word {
			return nil
		}
		known = append(known, c.Name)
	}
	return usageError(cmd, fmt.Errorf("%s %s: not one of %s", flag, display(word), strings.Join(known, ", ")))
}
