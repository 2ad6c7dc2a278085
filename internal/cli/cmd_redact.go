// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dtrec/dtrec/internal/tracefile"
	"github.com/dtrec/dtrec/redact"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// redactOptions holds the flags of redact.
type redactOptions struct {
	redact.Options
	destination
	keyFile string
}

func newRedactCmd() *cobra.Command {
	var o redactOptions
	cmd := &cobra.Command{
		Use:   "redact [-o OUT] FILE",
		Short: "Make a trace that can be given to strangers",
		Long: `Writes a trace that can be given away. Names, comms and programs become tokens;
addresses are moved; hashes, buckets, command line, boot id and date are removed. Equal
names stay equal and keep their length, equal addresses stay equal, and differences
within a run of pages stay what they were. So all claims keep their verdicts but hash
and bucket, which are unproven: redacted. Still in it are how often things were used, in
which order, how long it took, the kernel's release and the names of filesystems. FILE
may be - for stdin.

Exit status: 0 written, 2 not readable or not written.`,
		Example: `  dtrec redact -o share.pb run1.pb && dtrec check share.pb
  dtrec redact --extensions -o share.pb run1.pb
  dtrec redact --key KEY -o a.pb run1.pb && dtrec redact --key KEY -o b.pb run2.pb && dtrec diff a.pb b.pb`,
		Args: exactArgs(1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.redact(cmd, args[0]) },
	}
	o.register(cmd, "redacted.pb", "write the trace to `OUT`, - for stdout")
	f := cmd.Flags()
	f.BoolVar(&o.Extensions, "extensions", false, "keep what follows the last dot of a name")
	f.StringVar(&o.keyFile, "key", "", "make the tokens from the bytes of `FILE`, 16 or more; traces to be compared need the same; keep it secret")
	addRunFlag(f)
	return cmd
}

func (o *redactOptions) redact(cmd *cobra.Command, path string) error {
	t, err := openSeekable(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	if o.isSameFile(cmd, t.file) {
		return &exitError{exitTrouble, fmt.Errorf("%s: the redaction would overwrite it", t.name), "name another file with -o"}
	}
	if err := o.readKey(); err != nil {
		return err
	}
	var failed error // the error of redact.Trace alone; err may also come from creating the file
	var last *schema.Reader
	var out written
	err = o.write(rawOut(cmd), func(w io.Writer) error {
		out.Writer = w
		failed = redact.Trace(&out, func() (_ *schema.Reader, err error) {
			last, err = t.rewind()
			return last, err
		}, "dtrec "+version, o.Options)
		return failed
	})
	var damaged *redact.DamagedError
	switch {
	case err == nil && !last.Complete():
		t.warn("%s is cut, and so is the redaction", t.name)
		return nil
	case err == nil:
		return nil
	case errors.As(failed, &damaged):
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, damaged), "a redaction would hide what is missing: record again, or cut the file before that place"}
	case errors.Is(failed, redact.ErrTooMuch):
		return &exitError{exitTrouble, fmt.Errorf("%s: %w", t.name, failed), "record a shorter run"}
	case failed != nil && out.err == nil:
		return t.explain(failed)
	}
	return explainOutput(display(o.Path), err)
}

// written is a writer that keeps its last error, which tells an error of writing from one of reading.
type written struct {
	io.Writer
	err error
}

func (w *written) Write(b []byte) (n int, err error) {
	n, w.err = w.Writer.Write(b)
	return n, w.err
}

// maxKey bounds a key file, in bytes.
const maxKey = 1 << 16

func (o *redactOptions) readKey() error {
	if o.keyFile == "" {
		return nil
	}
	const remedy = "make one: head -c 32 /dev/urandom > KEY"
	f, err := os.Open(o.keyFile)
	if err == nil {
		defer f.Close()
		o.Key, err = io.ReadAll(io.LimitReader(f, maxKey+1))
	}
	if err != nil {
		return &exitError{exitTrouble, fmt.Errorf("--key %s: %w", display(o.keyFile), tracefile.Bare(err)), remedy}
	}
	if len(o.Key) > maxKey {
		return &exitError{exitTrouble, fmt.Errorf("--key %s: more than %d bytes", display(o.keyFile), maxKey), remedy}
	}
	if len(o.Key) < 16 {
		return &exitError{exitTrouble, fmt.Errorf("--key %s: %d bytes, 16 are needed", display(o.keyFile), len(o.Key)), remedy}
	}
	return nil
}
