// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// filterOptions holds the flags that pick a part of a trace, the same for every command.
type filterOptions struct {
	picks    replay.Filter // all of it but Slower, From and To, which are the fields below
	slower   time.Duration
	from, to flagTime
}

// filterFlags are the names of these flags.
var filterFlags = []string{"pid", "comm", "path", "name", "object", "op", "call", "failed", "errno", "slower", "class", "from", "to"}

func (o *filterOptions) register(f *pflag.FlagSet) {
	p := &o.picks
	f.Var(listOf(&p.PIDs, readPID), "pid", "only of process `N`")
	f.StringArrayVar(&p.Comms, "comm", nil, "only of tasks called `NAME`")
	f.StringArrayVar(&p.Paths, "path", nil, "only path calls given this `PATH`, and what happens in them")
	f.StringArrayVar(&p.Names, "name", nil, "only about this `NAME` of a component")
	f.Var(listOf(&p.Objects, readDentry), "object", "only about this `DENTRY`, D12 or an address")
	f.Var(listOf(&p.Ops, readOperation, replay.Operations()...), "op", "only path calls of these `OPERATIONS`, e.g. open,stat, and what happens in them")
	f.Var(listOf(&p.Calls, readEvent), "call", "only the path call that begins with this `EVENT`, and what happens in it")
	f.BoolVar(&p.Failed, "failed", false, "only the returns of path calls that failed")
	f.Var(listOf(&p.Errnos, readErrno), "errno", "only the returns of path calls that failed with these `ERRNOS`, e.g. ENOENT")
	f.DurationVar(&o.slower, "slower", 0, "only the returns of path calls that took this `TIME` or more, e.g. 1ms")
	f.Var(listOf(&p.Classes, readClass, replay.Classes...), "class", "only the returns of path calls of these `CLASSES`: "+joinWords(replay.Classes))
	f.Var(flagOf(&o.from, "", readMoment), "from", "only from this `TIME` on")
	f.Var(flagOf(&o.to, "", readMoment), "to", "only up to this `TIME`")
}

// filter returns the filter for a trace with this header, which times with a + are relative to.
func (o *filterOptions) filter(h *schema.Header) *replay.Filter {
	f := o.picks
	f.Slower = uint64(o.slower)
	f.From = o.from.sinceBoot(h.StartBootNs)
	f.To = o.to.sinceBoot(h.StartBootNs)
	return &f
}

// usesIndex reports whether the filters include one by which a seek index can rule out frames.
func (o *filterOptions) usesIndex() bool {
	return o.from != (flagTime{}) || o.to != (flagTime{}) || len(o.picks.Comms)+len(o.picks.PIDs)+len(o.picks.Paths) > 0
}

// picker returns a source with the part that the filters pick, or src itself if there are no filters.
func (o *filterOptions) picker(src replay.Source) replay.Source {
	if f := o.filter(src.Header()); !f.IsZero() {
		return replay.Pick(src, f)
	}
	return src
}

// explainEmptyPick says on stderr why the filters picked nothing from a source that was read to its end, and
// reports whether that is so.
func explainEmptyPick(cmd *cobra.Command, src replay.Source) bool {
	p, ok := src.(*replay.Picker)
	return ok && printLines(cmd, p.WhyNone())
}

// printLines prints the lines on stderr, and reports whether there are any.
func printLines(cmd *cobra.Command, lines []string) bool {
	for _, line := range lines {
		fmt.Fprintf(cmd.ErrOrStderr(), "dtrec: %s\n", line)
	}
	return len(lines) > 0
}

// printNearest reads all of a trace from which a filter picked nothing, and says on stderr what would match.
func printNearest(cmd *cobra.Command, path string, filter *replay.Filter) error {
	t, err := openTrace(cmd, path)
	if err != nil {
		return err
	}
	defer t.Close()
	t.stderr = io.Discard // its warnings were printed in the first reading
	src := replay.Pick(t, filter)
	err = replay.Read(src, func(schema.Record) {})
	explainEmptyPick(cmd, src)
	return err
}

// givenFilters returns the filters that were set on the command line, as one word each.
func (o *filterOptions) givenFilters(cmd *cobra.Command) (words []string) {
	eachSetFlag(cmd, filterFlags, func(name string, value ...string) {
		words = append(words, strings.Join(append([]string{"--" + name}, value...), "="))
	})
	return words
}

// picksClause returns " that … picks" with the filters that were given, or "" if none were.
func (o *filterOptions) picksClause(cmd *cobra.Command) string {
	if words := o.givenFilters(cmd); len(words) > 0 {
		return " that " + replay.CommandLine(words) + " picks"
	}
	return ""
}

// eachSetFlag calls do for each of the named flags that was set on the command line: once for each value
// of a list, and without a value for a boolean flag.
func eachSetFlag(cmd *cobra.Command, names []string, do func(name string, value ...string)) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values, ok := f.Value.(interface{ GetSlice() []string })
		switch {
		case !slices.Contains(names, f.Name):
		case ok:
			for _, v := range values.GetSlice() {
				do(f.Name, v)
			}
		case f.Value.String() == "true":
			do(f.Name)
		default:
			do(f.Name, strings.ReplaceAll(f.Value.String(), "µ", "u")) // in a duration; "us" is plain ASCII for every shell
		}
	})
}

func readDentry(s string) (replay.ObjectRef, error) {
	t, err := answers.ParseTarget(s)
	if err != nil || t.Dentry() == (replay.ObjectRef{}) {
		return replay.ObjectRef{}, &wordError{s, "not a dentry, such as D12 or 0xffff888100000100"}
	}
	return t.Dentry(), nil
}

func readOperation(s string) (string, error) {
	if !slices.Contains(replay.Operations(), s) {
		no := "no such operation"
		for _, op := range replay.Operations() {
			if strings.HasPrefix(s, op) { // openat, unlinkat, renameat2
				no += ", " + op + " is meant;"
				break
			}
		}
		return "", &wordError{s, strings.TrimSuffix(no, ";") + "; they are " + strings.Join(replay.Operations(), ", ")}
	}
	return s, nil
}

func readEvent(s string) (uint64, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 10, 64)
	if err != nil || id == 0 {
		return 0, &wordError{s, "not an event, such as 56"}
	}
	return id, nil
}

func readErrno(s string) (int, error) {
	if n := schema.ErrnoNumber(strings.ToUpper(s)); n > 0 {
		return n, nil
	}
	return 0, &wordError{s, "not an errno, such as ENOENT"}
}

func readClass(s string) (replay.Class, error) {
	i := slices.Index(replay.Classes, s)
	if i < 0 {
		return 0, &wordError{s, "not one of " + joinWords(replay.Classes)}
	}
	return replay.Class(i), nil
}
