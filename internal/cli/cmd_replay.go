// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// replayOptions are the flags of replay as given.
type replayOptions struct {
	run      int
	format   outputFormat
	color    string
	pids     []uint
	comms    []string
	roles    []string
	paths    []string
	names    []string
	from, to string
}

func newReplayCmd() *cobra.Command {
	o := replayOptions{format: textFormat, color: "auto"}
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Print the events of a trace, one line each",
		Long: `Prints the events of a trace in order, one line each, nested in the calls that
enclose them; loss and damage stand in their place. FILE may be - for stdin.

Formats: text, for people; dmesg, the lines of the stage 2 kernel module; json, one
object a line, loss and the end of the trace as objects of their own.

Filters choose what is shown; they combine. A NAME or PATH is given as it is or as
dtrec prints it, with escapes such as \r or \u0301; where there is a name of either
kind, both are shown. Where nothing is shown, stderr has the nearest there is. A time T
is in seconds since boot, as printed, or with a + in seconds since the start of the
recording.

Exit status: 0 printed, 2 not readable.`,
		Example: `  dtrec replay run1.pb
  dtrec replay --comm tm_miss --role open,alloc run1.pb
  dtrec replay --path /tmp/t_e.txt --format dmesg run1.pb
  dtrec replay --format json run1.pb | jq 'select(.type == "loss")'`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.replay(cmd, args[0]) },
	}
	f := cmd.Flags()
	addRunFlag(cmd, &o.run)
	addFormatFlag(cmd, &o.format, textFormat, dmesgFormat, jsonFormat)
	f.StringVar(&o.color, "color", o.color, "`WHEN` to color text: auto, always, never")
	f.UintSliceVar(&o.pids, "pid", nil, "only events of process `N`")
	f.StringArrayVar(&o.comms, "comm", nil, "only events of tasks called `NAME`")
	f.StringSliceVar(&o.roles, "role", nil, "only events of these `ROLES`, e.g. open,alloc")
	f.StringArrayVar(&o.paths, "path", nil, "only opens of this `PATH`, and what happens in them")
	f.StringArrayVar(&o.names, "name", nil, "only events about this `NAME` of a component")
	f.StringVar(&o.from, "from", "", "only events from this `TIME` on")
	f.StringVar(&o.to, "to", "", "only events up to this `TIME`")
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
	t, err := openTrace(cmd, path, o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	start := t.Header().StartBootNs
	if filter.From, err = parseTime(o.from, start, 0); err != nil {
		return usageError(cmd, fmt.Errorf("--from %w", err))
	}
	if filter.To, err = parseTime(o.to, start, math.MaxUint64); err != nil {
		return usageError(cmd, fmt.Errorf("--to %w", err))
	}
	empty, err := replay.Print(cmd.OutOrStdout(), t, filter, format)
	for _, why := range empty {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s\n", why)
	}
	return err
}

func (o *replayOptions) newFormat(cmd *cobra.Command) (replay.Format, error) {
	if err := o.format.check(cmd, textFormat, dmesgFormat, jsonFormat); err != nil {
		return nil, err
	}
	color, err := useColor(o.color, rawOut(cmd))
	if err != nil {
		return nil, usageError(cmd, err)
	}
	switch o.format {
	case dmesgFormat:
		return replay.NewDmesg(), nil
	case jsonFormat:
		return replay.NewJSON(), nil
	}
	return replay.NewText(color), nil
}

// useColor decides whether text for w is colored (see no-color.org).
func useColor(when string, w io.Writer) (bool, error) {
	switch when {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		f, ok := w.(*os.File)
		return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", nil
	}
	return false, fmt.Errorf("--color %s: not one of auto, always, never", display(when))
}

// filter is the filter but for its times, which need the trace.
func (o *replayOptions) filter(cmd *cobra.Command) (*replay.Filter, error) {
	f := &replay.Filter{Comms: o.comms, Paths: o.paths, Names: o.names}
	for _, pid := range o.pids {
		if pid > math.MaxUint32 {
			return nil, usageError(cmd, fmt.Errorf("--pid %d: too large", pid))
		}
		f.PIDs = append(f.PIDs, uint32(pid))
	}
	var err error
	f.Roles, err = parseRoles("--role", o.roles)
	return f, err
}

// parseTime reads seconds with up to nine decimals, counted from boot or, after a
// +, from start. It returns nanoseconds since boot; for "", otherwise.
func parseTime(s string, start, otherwise uint64) (uint64, error) {
	if s == "" {
		return otherwise, nil
	}
	number, relative := strings.CutPrefix(s, "+")
	whole, decimals, _ := strings.Cut(number, ".")
	seconds, err := strconv.ParseUint(whole, 10, 32)
	if err == nil && len(decimals) <= 9 {
		var ns uint64
		if ns, err = strconv.ParseUint((decimals + "000000000")[:9], 10, 64); err == nil {
			if ns += seconds * 1e9; relative {
				ns += start
			}
			return ns, nil
		}
	}
	return 0, fmt.Errorf("%s: not a time in seconds, such as 12.5 or +0.25", display(s))
}
