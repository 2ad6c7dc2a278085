// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dtrec/dtrec/replay"
)

// WriteText prints a line for each finding that is not Found, with all for each, and
// then how many there are of which.
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

// ids cites events.
func ids(events []uint64) string {
	var out []string
	for _, id := range events {
		out = append(out, fmt.Sprintf("#%d", id))
	}
	return strings.Join(out, ", ")
}

// sum counts what was held, and says what was not.
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

// WriteJSON prints one object a line: the findings, and last the counts.
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
