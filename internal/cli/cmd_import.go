// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dtrec/dtrec/record/dmesg"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

func newImportCmd() *cobra.Command {
	var to destination
	cmd := &cobra.Command{
		Use:   "import [-o FILE] LOG",
		Short: "Make a trace of a kernel log, or of what perf or trace-cmd printed",
		Long: `Makes a trace of a kernel log with the lines of the stage 2 kernel module (or of 'dtrec
replay --format dmesg', or of a page that quotes them). LOG may be - for stdin. The JSON
of dmesg and the journal, /dev/kmsg, colours and UTF-16 are understood. Timestamps, the
file names and line numbers of rg -n, a sudo prompt and other lines in between do not
matter. Lines that are not understood are counted, and listed with --unknown.

The text of trace-cmd report or perf script is read as well, of the probes in
docs/peers.md.

A log says neither which thread wrote a line nor where a dentry lies, so almost nothing
can be proven from it: it is for 'dtrec check --page PAGE.md FILE', replay and diff.
Another boot in the log begins another run in the file; --run reads it.

Exit status: 0 written, 2 not readable, no line understood, or the input is a trace or a
report of dtrec itself.`,
		Example: `  dmesg | dtrec import -o log.pb -
  dtrec import --unknown -o log.pb dmesg.txt
  dtrec import -o page.pb stage2-return.md && dtrec check --page stage2-return.md page.pb`,
		Args: takes(1, 1, "one log"),
		RunE: func(cmd *cobra.Command, args []string) error { return importLog(cmd, args[0], &to) },
	}
	to.register(cmd, "dtrec.pb", "write the trace to `FILE`, - for stdout")
	addFormatFlag(cmd, dmesgFormat)
	cmd.Flags().Lookup("format").Usage = "`FORMAT` of the log: dmesg, in whatever a kernel log comes"
	cmd.Flags().Bool("unknown", false, "list the lines not understood on stderr")
	return cmd
}

func importLog(cmd *cobra.Command, path string, to *destination) error {
	if err := to.refuseTerminal(cmd, "a trace"); err != nil {
		return err
	}
	in, err := openInput(cmd, path)
	if err != nil {
		return explainInput(cmd, path, err, "name a log that is there, or - for stdin")
	}
	defer in.Close()
	log, _ := in.(*os.File)
	if path == "-" {
		log, _ = cmd.InOrStdin().(*os.File)
	}
	if log != nil && to.isSameFile(cmd, log) {
		return &exitError{exitTrouble, fmt.Errorf("%s: the trace would overwrite it", inputName(path)), "name another file with -o"}
	}
	buffered := bufio.NewReaderSize(in, 64<<10)
	if err := checkLogStart(cmd, path, buffered); err != nil {
		return err
	}
	read, err := dmesg.Read(buffered, listSkipped(cmd))
	if errors.Is(err, dmesg.ErrTooLong) {
		return explainInput(cmd, path, err, "cut it into parts, and import each")
	} else if err != nil {
		return explainInput(cmd, path, err, "check the disk, or the pipe the log comes from")
	}
	if err := checkLogRuns(path, read); err != nil {
		return err
	}
	if err := to.write(rawOut(cmd), func(w io.Writer) error { return writeRuns(w, read) }); err != nil {
		return explainOutput(display(to.Path), err)
	}
	summarizeImport(cmd.ErrOrStderr(), inputName(path), read)
	return nil
}

// checkLogStart returns an error for a file that cannot be a log by its first bytes: a trace, or a compressed
// file. Otherwise it returns nil.
func checkLogStart(cmd *cobra.Command, path string, in *bufio.Reader) error {
	start, _ := in.Peek(8)
	hint := decompressHint(start, cmd.CommandPath())
	if bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")) { // a zstd frame
		hint = "decompress it first: 'zstdcat FILE | " + cmd.CommandPath() + " -'"
		r, err := schema.NewReader(in, 0)
		if err == nil {
			r.Close()
		}
		if !errors.Is(err, schema.ErrNotTrace) {
			return &exitError{exitTrouble, fmt.Errorf("%s is a trace already", inputName(path)), "read it as it is: 'dtrec report FILE', 'dtrec check FILE'"}
		}
	}
	if hint == "" {
		return nil
	}
	return &exitError{exitTrouble, fmt.Errorf("%s is compressed", inputName(path)), hint}
}

// checkLogRuns returns the error for a log that no trace can be made from, nil if one can.
func checkLogRuns(path string, log *dmesg.Log) error {
	switch {
	case log.Report != "":
		return &exitError{exitTrouble, fmt.Errorf("%s is a report that dtrec wrote, of run %s", inputName(path), log.Report),
			"the trace it was made from holds what it says, and more: read that"}
	case len(log.Runs) > 0:
		return nil
	}
	hint := "the lines are those of the stage 2 module, such as '[O] IN: 0xffff… | /tmp/x'; --unknown lists what is there"
	if log.Hidden > 0 {
		hint = "its pointers are hashed by %p: print them with %px"
	}
	return &exitError{exitTrouble, fmt.Errorf("%s: none of %d lines understood", inputName(path), log.Lines), hint}
}

// listSkipped returns a function that lists each line that was not understood on stderr, or nil without
// --unknown.
func listSkipped(cmd *cobra.Command) dmesg.Skipped {
	if unknown, _ := cmd.Flags().GetBool("unknown"); !unknown {
		return nil
	}
	return func(line uint64, text string, broken bool) {
		word := "unknown"
		if broken {
			word = "broken"
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: line %d: %s\n", word, line, replay.PrintableLine(text))
	}
}

func writeRuns(w io.Writer, log *dmesg.Log) error {
	for _, r := range log.Runs {
		if err := r.Write(w, "dtrec "+version); err != nil {
			return err
		}
	}
	return nil
}

func summarizeImport(w io.Writer, name string, log *dmesg.Log) {
	events := 0
	for _, r := range log.Runs {
		events += len(r.Events)
	}
	fmt.Fprintf(w, "dtrec: %s: %d lines, %d events, %d lines not understood\n", name, log.Lines, events, log.Unknown)
	if log.Broken > 0 {
		fmt.Fprintf(w, "dtrec: warning: %d of them begin as a line of the module and go on otherwise\n", log.Broken)
	}
	if log.Hidden > 0 {
		fmt.Fprintf(w, "dtrec: warning: %d pointers are hashed by %%p: they are no addresses and left out\n", log.Hidden)
	}
	if len(log.Runs) > 1 {
		fmt.Fprintf(w, "dtrec: warning: %d runs, kept apart: read one with --run N\n", len(log.Runs))
		for i, r := range log.Runs {
			fmt.Fprintf(w, "dtrec: run %d begins at line %d, %d events\n", i+1, r.Line, len(r.Events))
		}
	}
}
