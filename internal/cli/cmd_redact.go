// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/redact"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// redactOptions are the flags of redact as given.
type redactOptions struct {
	redact.Options
	output  string
	keyFile string
	force   bool
	run     int
}

func newRedactCmd() *cobra.Command {
	var o redactOptions
	cmd := &cobra.Command{
		Use:   "redact [-o OUT] FILE",
		Short: "Make a trace that can be given to strangers",
		Long: `Writes the trace with tokens for names, comms and programs, with addresses that lie
elsewhere, without hashes, buckets, command line, boot id and date. Equal names stay
equal and as long, equal addresses equal, and differences inside a run of pages what
they were, so all claims but hash and bucket keep their verdicts; those are unproven:
redacted. How often and in which order what was used, and how long it took, is still
there, and so are the kernel's release and the names of filesystems. FILE may be - for
stdin.

Exit status: 0 written, 2 not readable or not written.`,
		Example: `  dtrec redact -o share.pb run1.pb && dtrec check share.pb
  dtrec redact --extensions -o share.pb run1.pb
  dtrec redact --key KEY -o a.pb run1.pb && dtrec redact --key KEY -o b.pb run2.pb && dtrec diff a.pb b.pb`,
		Args: exactly(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.redact(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "redacted.pb", "write the trace to `OUT`, - for stdout")
	addForceFlag(cmd, &o.force)
	f.BoolVar(&o.Extensions, "extensions", false, "keep what follows the last dot of a name")
	f.StringVar(&o.keyFile, "key", "", "make the tokens with the bytes of `FILE`, 16 or more: traces that are to be compared need the same; keep it secret")
	addRunFlag(cmd, &o.run)
	return cmd
}

func (o *redactOptions) redact(cmd *cobra.Command, path string) error {
	t, err := openSeekable(cmd, path, o.run)
	if err != nil {
		return err
	}
	defer t.Close()
	if to, err := os.Stat(o.output); err == nil && o.output != "-" {
		if from, err := t.file.Stat(); err == nil && os.SameFile(from, to) {
			return &exitError{exitTrouble, fmt.Errorf("%s: the redaction would overwrite it", t.name), "name another file with -o"}
		}
	}
	if err := o.readKey(); err != nil {
		return err
	}
	source := func() (*schema.Reader, error) {
		if _, err := t.file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return schema.NewReader(bufio.NewReaderSize(t.file, 64<<10), o.run)
	}
	var failed error // of the reading: that of the writing has its place in the message
	write := func(w io.Writer) error {
		failed = redact.Trace(w, source, "dtrec "+version, o.Options)
		return failed
	}
	if o.output == "-" {
		err = write(rawOut(cmd))
	} else {
		err = tracefile.Place{Path: o.output, Force: o.force, User: -1}.Replace(write)
	}
	var damaged *redact.DamagedError
	switch {
	case err == nil:
		return nil
	case errors.As(failed, &damaged):
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, damaged), "a redaction would hide what is missing: record again, or cut the file before that place"}
	case errors.Is(failed, redact.ErrTooMuch):
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, failed), "record a shorter run"}
	}
	return explainOutput(display(o.output), err)
}

// maxKey is how much of a key is read, bytes.
const maxKey = 1 << 16

func (o *redactOptions) readKey() error {
	if o.keyFile == "" {
		return nil
	}
	const remedy = "make one: head -c 32 /dev/urandom > KEY"
	f, err := os.Open(o.keyFile)
	if err == nil {
		defer f.Close()
		o.Key, err = io.ReadAll(io.LimitReader(f, maxKey))
	}
	if err != nil {
		return &exitError{exitTrouble, fmt.Errorf("--key %s: %w", display(o.keyFile), tracefile.Bare(err)), remedy}
	}
	if len(o.Key) < 16 {
		return &exitError{exitTrouble, fmt.Errorf("--key %s: %d bytes, 16 are needed", display(o.keyFile), len(o.Key)), remedy}
	}
	return nil
}
