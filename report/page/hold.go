// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/rising"
	"github.com/dtrec/dtrec/replay"
)

// Verdict is the result of checking one statement of the page against the trace.
type Verdict uint8

// The verdicts, from best to worst.
const (
	Found     Verdict = iota // recorded with the same meaning, or computed again and right
	Elsewhere                // the value is in the run, but with another meaning
	Absent                   // the value is not in this run
	Wrong                    // it contradicts itself, the events, or the report of this run
	Unread                   // arithmetic with an address that is not understood
	verdicts
)

// String returns the verdict in words.
func (v Verdict) String() string {
	return [...]string{"found", "found elsewhere", "not in this run", "wrong", "not understood"}[v]
}

// MarshalText encodes the verdict in words.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is one statement of a page and its verdict.
type Finding struct {
	Line    int      `json:"line"`   // from 1
	Column  int      `json:"column"` // in bytes, from 1
	Kind    string   `json:"kind"`   // line, run, address, hash, event, length, layout, subtraction, equality, arithmetic
	Text    string   `json:"text"`   // as on the page
	Verdict Verdict  `json:"verdict"`
	Events  []uint64 `json:"events"` // ids of the events that confirm it; not nil
	Note    string   `json:"note"`   // what the value really was, or what is wrong; may be empty
}

// Result is the result of checking a page.
type Result struct {
	Findings []Finding // in the order of the page
	Counts   [verdicts]int
	Own      bool // the page is a report of this run and was compared line by line
}

// Holds reports whether every statement is Found.
func (r *Result) Holds() bool { return r.Counts[Found] == len(r.Findings) }

// Own reports whether the page says that it is a report of this run.
func (x *Run) Own() bool {
	id := "id `" + hex.EncodeToString(x.header.GetRunId()) + "`"
	return slices.ContainsFunc(x.page.lines, func(l string) bool { return strings.Contains(l, id) })
}

// Hold checks the page against the run. report is the longest report that the run can give; a page that
// says it is of this run is compared with it.
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

// judge checks the page, passage by passage.
type judge struct {
	x       *Run
	labels  map[string]*label
	report  map[string][]int  // by line of the run's report: its line numbers, from 0
	offsets map[string]string // by structure.member, as in the report
	result  *Result
	*passage
}

// add adds a finding about a span of the passage.
func (j *judge) add(s span, kind string, v Verdict, events []uint64, note string) {
	line, column := j.x.page.place(j.at[s.from])
	text := strings.ReplaceAll(j.text[s.from:s.to], "\n", " ")
	j.result.Findings = append(j.result.Findings, Finding{line, column, kind, text, v, append([]uint64{}, events...), note})
}

// run reports where the page names another run.
func (j *judge) run() {
	for _, s := range j.spans {
		id, err := hex.DecodeString(j.text[s.from:s.to])
		if err == nil && len(id) == len(j.x.header.GetRunId()) && strings.HasSuffix(j.text[:s.from], "id ") {
			j.add(s, "run", Absent, nil, "it is the id of another")
		}
	}
}

// computed adds a finding about a calculation.
func (j *judge) computed(s span, kind string, right bool, note string) {
	if right {
		j.add(s, kind, Found, nil, "")
	} else {
		j.add(s, kind, Wrong, nil, note)
	}
}

// lines compares the page with the report of the run. Every line of the page must occur in the report, in
// the same order; the page may leave out lines of the report.
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

// ordered reports for each line of the page whether its place agrees with the order of the report. Lines
// that occur once in the report are ordered by the longest increasing subsequence; a line that occurs more
// often must have an occurrence between its neighbours.
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
	next := make([]int, len(page)+1) // place in the report of the next line that is in order
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

// MadeBy returns the arguments after "dtrec report" in the command that the page says it was made by,
// without the file; nil if it names no such command.
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

// WriteText prints a line for each finding that is not Found, or for every finding if all is set, and then
// the number of findings by verdict.
func (r *Result) WriteText(w io.Writer, name string, all bool) error {
	b := bufio.NewWriter(w)
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Verdict == Found && !all {
			continue
		}
		fmt.Fprintf(b, "%s:%d:%d: %s: %s %s", name, f.Line, f.Column, f.Verdict, f.Kind, replay.Printable(f.Text))
		if f.Note != "" {
			fmt.Fprintf(b, ": %s", f.Note)
		} else if len(f.Events) > 0 {
			fmt.Fprintf(b, ": %s", ids(f.Events))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "%s\n", r.sum())
	return b.Flush()
}

// ids formats event ids.
func ids(events []uint64) string {
	var out []string
	for _, id := range events {
		out = append(out, fmt.Sprintf("#%d", id))
	}
	return strings.Join(out, ", ")
}

// sum returns the line with the number of findings by verdict.
func (r *Result) sum() string {
	what, rest := "numbers and computations looked up", "; sentences were not judged"
	if r.Own {
		what, rest = "lines compared with the report of this run", ""
	}
	out := fmt.Sprintf("%d %s: ", len(r.Findings), what)
	for v, n := range r.Counts {
		out += fmt.Sprintf("%d %s, ", n, Verdict(v))
	}
	return strings.TrimSuffix(out, ", ") + rest
}

// WriteJSON prints one object per line: the findings, and last the counts.
func (r *Result) WriteJSON(w io.Writer) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range r.Findings {
		if err := enc.Encode(struct {
			Type string `json:"type"`
			*Finding
		}{"finding", &r.Findings[i]}); err != nil {
			return err
		}
	}
	err := enc.Encode(struct {
		Type      string `json:"type"`
		Own       bool   `json:"report_of_this_run"`
		Found     int    `json:"found"`
		Elsewhere int    `json:"elsewhere"`
		Absent    int    `json:"absent"`
		Wrong     int    `json:"wrong"`
		Unread    int    `json:"not_understood"`
	}{"sum", r.Own, r.Counts[Found], r.Counts[Elsewhere], r.Counts[Absent], r.Counts[Wrong], r.Counts[Unread]})
	if err != nil {
		return err
	}
	return b.Flush()
}
