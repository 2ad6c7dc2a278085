// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
)

// WriteText prints the rows for people.
func (t *Top) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	if t.callless {
		fmt.Fprintf(b, "%s by %s: not known, %s\n", t.Of, t.By, logHasNoCalls)
		return b.Flush()
	}
	fmt.Fprintf(b, "%s by %s: %s in all", t.Of, t.By, t.amount(t.Total))
	switch {
	case t.Error == 0 && len(t.Doubts) > 0:
		fmt.Fprintf(b, ", %s\n", plural.Of(uint64(t.Keys), "row"))
	case t.Error == 0:
		fmt.Fprintf(b, ", %s, exact\n", plural.Of(uint64(t.Keys), "row"))
	default:
		fmt.Fprintf(b, "; there are more rows than dtrec keeps: an amount may be up to %s too low, and rows of no more than that may be missing\n", t.amount(t.Error))
	}
	if len(t.Doubts) > 0 {
		fmt.Fprintf(b, "as far as is recorded: %s\n", strings.Join(t.Doubts, "; "))
	}
	if len(t.Picked) > 0 {
		fmt.Fprintf(b, "of what %s picks\n", replay.CommandLine(t.Picked))
	}
	if len(t.Rows) == 0 {
		return b.Flush()
	}
	fmt.Fprintln(b)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := t.Of + "\tshare\tfirst\t"
	if t.negatives {
		head += "left\thits\t"
	}
	fmt.Fprintf(table, "%s  %s\n", head, t.By)
	for i := range t.Rows {
		r := &t.Rows[i]
		cells := fmt.Sprintf("%s\t%s\t#%d\t", t.amount(r.Amount), percent(r.Amount, t.Total), r.First)
		if t.negatives {
			cells += fmt.Sprintf("%d\t%d\t", r.left(), r.Hits)
		}
		fmt.Fprintf(table, "%s  %s%s\n", cells, r.label(), r.became())
	}
	table.Flush()
	if n := t.Keys - len(t.Rows); n > 0 {
		fmt.Fprintf(b, "  … and %s: -n %d\n", plural.Of(uint64(n), "more row"), t.Keys)
	}
	return b.Flush()
}

func (t *Top) amount(n uint64) string {
	if t.Unit == "ns" {
		return duration(n)
	}
	return fmt.Sprint(n)
}

func (r *TopRow) label() string {
	if r.Key == "" {
		return "(none)"
	}
	return r.Key
}

// left returns how many negative dentries were still there when the trace ended.
func (r *TopRow) left() (n uint64) {
	for _, f := range r.Fates {
		if f.Name == replay.FateAlive.String() {
			n = f.Count
		}
	}
	return n
}

// became describes the births and fates of dentries or the errnos of failures; empty for any other measure.
func (r *TopRow) became() string {
	if len(r.Errnos) > 0 {
		return ": " + listOf(r.Errnos, r.Amount)
	}
	if len(r.Births) == 0 {
		return ""
	}
	fates := make([]string, len(r.Fates))
	for i, f := range r.Fates {
		fates[i] = list(r.Fates[i : i+1])
		if f.Name == replay.FateKilled.String() {
			fates[i] += " (by " + listOf(r.Killer, f.Count) + ")"
		}
	}
	return ": by " + list(r.Births) + "; " + strings.Join(fates, ", ")
}

// listOf is list for counts that add up to all, or of which not all are known.
func listOf(counts []Count, all uint64) string {
	for _, c := range counts {
		all -= min(all, c.Count)
	}
	if all > 0 {
		counts = append(slices.Clip(counts), Count{"others", all})
	}
	return list(counts)
}
