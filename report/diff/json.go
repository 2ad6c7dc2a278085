// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSON prints the result as one object per line, told apart by "type": "runs"
// first, then "kernel", "difference", "follows", "excused" and "latency" as there
// are, and "verdict" last. Event ids are numbers; a span is [first, last].
func (r *Result) WriteJSON(w io.Writer) error {
	j := jsonLines{w: w}
	j.line("runs", map[string]*Run{"a": &r.A, "b": &r.B})
	for i := range r.Kernel {
		j.line("kernel", &r.Kernel[i])
	}
	for _, d := range r.Differences {
		j.line("difference", d)
	}
	for i := range r.Follows {
		j.line("follows", &r.Follows[i])
	}
	for _, e := range r.Excused {
		j.line("excused", struct {
			Count uint64 `json:"count"`
			Why   string `json:"why"`
			Pair
		}{e.Count, e.Why, e.First})
	}
	for i := range r.Latency {
		j.line("latency", &r.Latency[i])
	}
	j.line("verdict", struct {
		Verdict     string   `json:"verdict"` // same, different, undecided
		Differences uint64   `json:"differences"`
		Same        uint64   `json:"same_calls"`
		Omitted     uint64   `json:"omitted,omitempty"`
		FollowsMore uint64   `json:"follows_more,omitempty"`
		Doubts      []string `json:"doubts"`
		Notes       []string `json:"notes"`
	}{r.Verdict().String(), r.Count(), r.Same, r.Omitted, r.FollowsMore, append([]string{}, r.Doubts...), append([]string{}, r.Notes...)})
	return j.err
}

// jsonLines writes one object a line, to the first error.
type jsonLines struct {
	w   io.Writer
	err error
}

// line writes an object with its type before its own fields.
func (j *jsonLines) line(kind string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil && j.err == nil {
		j.err = err
	}
	if j.err == nil {
		_, j.err = j.w.Write(append([]byte(`{"type":"`+kind+`",`), b.Bytes()[1:]...))
	}
}
