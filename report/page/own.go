// SPDX-License-Identifier: Apache-2.0

package page

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/rising"
)

// lines compares the page with the report that the run gives: every line of it must stand
// there, in that order. What of the report the page leaves out is no fault of it.
func (j *judge) lines() {
	inOrder := ordered(j.x.page.lines, j.report)
	for i, l := range j.x.page.lines {
		l = strings.TrimSuffix(l, "\r")
		f := Finding{Line: i + 1, Column: 1, Text: l, Kind: "line", Events: []uint64{}}
		switch {
		case strings.TrimSpace(l) == "":
			continue
		case j.report[l] == nil:
			f.Verdict, f.Note = Wrong, "the report of this run has no such line"
		case !inOrder[i]:
			f.Verdict, f.Note = Elsewhere, "the report of this run has it at another place"
		}
		j.result.Findings = append(j.result.Findings, f)
	}
}

// ordered says of each line of the page whether it follows the ones before it as it does in
// the report. Lines that stand there once are put in order by the longest run that rises; one
// that stands there often must have a place between its neighbours.
func ordered(page []string, at map[string][]int) []bool {
	out := make([]bool, len(page))
	pos := func(i int) int { return at[page[i]][0] }
	var once, places []int
	for i, l := range page {
		if len(at[l]) == 1 {
			once, places = append(once, i), append(places, pos(i))
		}
	}
	for _, n := range rising.Longest(places) {
		out[once[n]] = true
	}
	next := make([]int, len(page)+1) // where the next line in order stands
	next[len(page)] = math.MaxInt
	for i := len(page) - 1; i >= 0; i-- {
		if next[i] = next[i+1]; out[i] {
			next[i] = pos(i)
		}
	}
	from := 0
	for i, l := range page {
		if out[i] {
			from = pos(i) + 1
		} else if n, _ := slices.BinarySearch(at[l], from); len(at[l]) > 1 && n < len(at[l]) && at[l][n] < next[i] {
			out[i], from = true, at[l][n]+1
		}
	}
	return out
}

// MadeBy is the words after "dtrec report" of the command that the page says it was made by,
// but for the file; empty where it says nothing of it.
func (x *Run) MadeBy() []string {
	for _, l := range x.page.lines {
		rest, ok := strings.CutPrefix(l, "Made by `")
		if !ok {
			continue
		}
		fence := rest[:len(rest)-len(strings.TrimLeft(rest, "`"))] + "`"
		command, _, ok := strings.Cut(rest[len(fence)-1:], fence)
		words := regexp.MustCompile(`(?:'[^']*'|\\.|[^' ])+`).FindAllString(command, -1)
		for i, w := range words {
			words[i] = regexp.MustCompile(`'([^']*)'|\\(.)`).ReplaceAllString(w, "$1$2")
		}
		if ok && len(words) > 2 && words[0] == "dtrec" && words[1] == "report" {
			return words[2 : len(words)-1]
		}
	}
	return nil
}
