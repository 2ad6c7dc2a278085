// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Hold holds the page against the run. own are the pages that this run's report can be;
// with none the page is not compared with any.
func (x *Run) Hold(own ...[]byte) *Result {
	x.mask()
	v := newVocabulary(x.header)
	v.unwrap(x.page.lines)
	x.page.rejoin()
	p, j := x.page, &judge{x: x, v: v, result: &Result{}}
	for i := 0; i < len(p.lines); i++ {
		l := &p.lines[i]
		switch {
		case l.block == heading:
			j.opens = nil
			j.statements(l)
		case l.block == code && l.first:
			end := i + 1
			for end < len(p.lines) && p.lines[end].block == code && !p.lines[end].first {
				end++
			}
			j.codeBlock(p.lines[i:end])
			i = end - 1
		case l.block != source:
			j.statements(l)
		}
	}
	j.arithmetic()
	j.verdicts(own)
	j.same(own)
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
	x      *Run
	v      *vocabulary
	result *Result
	opens  []*window // the open that the bullets since the last heading are about
	tree   *scope    // of the tree being judged; nil elsewhere
	head   *line     // the first row of the table at hand
	salt   uint64    // the parent that the page named last
	own    bool      // the page says that it is of this run
}

// statements judges what a line states.
func (j *judge) statements(l *line) {
	j.row(l)
	j.runID(l)
	cites, labels := citesOf(l.text), j.v.labels(l.text)
	appears := j.appearsAt(l, labels)
	j.addresses(l, labels, cites, appears)
	j.hashes(l, labels, cites)
	j.places(l)
	j.loneHashes(l)
	j.returns(l, labels, cites)
	j.silent(l)
	j.marks(l)
	j.filesystems(l)
	j.layout(l)
	j.offsets(l)
}

// report adds a finding about a stretch of the line.
func (j *judge) report(l *line, s span, kind string, v Verdict, events []uint64, note string) {
	j.result.Findings = append(j.result.Findings, Finding{Line: l.number, Column: l.at[s.from] + 1,
		Text: l.text[s.from:s.to], Kind: kind, Verdict: v, Events: events, Note: note})
}

// computed adds a finding about arithmetic.
func (j *judge) computed(l *line, s span, kind string, right bool, note string) {
	v := Found
	if right {
		note = ""
	} else {
		v = Wrong
	}
	j.report(l, s, kind, v, nil, note)
}

var runWords = regexp.MustCompile("run[^`]{0,30}: id `([0-9a-f]{32})`")

// runID is where the page says which run it is of.
func (j *judge) runID(l *line) {
	m := runWords.FindStringSubmatchIndex(l.text)
	if m == nil {
		return
	}
	id := hex.EncodeToString(j.x.header.GetRunId())
	if l.text[m[2]:m[3]] == id {
		j.own = true
		j.report(l, span{m[2], m[3]}, "run", Found, nil, "")
		return
	}
	j.report(l, span{m[2], m[3]}, "run", Absent, nil, "the trace is of run "+id)
}

// clauseOf returns the ids on a line that stand in one clause with a span.
func clauseOf(text string, cites []cite, s span) []cite {
	from, to := 0, len(text)
	for _, end := range []string{"; ", ". "} {
		if i := strings.LastIndex(text[:s.from], end); i >= 0 {
			from = max(from, i)
		}
		if i := strings.Index(text[s.to:], end); i >= 0 {
			to = min(to, s.to+i)
		}
	}
	var out []cite
	for _, c := range cites {
		if c.from >= from && c.to <= to {
			out = append(out, c)
		}
	}
	return out
}
