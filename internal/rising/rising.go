// SPDX-License-Identifier: Apache-2.0

// Package rising finds the elements that two sequences have in the same order.
package rising

import "slices"

// Longest returns the indexes of a longest strictly rising subsequence of at, in order.
func Longest(at []int) []int {
	var tops []int // tops[n] is the index where the run of n+1 elements with the lowest last element ends
	before := make([]int, len(at))
	for i, v := range at {
		n, _ := slices.BinarySearchFunc(tops, v, func(top, v int) int { return at[top] - v })
		if before[i] = -1; n > 0 {
			before[i] = tops[n-1]
		}
		if n == len(tops) {
			tops = append(tops, i)
		} else {
			tops[n] = i
		}
	}
	run := make([]int, len(tops))
	for n := len(tops) - 1; n >= 0; n-- {
		run[n] = tops[n]
		if n > 0 {
			tops[n-1] = before[tops[n]]
		}
	}
	return run
}
