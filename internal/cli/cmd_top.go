// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"

	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newTopCmd() *cobra.Command {
	var o filterOptions
	rows, of, by := 20, "calls", "path"
	choice := func(c answers.Choice) (string, string) { return c.Name, c.Says }
	whats, groups := answers.Names()
	ofs, theOfs := describeValues(whats, choice)
	bys, theBys := describeValues(groups, choice)
	cmd := &cobra.Command{
		Use:   "top FILE",
		Short: "Print what there is most of: calls, failures, time, misses, negatives",
		Long: `Prints what there is most of in a trace. Memory does not grow with the trace: if there
are more rows than are kept, the output says by how much an amount may be too low.
Otherwise the amounts are exact, or the output says why they are only of what was
recorded: events were lost, a probe was not attached. FILE may be - for stdin.

--of takes
` + theOfs + `
--by takes
` + theBys + `
For dentries without inode it also says how they came to be (lookup, unlink, rmdir,
delete) and what became of them (alive at the end of the trace, killed and by whom,
reused for a file, dropped from the hash table, unknown where that may have left no
event). The column left counts those known to be alive at the end, the column hits the
lookups they answered.

The filters are those of replay, without --role. A call counts if replay prints a line
of it under the same filters, an allocation if replay prints its line.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec top --by path --of failures run1.pb
  dtrec top --by dir --of negatives run1.pb
  dtrec top --by path --of time --comm git --op open run1.pb
  dtrec top --by program --of time -n 5 run1.pb`,
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, args[0], func(t *trace) (any, func(io.Writer) error, error) {
				src := o.picker(t)
				top, err := answers.TopOf(src, of, by, rows)
				if top == nil {
					return nil, nil, usageError(cmd, err)
				}
				top.Picked = o.givenFilters(cmd)
				if err == nil && !explainEmptyPick(cmd, src) && formatOf(cmd) == textFormat && len(top.Rows) == 0 && !src.Header().Logged() {
					fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: the trace has no %s%s\n", of, o.picksClause(cmd))
				}
				return top, top.WriteText, err
			})
		},
	}
	addQuestionFlags(cmd)
	o.register(cmd.Flags())
	cmd.Flags().Var(oneOf(&of, ofs...), "of", "`WHAT` is counted")
	cmd.Flags().Var(oneOf(&by, bys...), "by", "`WHAT` it is grouped by")
	cmd.Flags().IntVarP(&rows, "rows", "n", rows, "print at most `N` rows")
	return addWideFlag(cmd)
}
