// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"

	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

func newSummaryCmd() *cobra.Command {
	var o filterOptions
	cmd := &cobra.Command{
		Use:   "summary FILE",
		Short: "Say what happened: calls, failures, time, by program",
		Long: `Says what happened: how many path calls there were, how many failed, how long they
took, with a row for each program; then what stands out, chosen by the rules of
docs/answers.md, with the command that shows more. FILE may be - for stdin.

A call is rcu if every name was found in rcu-walk. It is ref if the cache answered, but
not in rcu-walk alone: in ref-walk, or to an operation (unlink, rename) that had locked
the directory. It is miss if a filesystem was asked for a name.

The filters are those of replay, without --role. A call counts if replay prints a line
of it under the same filters. Dentries without inode are then left out.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec summary run1.pb
  dtrec summary --comm git run1.pb
  dtrec summary --format json run1.pb | jq '.programs[] | [.program, .failed]'`,
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, args[0], func(t *trace) (any, func(io.Writer) error, error) {
				src := o.picker(t)
				s, err := answers.Summarize(src)
				s.Picked = o.givenFilters(cmd)
				explainEmptyPick(cmd, src)
				file := args
				if t.run > 0 {
					file = append([]string{fmt.Sprintf("--run=%d", t.run)}, args...)
				}
				return s, func(w io.Writer) error { return s.WriteText(w, file...) }, err
			})
		},
	}
	addQuestionFlags(cmd)
	o.register(cmd.Flags())
	return addWideFlag(cmd)
}
