// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/answers"
	"github.com/dtrec/dtrec/schema"
	"github.com/spf13/cobra"
)

// filterOptions are the flags that pick a part of a trace, the same for every command.
type filterOptions struct {
	pids     []uint
	comms    []string
	paths    []string
	names    []string
	objects  []string
	ops      []string
	calls    []string
	failed   bool
	errnos   []string
	slower   time.Duration
	classes  []string
	from, to string
}

// filterFlags are their names.
var filterFlags = []string{"pid", "comm", "path", "name", "object", "op", "call", "failed", "errno", "slower", "class", "from", "to"}

func (o *filterOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.UintSliceVar(&o.pids, "pid", nil, "only of process `N`")
	f.StringArrayVar(&o.comms, "comm", nil, "only of tasks called `NAME`")
	f.StringArrayVar(&o.paths, "path", nil, "only path calls on this `PATH`, and what happens in them")
	f.StringArrayVar(&o.names, "name", nil, "only about this `NAME` of a component")
	f.StringSliceVar(&o.objects, "object", nil, "only about this `DENTRY`, D12 or an address")
	f.StringSliceVar(&o.ops, "op", nil, "only path calls of these `OPERATIONS`, e.g. open,stat, and what happens in them")
	f.StringSliceVar(&o.calls, "call", nil, "only the path call that begins with this `EVENT`, and what happens in it")
	f.BoolVar(&o.failed, "failed", false, "only path calls that failed, where they return")
	f.StringSliceVar(&o.errnos, "errno", nil, "only path calls that failed with these `ERRNOS`, e.g. ENOENT, where they return")
	f.DurationVar(&o.slower, "slower", 0, "only path calls that took this `TIME` or more, e.g. 1ms, where they return")
	f.StringSliceVar(&o.classes, "class", nil, "only path calls of these `CLASSES`: "+strings.Join(replay.Classes, ", ")+", where they return")
	f.StringVar(&o.from, "from", "", "only from this `TIME` on")
	f.StringVar(&o.to, "to", "", "only up to this `TIME`")
}

// filter is the filter but for its times, which need the trace: see window.
func (o *filterOptions) filter(cmd *cobra.Command) (*replay.Filter, error) {
	f := &replay.Filter{Comms: o.comms, Paths: o.paths, Names: o.names, Ops: o.ops, Failed: o.failed, Slower: uint64(o.slower)}
	for _, pid := range o.pids {
		if pid > math.MaxUint32 {
			return nil, usageError(cmd, fmt.Errorf("--pid %d: too large", pid))
		}
		f.PIDs = append(f.PIDs, uint32(pid))
	}
	for _, each := range []struct {
		flag, what string
		given      []string
		add        func(string) bool
	}{
		{"--object", "not a dentry, such as D12 or 0xffff888100000100", o.objects, func(s string) bool {
			t, err := answers.ParseTarget(s)
			f.Objects = append(f.Objects, t.Dentry())
			return err == nil && t.Dentry() != replay.Ref{}
		}},
		{"--call", "not an event, such as 56", o.calls, func(s string) bool {
			id, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 10, 64)
			f.Calls = append(f.Calls, id)
			return err == nil && id > 0
		}},
		{"--op", "no such operation; they are " + strings.Join(replay.Operations(), ", "), o.ops, func(s string) bool { return slices.Contains(replay.Operations(), s) }},
		{"--errno", "not an errno, such as ENOENT", o.errnos, func(s string) bool {
			n := schema.ErrnoNumber(s)
			f.Errnos = append(f.Errnos, n)
			return n > 0
		}},
		{"--class", "not one of " + strings.Join(replay.Classes, ", "), o.classes, func(s string) bool {
			i := slices.Index(replay.Classes, s)
			f.Classes = append(f.Classes, replay.Class(max(i, 0)))
			return i >= 0
		}},
	} {
		for _, s := range each.given {
			if !each.add(s) {
				return nil, usageError(cmd, fmt.Errorf("%s %s: %s", each.flag, display(s), each.what))
			}
		}
	}
	return f, nil
}

// window sets the times of a filter, of a trace with the header.
func (o *filterOptions) window(cmd *cobra.Command, f *replay.Filter, h *schema.Header) (err error) {
	if f.From, err = parseTime(o.from, h.StartBootNs, 0); err != nil {
		return usageError(cmd, fmt.Errorf("--from %w", err))
	}
	if f.To, err = parseTime(o.to, h.StartBootNs, math.MaxUint64); err != nil {
		return usageError(cmd, fmt.Errorf("--to %w", err))
	}
	return nil
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
