// SPDX-License-Identifier: Apache-2.0

// Package cli implements the command line. Each command has a file of its own; the other files hold
// what they share: opening a trace or a text, printing an error as two lines, and filtering what
// reaches a terminal.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/spf13/cobra"
)

// Main is the whole process: the init of a virtual machine if it runs as one, otherwise Run with the
// memory limits and signal handling that a process needs. It returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	runIfGuest()
	limitMemory()
	// Writing to a closed pipe must be an error, not the end of the process: a recording goes on if
	// nobody reads its status line any more.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return Run(args, stdin, stdout, stderr)
}

// Run runs a command line without changing the process around it. It returns the exit code.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCmd(args)
	root.SetArgs(append([]string{}, args...))
	root.SetIn(stdin)
	out, errs := &terminalFilter{w: stdout}, &terminalFilter{w: stderr}
	root.SetOut(out)
	root.SetErr(errs)
	var wrong error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if words := root.Flags().Args(); cmd == root && len(words) > 0 { // 'dtrec nosuch --help'
			wrong = noSuchCommand(root, words)
			return
		}
		help(cmd, args)
		wrong = out.writeErr
	})
	cmd, err := root.ExecuteC()
	err = errors.Join(err, wrong, out.close())
	code := explain(errs, cmd, err)
	if code == exitTrouble && cmd.Flags().Lookup("bisect") != nil && slices.Contains(args, "--bisect") { // even if parsing failed before it
		code = exitSkip
	}
	errs.close()
	return code
}

// Command returns the whole command line, for generating manual pages and completions.
func Command() *cobra.Command { return newRootCmd(nil) }

// readers are the commands that read traces.
var readers = []struct {
	name string
	make func() *cobra.Command
}{
	{"info", newInfoCmd}, {"summary", newSummaryCmd}, {"top", newTopCmd}, {"show", newShowCmd}, {"check", newCheckCmd},
	{"replay", newReplayCmd}, {"report", newReportCmd}, {"diff", newDiffCmd},
}

// newRootCmd makes dtrec with all its commands. If the arguments begin with the name of a reader, it
// makes that one alone: making the others takes a third of dtrec's start-up time.
func newRootCmd(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "dtrec",
		Short: "Prove what happened to a path name inside the dcache",
		Long: `Dtrec records what the kernel's dentry cache does with path names, and proves
from the recording, with addresses and event ids, what happened.

Exit status: 0 done, 1 the answer is no, 2 trouble; of record, that of the command.`,
		Example: `  sudo dtrec record -o run1.pb -- cat /etc/hostname
  dtrec summary run1.pb
  dtrec show run1.pb /etc/hostname
  dtrec report run1.pb > run1.md`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          noSuchCommand,

		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("dtrec {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) }
	for _, r := range readers {
		if len(args) > 0 && args[0] == r.name {
			root.AddCommand(addReadFlags(r.make()))
			root.CompletionOptions.DisableDefaultCmd = true
			return root
		}
	}
	addGroup(root, "Record:", platformCommands()...)
	var reads []*cobra.Command
	for _, r := range readers {
		reads = append(reads, addReadFlags(r.make()))
	}
	addGroup(root, "Read:", reads...)
	addGroup(root, "Share and convert:", newImportCmd(), newExportCmd(), newRedactCmd())
	root.AddCommand(topics()...)
	root.SetHelpCommand(newHelpCmd(root))
	return root
}

// addGroup lists commands under a title in the help. Without commands the title is left out.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	if len(commands) == 0 {
		return
	}
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
		addCompletions(cmd)
	}
	root.AddCommand(commands...)
}

// noSuchCommand is the action of the root: a command is always needed, so it returns an error.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError(cmd, errors.New("no command given"))
	}
	err := &exitError{code: exitTrouble, err: fmt.Errorf("unknown command %q", args[0]), hint: seeHelp(cmd)}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err.hint = fmt.Sprintf("did you mean 'dtrec %s'?", near[0])
	}
	return err
}

// usageError returns an error about how a command was called, with exit code 2.
func usageError(cmd *cobra.Command, err error) error {
	return &exitError{code: exitTrouble, err: err, hint: seeHelp(cmd)}
}

func seeHelp(cmd *cobra.Command) string {
	return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
}

// explain prints an error as two lines, cause and remedy, and returns the exit code.
func explain(stderr io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	exit := &exitError{code: exitTrouble, err: err, hint: seeHelp(cmd)}
	if errors.Is(err, syscall.ENOSPC) {
		exit.hint = "free some space there, and call it again"
	}
	errors.As(err, &exit)
	if exit.err == nil {
		return exit.code
	}
	var lost *tracefile.LostError
	if errors.Is(err, syscall.EPIPE) && !errors.As(err, &lost) { // the reader of our output has seen enough
		if exit.code == exitNegative {
			return exitNegative
		}
		return 0
	}
	fmt.Fprintf(stderr, "dtrec: %s\n", oneLine(err.Error()))
	if exit.hint != "" {
		fmt.Fprintf(stderr, "  remedy: %s\n", oneLine(exit.hint))
	}
	return exit.code
}
