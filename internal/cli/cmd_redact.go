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

func newRedactCmd() *cobra.Command {
	var o redact.Options
	var to destination
	var keyFile string
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
		Args: takes(1, 1, "one trace"),
		RunE: func(cmd *cobra.Command, args []string) error { return runRedact(cmd, args[0], &to, o, keyFile) },
	}
	to.register(cmd, "redacted.pb", "write the trace to `OUT`, - for stdout")
	f := cmd.Flags()
	f.BoolVar(&o.Extensions, "extensions", false, "keep what follows the last dot of a name")
	f.StringVar(&keyFile, "key", "", "make the tokens from the bytes of `FILE`, 16 or more; traces to be compared need the same; keep it secret")
	addRunFlag(f)
	return cmd
}

func runRedact(cmd *cobra.Command, path string, to *destination, o redact.Options, keyFile string) error {
	t, err := openSeekable(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	if to.isSameFile(cmd, t.file) {
		return &exitError{exitTrouble, fmt.Errorf("%s: the redaction would overwrite it", t.name), "name another file with -o"}
	}
	if keyFile != "" {
		if o.Key, err = readKey(keyFile); err != nil {
			return err
		}
	}
	var failed error // the error of redact.Trace alone; err may also come from creating the file
	var last *schema.Reader
	var out written
	err = to.write(rawOut(cmd), func(w io.Writer) error {
		out.Writer = w
		failed = redact.Trace(&out, func() (_ *schema.Reader, err error) {
			last, err = t.rewind()
			return last, err
		}, "dtrec "+version, o)
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
	return explainOutput(display(to.Path), err)
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

func readKey(file string) (key []byte, err error) {
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		key, err = io.ReadAll(io.LimitReader(f, maxKey+1))
	}
	switch {
	case err != nil:
		err = fmt.Errorf("--key %s: %w", display(file), tracefile.Bare(err))
	case len(key) > maxKey:
		err = fmt.Errorf("--key %s: more than %d bytes", display(file), maxKey)
	case len(key) < 16:
		err = fmt.Errorf("--key %s: %d bytes, 16 are needed", display(file), len(key))
	default:
		return key, nil
	}
	return nil, &exitError{exitTrouble, err, "make one: head -c 32 /dev/urandom > KEY"}
}
