// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/diff"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

var diffLong = `Compares what happened in two traces. Addresses, times and ids differ between any two
runs, so a dentry is identified by its place: D1, D2 … in the order in which a call met
them. Opens, unlinks and other calls are aligned program by program, and their steps,
outcome and claims compared. A call within another, such as the open in an execve, is
part of the outer one (summary counts both). What differs because the kernels do
(symbols, layout) has a section of its own. A call is named by its operation (stat,
mkdir, rename) if that was recorded, otherwise by what its events show: lookup, create
(mkdir, symlink, link), delete (rmdir), unlink, rename, drop_caches, alloc (a dentry
outside the cache, as a socket's). A or B may be - for stdin; since what differs is read
twice, a pipe is kept in a temporary file.

Of claims, the verdicts of each call are compared. Those of hash, bucket and storage count
only where an event refutes one, those of delete never, nor what is unproven because a
recording lacks something. dtrec check has all verdicts of a run.

Text is like that of diff(1): what only A has after -, what only B has after +, with
the ids of the events. A heading (@@ … @@) is one difference; those between the kernels,
two lines each, share one. --format markdown is the same as a page for GitHub. json is one
object per line: "runs", then "difference", "accepted", "unused", "excused" and
"latency", and "verdict" last. ktap and junit have a test for each program and kind of
difference: failed, passed, or skipped if events are missing and nothing can be said.

Two recordings of one workload on one kernel are the same, but for what follows from a
race: a task that finds the dentry of another's lookup in flight takes other steps, and
they are counted. What may differ by chance (process ids, temporary names, the order of
threads and of the names in a directory, what the cache held before) is not counted as a
difference; the output says how often it was met. A program that takes names from another
that lists a directory (find | xargs) may meet them in another order. This is counted, as
differences of order; --only can leave it out.

--allow accepts the differences in a file: lines that diff printed, or a heading
(@@ … @@) and what is below it; a heading alone accepts every difference there. Event
ids are ignored, # begins a comment. Lines that the runs do not have are reported.
--only counts some kinds of difference: ` + joinWords(diff.Kinds()) + `.

Exit status: 0 the same, 1 different, 2 not readable, or not known: events are missing,
and the rest does not differ. --bisect exits 125 instead of 2, so that 'git bisect run'
skips a kernel that cannot be judged (docs/bisect.md).`

func newDiffCmd() *cobra.Command {
	var c diffCmd
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say where two runs differ, whatever their addresses",
		Long:  diffLong,
		Example: `  dtrec diff run1.pb run2.pb
  dtrec diff --format markdown traces/linux-6.1.pb traces/run1.pb > changes.md
  dtrec diff --rename sh=bash old.pb new.pb
  dtrec diff --allow accepted.txt --format ktap baseline.pb new.pb
  dtrec diff --run-b 2 both.pb both.pb`,
		Args: takes(2, 2, "two traces"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) },
	}
	addFormatFlag(cmd, textFormat, markdownFormat, jsonFormat, ktapFormat, junitFormat)
	f := cmd.Flags()
	f.Float64Var(&c.latency, "latency", 0, "count a role whose median or 99th percentile differs by more than `PERCENT`")
	f.Lookup("latency").NoOptDefVal = "50"
	f.StringToStringVar(&c.rename, "rename", nil, "compare program OLD of A with program NEW of B, given as `OLD=NEW`")
	f.StringVar(&c.allow, "allow", "", "accept the differences in this `FILE`; - for stdin")
	f.Var(listOf(&c.only, parseOneOf(diff.Kinds()...), wordStrings(diff.Kinds())...), "only", "count differences of these `KINDS` only, e.g. steps,calls")
	f.Bool("bisect", false, "exit 125, not 2, where the runs cannot be judged")
	f.Int("run-a", 0, "read run `N` of A, where the file has several, from 1")
	f.Int("run-b", 0, "read run `N` of B, where the file has several, from 1")
	return cmd
}

// diffCmd holds the flags of dtrec diff.
type diffCmd struct {
	latency float64
	rename  map[string]string
	allow   string
	only    []diff.Kind
}

