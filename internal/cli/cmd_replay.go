// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/dtrec/dtrec/replay"
	"github.com/spf13/cobra"
)

// replayOptions are the flags of replay as given.
type replayOptions struct {
	filterOptions
	run    int
	format outputFormat
	color  string
	wide   bool
	roles  []string
}

func newReplayCmd() *cobra.Command {
	o := replayOptions{format: textFormat, color: "auto"}
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Print the events of a trace, one line each",
		Long: `Prints the events of a trace in order, one line each, nested in the calls that
enclose them; loss and damage stand in their place. FILE may be - for stdin. A line
fits in 120 columns; with --wide it has all that was recorded.

Formats: text, for people; dmesg, the lines of the stage 2 kernel module; json, one
object a line, loss and the end of the trace as objects of their own.

Filters choose what is shown; they combine. A NAME or PATH is given as it is or as
dtrec prints it, with escapes such as \r or \u0301; where there is a name of either
kind, both are shown. Where nothing is shown, stderr has the nearest there is. A time T
is in seconds since boot, as printed, or with a + in seconds since the start of the
recording. Of a large file with a seek index --from, --to, --pid, --comm and --path
read only the frames that may hold what they ask for, and say so.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec replay run1.pb
  dtrec replay --comm tm_miss --role open,alloc run1.pb
  dtrec replay --path /tmp/t_e.txt --format dmesg run1.pb
  dtrec replay --errno ENOENT --slower 100us run1.pb
  dtrec replay --format json run1.pb | jq 'select(.type == "loss")'`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.replay(cmd, args[0]) },
	}
	f := cmd.Flags()
	addRunFlag(cmd, &o.run)
	addFormatFlag(cmd, &o.format, textFormat, dmesgFormat, jsonFormat)
	f.StringVar(&o.color, "color", o.color, "`WHEN` to color text: auto, always, never")
	f.BoolVar(&o.wide, "wide", false, "with symbols, addresses and hashes, however long a line gets")
	f.StringSliceVar(&o.roles, "role", nil, "only events of these `ROLES`, e.g. open,alloc")
	o.register(cmd)
	return cmd
}

func (o *replayOptions) replay(cmd *cobra.Command, path string) error {
	if err := readable(cmd); err != nil {
		return err
	}
	format, err := o.newFormat(cmd)
	if err != nil {
		return err
	}
	filter, err := o.filter(cmd)
	if err != nil {
		return err
	}
	if filter.Roles, err = parseRoles("--role", o.roles); err != nil {
		return err
	}
	t, err := openIndexed(cmd, path, o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := o.window(cmd, filter, t.Header()); err != nil {
		return err
	}
	empty, err := replay.Print(cmd.OutOrStdout(), t, filter, format)
	if err == nil && t.skipped > 0 {
		if empty != nil { // what is nearest may stand in what was passed over
			return o.nearest(cmd, path, filter)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %d events were passed over by the seek index: after the first of them dentries have no D numbers, and calls entered there no entry; '%s … - < FILE' reads all\n", t.skipped, t.command)
	}
	for _, why := range empty {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s\n", why)
	}
	return err
}

// nearest reads all of a trace of which nothing is shown, and says why.
func (o *replayOptions) nearest(cmd *cobra.Command, path string, filter *replay.Filter) error {
	t, err := openTrace(cmd, path, o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	t.stderr = io.Discard // it was said
	empty, err := replay.Print(io.Discard, t, filter, replay.NewText(replay.TextOptions{}))
	for _, why := range empty {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s\n", why)
	}
	return err
}

func (o *replayOptions) newFormat(cmd *cobra.Command) (replay.Format, error) {
	if err := o.format.check(cmd, textFormat, dmesgFormat, jsonFormat); err != nil {
		return nil, err
	}
	color, err := useColor(o.color, onTerminal(cmd))
	if err != nil {
		return nil, usageError(cmd, err)
	}
	switch o.format {
	case dmesgFormat:
		return replay.NewDmesg(), nil
	case jsonFormat:
		return replay.NewJSON(), nil
	}
	return replay.NewText(replay.TextOptions{Color: color, Wide: o.wide}), nil
}

// useColor decides whether text is colored (see no-color.org).
func useColor(when string, terminal bool) (bool, error) {
	switch when {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", nil
	}
	return false, fmt.Errorf("--color %s: not one of auto, always, never", display(when))
}
