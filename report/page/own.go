// SPDX-License-Identifier: Apache-2.0

package page

import (
	"regexp"
	"strconv"
	"strings"
)

// plain undoes the escapes with which reports print names.
func plain(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	if s, err := strconv.Unquote(`"` + strings.ReplaceAll(name, `"`, `\"`) + `"`); err == nil {
		return s
	}
	return name
}

var anyNumber = regexp.MustCompile(`\b[0-9]x[0-9a-fA-F]+|[0-9]+`)

// skeleton is a line without its numbers.
func skeleton(line string) string { return anyNumber.ReplaceAllString(line, "0") }

// same compares a page of this run with the reports that the run can give: a line with
// the same words has the same numbers. It finds what no event can show to be wrong: a
// count, a time, a process id. Lines in other words are left alone, since the page may
// have been edited, or be of another version.
func (j *judge) same(own [][]byte) {
	if !j.own || len(own) == 0 {
		return
	}
	bad := make(map[int]bool)
	for _, f := range j.result.Findings {
		bad[f.Line] = bad[f.Line] || f.Verdict != Found
	}
	known, words := make(map[string]bool), make(map[string]bool)
	var whole []string // the report that has the same words throughout
	for _, o := range own {
		report := strings.Split(string(o), "\n")
		for _, r := range report {
			known[r], words[skeleton(r)] = true, true
		}
		if j.alike(report) {
			whole = report
		}
	}
	for i := range j.x.page.lines {
		l := &j.x.page.lines[i]
		if bad[l.number] {
			continue
		}
		if whole != nil && l.raw != whole[i] || whole == nil && !known[l.raw] && words[skeleton(l.raw)] {
			j.report(l, span{0, len(l.text)}, "line", Wrong, nil, "the report of this run has other numbers in this line")
		}
	}
}

// alike reports whether the page has the words of the report, line by line.
func (j *judge) alike(report []string) bool {
	lines := j.x.page.lines
	if len(report) != len(lines) {
		return false
	}
	for i := range lines {
		if skeleton(report[i]) != skeleton(lines[i].raw) {
			return false
		}
	}
	return true
}
