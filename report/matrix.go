// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/replay"
)

// WriteMatrix prints the verdicts of several runs side by side, a row per program
// and kind of claim, a column per run. A cell is the number of proven claims, and
// where there are others "proven/refuted/unproven".
func WriteMatrix(w io.Writer, runs []Verdicts) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	head, lost := []string{"program", "claim"}, []string{"all", "events lost"}
	for i := range runs {
		release, _, _ := strings.Cut(runs[i].Kernel, "-")
		head = append(head, replay.Printable(release))
		lost = append(lost, runs[i].missing())
	}
	row(head...)
	for _, program := range programsOf(runs) {
		for _, k := range Kinds() {
			cells, some := []string{replay.Printable(program), k.Name}, false
			for i := range runs {
				c := runs[i].cell(program, k.Name)
				cells, some = append(cells, c), some || c != "-"
			}
			if some {
				row(cells...)
			}
		}
	}
	row(lost...)
	return t.Flush()
}

// missing is how many events a run lost, and what else it lacks.
func (v *Verdicts) missing() string {
	out := fmt.Sprint(v.Lost)
	if !v.Complete {
		out += ", cut"
	}
	if v.Damaged {
		out += ", damaged"
	}
	return out
}

// programsOf lists the programs of all runs in order of first sight.
func programsOf(runs []Verdicts) []string {
	var names []string
	seen := map[string]bool{"": true}
	for i := range runs {
		for _, p := range runs[i].Programs {
			if !seen[p.Program] {
				seen[p.Program] = true
				names = append(names, p.Program)
			}
		}
	}
	return names
}

// cell is what one run says of one kind of claim of one program.
func (v *Verdicts) cell(program, kind string) string {
	for _, p := range v.Programs {
		if p.Program != program {
			continue
		}
		n := p.Claims[kind]
		switch {
		case len(n) == 0:
			return "-"
		case n["refuted"] == 0 && n["unproven"] == 0:
			return fmt.Sprint(n["proven"])
		}
		return fmt.Sprintf("%d/%d/%d", n["proven"], n["refuted"], n["unproven"])
	}
	return "-"
}
