// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/dtrec/dtrec/replay"
)

// WriteJSON prints the result as one object per line, told apart by "type": "runs"
// first, then "kernel", "difference", "follows", "excused" and "latency" as there
// are, and "verdict" last. Event ids are numbers; a span is [first, last].
func (r *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	lines := []any{jsonRuns{"runs", runJSON(&r.A), runJSON(&r.B)}}
	for _, c := range r.Kernel {
		lines = append(lines, jsonChange{"kernel", c.About, c.A, c.B, c.Symbol, c.Note})
	}
	for i := range r.Differences {
		lines = append(lines, differenceJSON(&r.Differences[i]))
	}
	for i := range r.Follows {
		lines = append(lines, jsonPair{"follows", 0, "", pairJSON(&r.Follows[i])})
	}
	for i := range r.Excused {
		e := &r.Excused[i]
		lines = append(lines, jsonPair{"excused", e.Count, e.Why, pairJSON(&e.First)})
	}
	for _, l := range r.Latency {
		lines = append(lines, jsonLatency{"latency", l.Role, spreadJSON(l.A), spreadJSON(l.B), l.Differs})
	}
	lines = append(lines, jsonVerdict{"verdict", r.Verdict().String(), r.Count(), r.Same,
		r.Omitted, r.FollowsMore, list(r.Doubts), list(r.Notes)})
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

type jsonRuns struct {
	Type string  `json:"type"`
	A    jsonRun `json:"a"`
	B    jsonRun `json:"b"`
}

type jsonRun struct {
	File     string `json:"file"`
	Run      string `json:"run"`
	Kernel   string `json:"kernel"`
	Machine  string `json:"machine"`
	Command  string `json:"command"`
	Events   uint64 `json:"events"`
	Lost     uint64 `json:"lost"`
	Complete bool   `json:"complete"`
	Programs int    `json:"programs"`
	Calls    uint64 `json:"calls"`
	Opens    uint64 `json:"opens"`
	Apart    uint64 `json:"ends_apart"`
}

func runJSON(r *Run) jsonRun {
	k := r.Header.GetKernel()
	return jsonRun{
		File: replay.Printable(r.Name), Run: hex.EncodeToString(r.Header.GetRunId()),
		Kernel: replay.Printable(k.GetRelease()), Machine: replay.Printable(k.GetMachine()), Command: command(r.Header),
		Events: r.Events, Lost: r.Lost, Complete: r.Complete, Programs: r.Programs, Calls: r.Calls, Opens: r.Opens,
		Apart: r.Apart,
	}
}

type jsonChange struct {
	Type   string `json:"type"`
	About  string `json:"about"`
	A      string `json:"a"`
	B      string `json:"b"`
	Symbol bool   `json:"symbol"`
	Note   string `json:"note,omitempty"`
}

type jsonDifference struct {
	Type     string     `json:"type"`
	Kind     Kind       `json:"kind"`
	Program  string     `json:"program"`
	Call     string     `json:"call,omitempty"`
	A        jsonSpan   `json:"a,omitempty"`
	B        jsonSpan   `json:"b,omitempty"`
	Lines    []jsonLine `json:"lines"`
	Also     []jsonCall `json:"also,omitempty"`
	AlsoMore uint64     `json:"also_more,omitempty"`
}

type jsonLine struct {
	Op   string   `json:"op"`
	Text string   `json:"text"`
	A    jsonSpan `json:"a,omitempty"`
	B    jsonSpan `json:"b,omitempty"`
}

type jsonSpan []uint64

func spanJSON(s Span) jsonSpan {
	if (s == Span{}) {
		return nil
	}
	return jsonSpan{s.First, s.Last}
}

func differenceJSON(d *Difference) jsonDifference {
	out := jsonDifference{Type: "difference", Kind: d.Kind, Program: replay.Printable(d.Program), Call: d.Call,
		A: spanJSON(d.A), B: spanJSON(d.B), AlsoMore: d.AlsoMore}
	for _, l := range d.Lines {
		out.Lines = append(out.Lines, jsonLine{string(l.Op), l.Text, spanJSON(l.A), spanJSON(l.B)})
	}
	for i := range d.Also {
		out.Also = append(out.Also, pairJSON(&d.Also[i]))
	}
	return out
}

type jsonCall struct {
	Program string   `json:"program"`
	Call    string   `json:"call,omitempty"`
	A       jsonSpan `json:"a,omitempty"`
	B       jsonSpan `json:"b,omitempty"`
}

func pairJSON(p *Pair) jsonCall {
	return jsonCall{replay.Printable(p.Program), p.Call, spanJSON(p.A), spanJSON(p.B)}
}

type jsonPair struct {
	Type  string `json:"type"`
	Count uint64 `json:"count,omitempty"`
	Why   string `json:"why,omitempty"`
	jsonCall
}

type jsonLatency struct {
	Type    string     `json:"type"`
	Role    string     `json:"role"`
	A       jsonSpread `json:"a"`
	B       jsonSpread `json:"b"`
	Differs bool       `json:"differs"`
}

type jsonSpread struct {
	Calls    uint64 `json:"calls"`
	MedianNs uint64 `json:"median_ns"`
	P99Ns    uint64 `json:"p99_ns"`
}

func spreadJSON(s Spread) jsonSpread { return jsonSpread{s.Count, s.Median, s.P99} }

type jsonVerdict struct {
	Type        string   `json:"type"`
	Verdict     string   `json:"verdict"` // same, different, undecided
	Differences uint64   `json:"differences"`
	Same        uint64   `json:"same_calls"`
	Omitted     uint64   `json:"omitted,omitempty"`
	FollowsMore uint64   `json:"follows_more,omitempty"`
	Doubts      []string `json:"doubts"`
	Notes       []string `json:"notes"`
}

// list is never null.
func list(s []string) []string { return append([]string{}, s...) }
