// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"

	"github.com/dtrec/dtrec/replay"
	"github.com/spf13/cobra"
)

func newReplayCmd() *cobra.Command {
	var o filterOptions
	color := "auto"
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Print the events of a trace, one line each",
		Long: `Prints the events of a trace in order, one line each, indented below the calls that
enclose them. Loss and damage are printed where they happened. FILE may be - for stdin.
A line fits in 120 columns; with --wide it has everything that was recorded.

Formats: text, for people; dmesg, the lines of the stage 2 kernel module; json, one
object per line, with loss and the end of the trace as objects of their own.

Filters choose what is printed, and combine. A NAME or PATH is taken as it is and as
dtrec prints it, with escapes such as \r or \u0301; if both exist, both are printed.
If nothing matches, stderr names the nearest that would. A TIME is in seconds since
boot, as printed, or with a + in seconds since the start of the recording. In a large
file with a seek index, --from, --to, --pid, --comm and --path read only the frames
that can match, and say so.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec replay run1.pb
  dtrec replay --comm tm_miss --role open,alloc run1.pb
  dtrec replay --path /tmp/t_e.txt --format dmesg run1.pb
  dtrec replay --errno ENOENT --slower 100us run1.pb
  dtrec replay --format json run1.pb | jq 'select(.type == "loss")'`,
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return runReplay(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	addRunFlag(f)
	addFormatFlag(cmd, textFormat, dmesgFormat, jsonFormat)
	f.Var(oneOf(&color, "auto", "always", "never"), "color", "`WHEN` to color text: auto, always, never")
	f.Bool("wide", false, "with symbols, addresses and hashes, however long a line gets")
	f.Var(listOf(&o.picks.Roles, readRole, roleNames()...), "role", "only events of these `ROLES`, e.g. open,alloc")
	o.register(f)
	return cmd
}

func runReplay(cmd *cobra.Command, path string, o *filterOptions) error {
	open := openTrace
	if o.usesIndex() {
		open = openIndexed
	}
	t, err := open(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	filter := o.filter(t.Header())
	empty, err := replay.Print(cmd.OutOrStdout(), t, filter, newFormat(cmd))
	if err == nil && t.skipped > 0 {
		if empty != nil { // the nearest name may be in a frame that was passed over
			return printNearest(cmd, path, filter)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %d events were passed over by the seek index: after the first of them dentries have no D numbers, and calls entered there no entry; '%s … - < FILE' reads all\n", t.skipped, t.command)
	}
	printLines(cmd, empty)
	return err
}

// newFormat returns the format to print in. Under --color auto, text is colored only on a terminal (see
// no-color.org).
func newFormat(cmd *cobra.Command) replay.Format {
	switch formatOf(cmd) {
	case dmesgFormat:
		return replay.NewDmesg()
	case jsonFormat:
		return replay.NewJSON()
	}
	when := cmd.Flags().Lookup("color").Value.String()
	wide, _ := cmd.Flags().GetBool("wide")
	color := when == "always" || when == "auto" && terminalOf(cmd) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return replay.NewText(replay.TextOptions{Color: color, Wide: wide})
}
