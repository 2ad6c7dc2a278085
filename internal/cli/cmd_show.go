// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/spf13/cobra"
)

// isFile reports whether an argument can be a trace.
func isFile(arg string) bool {
	_, err := os.Stat(arg)
	return err == nil || arg == "-"
}

// nearFilter returns a filter for the path or name that a trace does not have, so that its nearest matches
// can be named; nil for anything else.
func nearFilter(target answers.Target, what string) *replay.Filter {
	_, err := strconv.ParseUint(strings.TrimPrefix(what, "#"), 10, 64)
	switch {
	case err == nil || target.Dentry() != (replay.ObjectRef{}):
		return nil
	case strings.Contains(what, "/"):
		return &replay.Filter{Paths: []string{what}}
	}
	return &replay.Filter{Names: []string{what}, Comms: []string{what}}
}

func newShowCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE WHAT",
		Short: "Say what is known of one dentry, path, name, process or event",
		Long: `Says what a trace knows of one thing; each line names the event behind it. FILE may be
- for stdin. WHAT is written as dtrec prints it:

  D12         a dentry: its life, who found it, how it ended, and the claims about it
  0xffff…     an address: each dentry that was there, or the calls that led to the inode
  '#17'       an event, and the path call it is part of, component by component
  /a/path     every call on a path, as given or as resolved, and everything it led to
  name        where a name was looked up, and the answer; the processes of that name
  1234        a process: its parent, what it ran, its path calls, how it ended

Exit status: 0 printed, 1 it is not in the trace, 2 not readable.`,
		Example: `  dtrec show run1.pb D12
  dtrec show run1.pb /tmp/t_e.txt
  dtrec show run1.pb '#56'`,
		Args: takes(2, 2, "a trace and what to show of it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := answers.ParseTarget(args[1])
			if err != nil {
				return usageError(cmd, err)
			}
			if !isFile(args[0]) && isFile(args[1]) {
				return usageError(cmd, fmt.Errorf("%s is no file: the trace comes first, as in '%s %s %s'", display(args[0]), cmd.CommandPath(), display(args[1]), display(args[0])))
			}
			none := false
			err = ask(cmd, args[0], func(t *trace) (any, func(io.Writer) error, error) {
				shown, err := answers.Show(t, target)
				if none = err == nil && len(shown.Sections) == 0; none {
					hint := ""
					if _, err := strconv.ParseUint(args[1], 10, 64); err == nil {
						hint = " as a process; an event is '#" + args[1] + "'"
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s is not in the trace%s\n", display(replay.Unescape(args[1])), hint)
				}
				return shown, shown.WriteText, err
			})
			if filter := nearFilter(target, args[1]); none && filter != nil && args[0] != "-" {
				err = printNearest(cmd, args[0], filter)
			}
			return answerError(none, err)
		},
	}
	addQuestionFlags(cmd)
	return addWideFlag(cmd)
}
