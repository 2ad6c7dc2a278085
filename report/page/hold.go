// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
)

// Verdict is how a statement of the page stands against the trace.
type Verdict uint8

// The verdicts, from good to bad.
const (
	Found     Verdict = iota // recorded with the same meaning; or computed again, and right
	Elsewhere                // the value is in the run, and was something else
	Absent                   // not in this run
	Wrong                    // it contradicts itself, the events, or the report of this run
	Unread                   // it says something of an address that is not understood
	verdicts
)

// String is the verdict in words.
func (v Verdict) String() string {
	return [...]string{"found", "found elsewhere", "not in this run", "wrong", "not understood"}[v]
}

// MarshalText is the verdict in words.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is one statement of a page and what the trace says of it.
type Finding struct {
	Line    int      `json:"line"`   // from 1
	Column  int      `json:"column"` // bytes, from 1
	Kind    string   `json:"kind"`   // line, run, address, hash, event, length, layout, subtraction, equality, arithmetic
	Text    string   `json:"text"`   // as the page has it
	Verdict Verdict  `json:"verdict"`
	Events  []uint64 `json:"events"` // ids of the events that show it; not nil
	Note    string   `json:"note"`   // what the value was, or what is wrong; empty when all is said
}

// Result is all that was held against the trace.
type Result struct {
	Findings []Finding // in the order of the page
	Counts   [verdicts]int
	Own      bool // the page is a report of this run, and was compared line by line
}

// Holds reports whether everything was found with the same meaning.
func (r *Result) Holds() bool { return r.Counts[Found] == len(r.Findings) }

// Own reports whether the page says that it is of this run.
func (x *Run) Own() bool {
	id := "id `" + hex.EncodeToString(x.header.GetRunId()) + "`"
	return slices.ContainsFunc(x.page.lines, func(l string) bool { return strings.Contains(l, id) })
}

// Hold holds the page against the run. report is the longest one that the run can give: a
// page that says it is of this run is compared with it.
func (x *Run) Hold(report []byte) *Result {
	j := &judge{x: x, labels: labelsOf(x.header), report: make(map[string][]int), offsets: make(map[string]string), result: &Result{Own: x.Own()}}
	for i, line := range strings.Split(string(report), "\n") {
		j.report[line] = append(j.report[line], i)
		for _, m := range membersOf(line) {
			j.offsets[m.name] = m.offset
		}
	}
	if j.result.Own {
		j.lines()
	} else {
		for i := range x.page.passages {
			j.read(&x.page.passages[i])
			j.run()
		}
	}
	r := j.result
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for _, f := range r.Findings {
		r.Counts[f.Verdict]++
	}
	return r
}

// judge goes through the page.
type judge struct {
	x       *Run
	labels  map[string]*label
	report  map[string][]int  // where each line of the run's report stands in it
	offsets map[string]string // of members of structures, as the report has them
	result  *Result
	*passage
}

// add adds a finding about a stretch of the passage.
func (j *judge) add(s span, kind string, v Verdict, events []uint64, note string) {
	line, column := j.x.page.place(j.at[s.from])
	text := strings.ReplaceAll(j.text[s.from:s.to], "\n", " ")
	j.result.Findings = append(j.result.Findings, Finding{line, column, kind, text, v, append([]uint64{}, events...), note})
}

// run finds where the page says that it is of another run.
func (j *judge) run() {
	for _, s := range j.spans {
		id, err := hex.DecodeString(j.text[s.from:s.to])
		if err == nil && len(id) == len(j.x.header.GetRunId()) && strings.HasSuffix(j.text[:s.from], "id ") {
			j.add(s, "run", Absent, nil, "it is the id of another")
		}
	}
}

// computed adds a finding about arithmetic.
func (j *judge) computed(s span, kind string, right bool, note string) {
	if right {
		j.add(s, kind, Found, nil, "")
	} else {
		j.add(s, kind, Wrong, nil, note)
	}
}
