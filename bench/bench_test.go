// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// TestProbesAreRolesOfDtrec checks that the probes have dtrec's names for roles and phases, so that counts of
// all tools can be compared.
func TestProbesAreRolesOfDtrec(t *testing.T) {
	for _, p := range probes() {
		found := false
		for _, role := range schema.Catalogue() {
			found = found || p.name == role.Name+"_enter" || p.name == role.Name+"_exit"
		}
		if !found {
			t.Errorf("%s: no role of dtrec", p.name)
		}
	}
}

func TestCompare(t *testing.T) {
	there := counts{hits: map[string]uint64{"lookup_rcu_enter": 100_000, "lookup_rcu_exit": 100_000, "kill_enter": 100_000}}
	for _, c := range []struct {
		name   string
		held   counts
		missed uint64
		lost   uint64
		says   string
		note   string
	}{
		{"the same", there, 0, 0, "0", ""},
		{"within tolerance", hits(99_900, 100_100, 100_000), 0, 0, "0", ""},
		{"a leaf recorded once", hits(0, 100_000, 100_000), 0, 0, "0", ""},
		{"silent loss", hits(100_000, 100_000, 70_000), 0, 30_000, "10.0 %, not said", ""},
		{"said loss", withLost(hits(100_000, 100_000, 70_000), 29_000), 0, 30_000, "10.0 %", ""},
		{"loss that the counts hide", withLost(there, 3000), 0, 3000, "1.0 %", ""},
		{"missed by the kernel", there, 3000, 3000, "1.0 %", ""},
		{"another function", counts{hits: map[string]uint64{"lookup_rcu_enter": 100_000, "lookup_rcu_exit": 100_000, "kill_enter": 100_000, "move_exit": 900}},
			0, 0, "0", "900 events of other functions"},
		{"too many", hits(100_000, 100_000, 120_000), 0, 0, "0", "kill_enter 120000 of 100000"},
	} {
		l := compare("tool", there, c.held, c.missed)
		if l.lost() != c.lost || l.String() != c.says {
			t.Errorf("%s: lost %d, %q; want %d, %q", c.name, l.lost(), l, c.lost, c.says)
		}
		if notes := strings.Join(l.notes, ""); !strings.Contains(notes, c.note) || (c.note == "") != (notes == "") {
			t.Errorf("%s: notes %q; want %q", c.name, notes, c.note)
		}
	}
}

func hits(enter, exit, kill uint64) counts {
	return counts{hits: map[string]uint64{"lookup_rcu_enter": enter, "lookup_rcu_exit": exit, "kill_enter": kill}}
}

func withLost(c counts, n uint64) counts { c.lost = n; return c }

// TestCounting counts in what the tools print.
func TestCounting(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "recording")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := countLines(file("Attaching 2 probes...\nopen_enter 12 7 /tmp/b\nopen_exit 13 7 0\nopen_enter 14 7 x\n"), "Lost 3 events\nLost 4 events\n")
	if err != nil || c.hits["open_enter"] != 2 || c.total() != 3 || c.lost != 7 {
		t.Errorf("lines: %v, %v", c, err)
	}
	perf := perfLine([]byte("dtbench:lookup_rcu_enter: "))
	if string(perf) != "lookup_rcu_enter" {
		t.Errorf("perf script: %q", perf)
	}
	report := reportLine([]byte("       benchwork-128   [000]    12.345678: kill_enter:           (ffffffff8a) dentry=0x1"))
	if string(report) != "kill_enter" {
		t.Errorf("trace-cmd report: %q", report)
	}
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		bar  bar
		held bool
	}{
		{bar{value: 1.05, limit: 1.05}, true}, {bar{value: 1.06, limit: 1.05}, false}, {bar{}, true},
		{bar{value: 36, limit: 35, isLowerBound: true}, true}, {bar{value: 34, limit: 35, isLowerBound: true}, false},
	} {
		if c.bar.isMet() != c.held {
			t.Errorf("%+v: held %v", c.bar, c.bar.isMet())
		}
	}
}
