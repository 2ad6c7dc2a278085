// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// checkFlags refuses what no flag of any command means: an empty word, and a number that is
// none or not more than 0. What a flag means by default is not looked at.
func checkFlags(cmd *cobra.Command) error {
	var wrong error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if why := meaningless(f); why != "" && wrong == nil {
			wrong = usageError(cmd, fmt.Errorf("--%s%s", f.Name, why))
		}
	})
	return wrong
}

// meaningless says what is wrong with the value of a flag; empty: nothing that can be told
// from its type.
func meaningless(f *pflag.Flag) string {
	value := f.Value.String()
	switch f.Value.Type() {
	case "string":
		if value == "" {
			return ": empty"
		}
	case "stringSlice":
		if words, ok := f.Value.(pflag.SliceValue); ok && (len(words.GetSlice()) == 0 || slices.Contains(words.GetSlice(), "")) {
			return ": empty"
		}
	case "duration":
		if d, err := time.ParseDuration(value); err == nil && d <= 0 {
			return " " + value + ": not more than 0"
		}
	case "int", "int64", "uint", "uint32", "uint64", "float64":
		if n, err := strconv.ParseFloat(value, 64); err != nil || !(n > 0) || n > 1e300 {
			return " " + value + ": not more than 0"
		}
	}
	return ""
}

// newHelpCmd is help about a command, and an error about one that is not there.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Long: `Prints the help of a command, as 'dtrec COMMAND --help' does.

Exit status: 0 printed, 2 no such command.`,
		Example: `  dtrec help replay`,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(root, args[len(args)-max(1, len(rest)):])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
