// SPDX-License-Identifier: Apache-2.0

package answers

import (
	"fmt"
	"slices"
	"testing"
)

// Calls are reported as they end: an entry has the text of the one that began first, and entries are in that order.
func TestAlikeEntriesAreOne(t *testing.T) {
	var a alike[string]
	for _, x := range []struct {
		key string
		id  uint64
	}{{"b", 30}, {"a", 20}, {"b", 10}, {"a", 40}, {"c", 50}} {
		a.add(x.key, x.id, 0, func() string { return fmt.Sprint(x.key, x.id) })
	}
	for i := range maxAlike {
		a.add(fmt.Sprint(i), uint64(100+i), 0, func() string { return "" })
	}
	s := a.sections("title", func(n uint64) string { return fmt.Sprintf("; %d times", n) }, func(n uint64) string { return fmt.Sprint(n, " others") })
	var got []string
	for _, l := range s[0].Lines {
		got = append(got, fmt.Sprint(l.ID, " ", l.Text))
	}
	if want := []string{"10 b10; 2 times until #30", "20 a20; 2 times until #40", "50 c50"}; !slices.Equal(got[:3], want) || got[len(got)-1] != "0 and 3 others" {
		t.Errorf("%q", got)
	}
}
