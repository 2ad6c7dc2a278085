// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"math"
	"testing"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// What is missing of one role for one reason is put into one line.
func TestGaps(t *testing.T) {
	window := func(role schema.Role, why string, first, last, count uint64) replay.Window {
		return replay.Window{Role: role, Why: why, First: first, Last: last, Count: count}
	}
	var got []string
	for _, g := range gapsOf([]replay.Window{
		window(schema.RoleOpen, "full", 10, 20, 1),
		window(schema.RoleAlloc, "full", 11, 12, 3),
		window(schema.RoleAlloc, "full", 30, 31, 4),
		window(schema.RoleOpen, "rebuilt", 40, 41, 0),
		window(schema.RoleOpen, "rebuilt", 50, 51, 0),
		window(0, "cut", 60, math.MaxUint64, 2),
		window(0, "cut", 70, math.MaxUint64, 0),
		window(0, "made up", 1, 2, math.MaxUint64),
		window(0, "made up", 3, 4, 2),
	}) {
		got = append(got, g.text())
	}
	for i, want := range []string{
		"1 event of open (full), from 10 ns to 20 ns",
		"7 events of alloc (full), in 2 stretches, the first from 11 ns to 12 ns",
		"an unknown number of events of open (rebuilt), in 2 stretches, the first from 40 ns to 41 ns",
		"2 events and an unknown number more (cut), in 2 stretches, the first from 60 ns to the end",
		"18446744073709551615 events (made up), in 2 stretches, the first from 1 ns to 2 ns",
	} {
		if i >= len(got) || got[i] != want {
			t.Errorf("line %d of %q, want %q", i, got, want)
		}
	}
}

// missing checks a line about missing events against the loss records of that role and cause: the number of
// events, the role, the reason, the number of stretches, and where the first one begins and ends.
func (x *truth) missing(m []string) bool {
	why := map[schema.LossCause]string{schema.LossRingBuffer: "ring buffer full", schema.LossMissed: "probe hits missed"}
	var first *schema.Loss
	events, stretches := uint64(0), uint64(0)
	for _, l := range x.losses {
		if l.Role.Label() != m[2] || why[l.Cause] != m[3] {
			continue
		}
		if first == nil {
			first = l
		}
		events += l.Count
		stretches++
	}
	return first != nil && parse(m[1]) == events && parse(cmp.Or(m[4], "1")) == stretches &&
		parse(m[5]) == first.FirstNs && parse(m[6]) == first.LastNs
}
