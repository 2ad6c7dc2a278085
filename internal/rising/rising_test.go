// SPDX-License-Identifier: Apache-2.0

package rising

import (
	"slices"
	"testing"
)

func TestLongest(t *testing.T) {
	for _, test := range []struct{ at, want []int }{
		{nil, nil}, {[]int{7}, []int{0}}, {[]int{1, 2, 3}, []int{0, 1, 2}}, {[]int{3, 2, 1}, []int{2}}, {[]int{2, 2, 2}, []int{0}},
		{[]int{9, 1, 8, 2, 7, 3}, []int{1, 3, 5}}, {[]int{5, 6, 1, 2, 3}, []int{2, 3, 4}},
	} {
		got := Longest(test.at)
		rises := slices.IsSortedFunc(got, func(i, j int) int {
			if i < j && test.at[i] < test.at[j] {
				return -1
			}
			return 1
		})
		if len(got) != len(test.want) || !rises {
			t.Errorf("%v: %v, want as long as %v", test.at, got, test.want)
		}
	}
}
