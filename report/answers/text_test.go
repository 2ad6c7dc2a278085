// SPDX-License-Identifier: Apache-2.0

package answers

import "testing"

// No part that is there is nothing, and none but the whole is all.
func TestPercent(t *testing.T) {
	for _, x := range []struct {
		part, whole uint64
		want        string
	}{{0, 0, "0 %"}, {0, 9, "0 %"}, {1, 1000, "<1 %"}, {5, 1000, "<1 %"}, {6, 1000, "1 %"}, {1, 2, "50 %"}, {995, 1000, ">99 %"}, {1000, 1000, "100 %"}} {
		if got := percent(x.part, x.whole); got != x.want {
			t.Errorf("percent(%d, %d) is %s, want %s", x.part, x.whole, got, x.want)
		}
	}
}

// Programs beyond those that are remembered are others.
func TestKillersAddUp(t *testing.T) {
	r := TopRow{Amount: 9, Births: []Count{{"lookup", 9}}, Fates: []Count{{"killed", 7}, {"reused", 2}}, Killer: []Count{{"a", 3}, {"b", 2}}}
	if got, want := r.became(), ": by lookup 9; killed 7 (by a 3, b 2, others 2), reused 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r = TopRow{Amount: 9, Errnos: []Count{{"ENOENT", 9}}}
	if got, want := r.became(), ": ENOENT 9"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