func (c *diffCmd) run(cmd *cobra.Command, args []string) error {
	if err := c.check(cmd, args); err != nil {
		return err
	}
	allowed, err := c.readAllowed(cmd)
	if err != nil {
		return err
	}
	r, err := c.compare(cmd, args)
	if err != nil {
		return err
	}
	if c.only != nil {
		r.Only(c.only...)
	}
	if allowed != nil {
		r.Accept(allowed)
	}
	written := writeDiff(cmd, r)
	if r.Verdict() == diff.Undecided && (written == nil || errors.Is(written, syscall.EPIPE)) {
		return &exitError{code: exitTrouble, err: fmt.Errorf("no difference found, but %s", strings.Join(r.Doubts, "; ")),
			hint: "record again, to the end and without loss"}
	}
	return answerError(r.Verdict() == diff.Different, written)
}

func (c *diffCmd) check(cmd *cobra.Command, args []string) error {
	if args[0] == "-" && args[1] == "-" {
		return usageError(cmd, errors.New("both traces from stdin"))
	}
	if c.allow == "-" && (args[0] == "-" || args[1] == "-") {
		return usageError(cmd, errors.New("a trace and what is allowed cannot both be stdin"))
	}
	for old, name := range c.rename {
		if old == "" || name == "" {
			return usageError(cmd, fmt.Errorf("--rename %s=%s: not OLD=NEW", display(old), display(name)))
		}
	}
	return nil
}

// readAllowed reads the file with the accepted differences; it returns nil without --allow.
func (c *diffCmd) readAllowed(cmd *cobra.Command) (*diff.Allowed, error) {
	if c.allow == "" {
		return nil, nil
	}
	in, err := openInput(cmd, c.allow)
	if err != nil {
		return nil, explainInput(cmd, c.allow, err, "make one with: dtrec diff A B > "+display(c.allow))
	}
	defer in.Close()
	allowed, err := diff.ReadAllowed(inputName(c.allow), in)
	if err != nil {
		return nil, explainInput(cmd, c.allow, err, "it has lines that diff printed: a heading, and what is below it")
	}
	return allowed, nil
}

func (c *diffCmd) compare(cmd *cobra.Command, args []string) (*diff.Result, error) {
	var in [2]diff.Input
	var later bytes.Buffer // the traces are read in parallel; warnings about the second are printed after those about the first
	defer later.WriteTo(cmd.ErrOrStderr())
	for i, path := range args {
		t, err := open(cmd, path, []string{"run-a", "run-b"}[i], true)
		if err != nil {
			return nil, err
		}
		defer t.Close()
		if i == 1 {
			t.stderr = &later
		}
		again := schema.NewSeeker(t.file, sizeOf(t.file), t.run)
		defer again.Close()
		in[i] = diff.Input{Name: t.name, Source: t, Again: func(id uint64) (replay.Source, error) {
			r, err := again.At(id)
			if err != nil {
				return nil, t.explain(err)
			}
			return r, nil
		}}
		if t.run > 0 {
			in[i].Name = fmt.Sprintf("%s run %d", t.name, t.run)
		}
	}
	if a, b := in[0].Header().Logged(), in[1].Header().Logged(); a != b {
		log := in[0].Name
		if b {
			log = in[1].Name
		}
		return nil, &exitError{exitTrouble, fmt.Errorf("%s is a kernel log, which tells no thread, and the other one is not", log),
			"compare two logs: 'dtrec replay --format dmesg FILE | dtrec import -o LOG -' makes one of a recording"}
	}
	rename := make(map[string]string)
	for old, name := range c.rename {
		rename[comm(old)] = comm(name)
	}
	return diff.Compare(in[0], in[1], diff.Options{Latency: c.latency, Rename: rename})
}

func writeDiff(cmd *cobra.Command, r *diff.Result) error {
	w := cmd.OutOrStdout()
	switch formatOf(cmd) {
	case markdownFormat:
		return r.WriteMarkdown(w)
	case jsonFormat:
		return r.WriteJSON(w)
	case ktapFormat:
		return r.WriteKTAP(w)
	case junitFormat:
		return r.WriteJUnit(w)
	}
	return r.WriteText(w)
}

// comm cuts a program's name to what the kernel keeps of it: TASK_COMM_LEN less one, 15 bytes.
func comm(name string) string { return name[:min(len(name), 15)] }
