// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

// row is one call in the table that export writes, by column.
type row map[string]string

func table(t *testing.T, trace string) (rows []row) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(output(t, "export", "--format", "csv", trace))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		made := row{}
		for i, name := range records[0] {
			made[name] = r[i]
		}
		rows = append(rows, made)
	}
	return rows
}

// TestPickedCallsAreThoseOfTheTable checks the numbers that summary and top print under filters against
// the table of all calls. If calls within a picked call are picked too, their time counts once.
func TestPickedCallsAreThoseOfTheTable(t *testing.T) {
	is := func(column string, values ...string) func(row) bool {
		return func(r row) bool { return slices.Contains(values, r[column]) }
	}
	for _, trace := range []string{"test/git.pb", "test/cases/questions.pb", "traces/run1.pb"} {
		rows := table(t, trace)
		for _, c := range []struct {
			flags []string
			picks func(row) bool
		}{
			{[]string{"--op", "open"}, is("operation", "open")},
			{[]string{"--op", "exec,stat"}, is("operation", "exec", "stat")},
			{[]string{"--path", "/lib64/ld-linux-x86-64.so.2"}, is("path", "/lib64/ld-linux-x86-64.so.2")},
			{[]string{"--errno", "ENOENT"}, is("errno", "ENOENT")},
			{[]string{"--class", "miss"}, func(r row) bool { return r["class"] == "miss" && r["end_id"] != "" }},
			{[]string{"--slower", "100us"}, func(r row) bool { return r["end_id"] != "" && number(r["took_ns"]) >= 100_000 }},
			{[]string{"--op", "open", "--failed", "--slower", "1us"}, func(r row) bool {
				return r["operation"] == "open" && r["errno"] != "" && r["end_id"] != "" && number(r["took_ns"]) >= 1000
			}},
		} {
			checkAgainstTable(t, trace, c.flags, rows, c.picks)
		}
	}
}

func checkAgainstTable(t *testing.T, trace string, flags []string, rows []row, picks func(row) bool) {
	t.Helper()
	in := make(map[string]bool)
	for _, r := range rows {
		if picks(r) {
			in[r["id"]] = true
		}
	}
	outer := make(map[string]string)
	for _, r := range rows {
		outer[r["id"]] = r["outer_id"]
	}
	var calls, took, failed uint64
	for _, r := range rows {
		if !picks(r) {
			continue
		}
		if calls++; r["errno"] != "" {
			failed++
		}
		around := false
		for id := r["outer_id"]; id != ""; id = outer[id] {
			around = around || in[id]
		}
		if !around && r["took_ns"] != "" {
			took += number(r["took_ns"])
		}
	}
	type total struct{ Total uint64 }
	ask := func(args ...string) []string { return append(append(args, flags...), "--format", "json", trace) }
	s := runJSON[struct {
		Total struct {
			totals
			Took uint64 `json:"took_ns"`
		}
		Picked []string
	}](t, ask("summary")...)
	got := []uint64{s.Total.Calls, s.Total.Failed, s.Total.Took, runJSON[total](t, ask("top")...).Total, runJSON[total](t, ask("top", "--of", "failures")...).Total,
		runJSON[total](t, ask("top", "--of", "time", "--by", "fs")...).Total}
	if want := []uint64{calls, failed, took, calls, failed, took}; !slices.Equal(got, want) || len(s.Picked) == 0 {
		t.Errorf("%s %v: %v, the table says %v; picked %q", trace, flags, got, want, s.Picked)
	}
}
