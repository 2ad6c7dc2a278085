// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// addReadFlags adds to a command that reads traces and prints text what they all have: the flags of
// addOutputFlags, and a hidden -i for those who are used to it.
func addReadFlags(cmd *cobra.Command) *cobra.Command {
	var inputs []string
	cmd.Flags().StringArrayVarP(&inputs, "input", "i", nil, "read `FILE`, as if it stood among the arguments")
	cmd.Flags().Lookup("input").Hidden = true
	check, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error { return check(cmd, append(args, inputs...)) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd, append(args, inputs...)) }
	return addOutputFlags(cmd)
}

// addOutputFlags adds -o to a command that prints text, and a pager if stdout is a terminal.
func addOutputFlags(cmd *cobra.Command) *cobra.Command {
	var o textOutput
	cmd.Flags().StringVarP(&o.path, "output", "o", "-", "write to `FILE`, - for stdout")
	cmd.Flags().BoolVar(&o.noPager, "no-pager", false, "do not page the output on a terminal with $DTREC_PAGER, $PAGER or less")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.open(cmd); err != nil {
			return err
		}
		return o.close(run(cmd, args))
	}
	return cmd
}

// textOutput is where a command's text goes: stdout, a file, or a pager in front of a terminal.
type textOutput struct {
	path    string
	noPager bool

	filter *terminalFilter
	file   *os.File // the file of -o; nil: stdout
	pager  *exec.Cmd
}

// open makes the command's filter write to the file or the pager.
func (o *textOutput) open(cmd *cobra.Command) (err error) {
	var ok bool
	if o.filter, ok = cmd.OutOrStdout().(*terminalFilter); !ok {
		return nil
	}
	if o.path != "-" {
		if o.file, err = o.create(); err != nil {
			return &exitError{exitTrouble, fmt.Errorf("write %s: %w", display(o.path), tracefile.Bare(err)), "name another file with -o"}
		}
		o.filter.w = o.file
		return nil
	}
	out, ok := o.filter.w.(*os.File)
	pager := cmp.Or(os.Getenv("DTREC_PAGER"), os.Getenv("PAGER"), "less")
	if !ok || o.noPager || pager == "cat" || !isTerminal(out) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	o.startPager(cmd, pager, out)
	return nil
}

// startPager starts the pager. If it cannot be started, the text goes to the terminal directly.
func (o *textOutput) startPager(cmd *cobra.Command, pager string, out *os.File) {
	if words := strings.Fields(pager); len(words) == 0 {
		return
	} else if _, err := exec.LookPath(words[0]); err != nil && !strings.ContainsAny(words[0], "=$('\"") { // neither a program nor shell syntax
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: no pager %s\n", oneLine(words[0]))
		return
	}
	p := exec.Command("sh", "-c", pager)
	p.Stdout, p.Stderr = out, unfiltered(cmd.ErrOrStderr())
	p.Env = os.Environ()
	if _, set := os.LookupEnv("LESS"); !set {
		p.Env = append(p.Env, "LESS=FRX") // quit if it fits on the screen, pass colors through, leave the text on the screen
	}
	in, err := p.StdinPipe()
	if err != nil || p.Start() != nil {
		return
	}
	o.pager, o.filter.w, o.filter.terminal = p, in, out
}

// errIsTrace refuses to replace a trace with a text about it.
var errIsTrace = errors.New("is a trace, and would be lost")

// create creates a file beside the one at path, which close renames it to when all is written. A path
// that is not a regular file, such as /dev/null, is opened and written to itself.
func (o *textOutput) create() (*os.File, error) {
	info, err := os.Stat(o.path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return os.OpenFile(o.path, os.O_WRONLY, 0)
	case err == nil && info.Size() > 0 && tracefile.IsTrace(o.path, info):
		return nil, errIsTrace
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	dir, name := filepath.Split(o.path)
	return os.OpenFile(fmt.Sprintf("%s.%s.%d.part", dir, name, os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// close ends the output after the command, whose error is err. It removes an incomplete file, so that
// what was at the path stays.
func (o *textOutput) close(err error) error {
	if o.pager != nil {
		o.filter.w.(io.Closer).Close()
		o.pager.Wait() // its exit status says nothing about the command
		return err
	}
	if o.file == nil {
		return err
	}
	var exit *exitError
	whole := err == nil || errors.As(err, &exit) && (exit.err == nil || exit.code == exitNegative) // a negative answer is complete too
	if failed := errors.Join(o.filter.close(), o.file.Close()); failed != nil && whole {
		err, whole = failed, false
	}
	if part := o.file.Name(); part != o.path {
		if whole {
			if failed := os.Rename(part, o.path); failed != nil {
				err = tracefile.Bare(failed)
			}
		} else {
			os.Remove(part)
		}
	}
	if errno := syscall.Errno(0); !errors.As(err, &exit) && errors.As(err, &errno) {
		return &exitError{exitTrouble, fmt.Errorf("write %s: %w", display(o.path), errno), "name another file with -o"}
	}
	return err
}

// terminalOf returns the terminal that the command prints to, directly, or through a pager or a folder; nil if it
// prints to none.
func terminalOf(cmd *cobra.Command) *os.File {
	if d, ok := cmd.OutOrStdout().(*terminalFilter); ok && d.terminal != nil {
		return d.terminal
	}
	if f, ok := rawOut(cmd).(*os.File); ok && isTerminal(f) {
		return f
	}
	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
