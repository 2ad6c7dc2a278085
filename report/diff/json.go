// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"encoding/json"
	"io"
)

// WriteJSON prints the result as one object per line, each with its "type": "runs"
// first, then "difference", "accepted", "unused", "excused" and "latency" as there are, and
// "verdict" last. Event ids are numbers; a span is [first, last].
func (r *Result) WriteJSON(w io.Writer) error {
	var err error
	line := func(kind string, v any) { // an object, its type before its own fields
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err == nil {
			err = enc.Encode(v)
		}
		if err == nil {
			_, err = w.Write(append([]byte(`{"type":"`+kind+`",`), b.Bytes()[1:]...))
		}
	}
	line("runs", map[string]*Run{"a": &r.A, "b": &r.B})
	for _, d := range r.Differences {
		line("difference", d)
	}
	for _, d := range r.Accepted {
		line("accepted", d)
	}
	for i := range r.Unused {
		line("unused", &r.Unused[i])
	}
	for _, e := range r.Excused {
		line("excused", struct {
			Count uint64 `json:"count"`
			Why   string `json:"why"`
			Pair
		}{e.Count, e.Why, e.First})
	}
	for i := range r.Latency {
		line("latency", &r.Latency[i])
	}
	line("verdict", struct {
		Verdict     string   `json:"verdict"` // same, different, undecided
		Differences uint64   `json:"differences"`
		Same        uint64   `json:"same_calls"`
		Omitted     uint64   `json:"omitted,omitempty"`
		NotAsked    int      `json:"not_asked,omitempty"`
		Accepted    int      `json:"accepted,omitempty"`
		Unused      int      `json:"unused,omitempty"`
		Doubts      []string `json:"doubts"`
		Notes       []string `json:"notes"`
	}{r.Verdict().String(), r.Count(), r.Same, r.Omitted, r.NotAsked, len(r.Accepted), len(r.Unused), append([]string{}, r.Doubts...), append([]string{}, r.Notes...)})
	return err
}
