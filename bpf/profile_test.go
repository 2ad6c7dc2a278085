// SPDX-License-Identifier: Apache-2.0

//go:build linux

package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtrec/dtrec/schema"
)

// scriptedProfile returns a profile with one kprobe, of d_lookup. Its hits and missed hits are those given;
// its program has run as often as the next element of runs says at each reading.
func scriptedProfile(t *testing.T, hits, missed uint64, runs ...uint64) (*profile, *counter) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kprobe_profile")
	text := fmt.Sprintf("7  0\n  d_lookup_1_0\n  %-44s %15d %15d\n  %-44s %15d %15d\n", "another", 7, 9, "d_lookup_1_0", hits, missed)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	c := &counter{role: schema.RoleLookup, lastClean: 5, runs: func() uint64 {
		n := runs[0]
		if len(runs) > 1 {
			runs = runs[1:]
		}
		return n
	}}
	return &profile{file: file, counters: map[string]*counter{"d_lookup_1_0": c}}, c
}

// Hits for which no program ran are missed, if they still seem so at the second look. A program that runs
// during a look is not counted as missed, except at the end, when nobody can know.
func TestProfile(t *testing.T) {
	for _, test := range []struct {
		what         string
		hits, missed uint64
		runs         []uint64 // one for each reading, before and after the hits
		atEnd        bool
		want         uint64
	}{
		{"nothing", 10, 0, []uint64{10}, false, 0},
		{"no instance of a kretprobe was free", 10, 3, []uint64{10}, false, 3},
		{"another program ran on that cpu", 10, 0, []uint64{8}, false, 2},
		{"both, at the end", 10, 1, []uint64{8}, true, 3},
		{"a program that was about to count itself", 10, 0, []uint64{9, 9, 10, 10}, false, 0},
		{"programs ran during the reading", 11, 0, []uint64{10, 12}, false, 0},
		{"some ran, and hid what was missed", 10, 0, []uint64{8, 12}, false, 0},
		{"some ran until the end", 10, 0, []uint64{8, 12, 10}, true, 0},
		{"some ran at the end, again and again", 10, 0, alternating(8, 12, 4*maxSettleReads), true, 2},
	} {
		p, c := scriptedProfile(t, test.hits, test.missed, test.runs...)
		before := Now()
		losses, err := p.take(nil, test.atEnd)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
			continue
		}
		var got uint64
		for _, l := range losses {
			got += l.Count
			if l.Cause != schema.LossMissed || l.Role != schema.RoleLookup || l.FirstNs != 5 || l.LastNs < before {
				t.Errorf("%s: %v", test.what, l)
			}
		}
		if got != test.want || c.reported != test.want {
			t.Errorf("%s: %d missed, %d told, want %d", test.what, got, c.reported, test.want)
		}
		// The window of the next loss begins at the last time when certainly none was missing.
		unclear := test.what == "programs ran during the reading" || test.what == "some ran, and hid what was missed" || test.what == "a program that was about to count itself"
		if (c.lastClean == 5) != unclear {
			t.Errorf("%s: clear since %d", test.what, c.lastClean)
		}
	}
}

func alternating(a, b uint64, n int) (out []uint64) {
	for range n {
		out = append(out, a, b)
	}
	return out
}

// A hit from before the program was attached is not missed, and what was reported is not reported again.
func TestProfileStarts(t *testing.T) {
	p, c := scriptedProfile(t, 10, 2, 7)
	if err := p.start(); err != nil || c.reported != 5 {
		t.Fatalf("%v, %d", err, c.reported)
	}
	if losses, err := p.take(nil, true); err != nil || len(losses) != 0 {
		t.Errorf("%v, %v", losses, err)
	}
}

func TestProfileWithoutTheKprobe(t *testing.T) {
	p, _ := scriptedProfile(t, 10, 0, 10)
	p.counters["d_drop_1_1"] = p.counters["d_lookup_1_0"]
	if _, err := p.take(nil, false); err == nil || !strings.Contains(err.Error(), "has not all of the 2 kprobes") {
		t.Errorf("got %v", err)
	}
}
