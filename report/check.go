// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/internal/shown"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/suite"
)

// Verdicts is a report without its prose: for each program, how many claims of each kind got which verdict.
type Verdicts struct {
	Kernel    string           `json:"kernel"`
	Events    uint64           `json:"events"`
	Lost      uint64           `json:"lost"`
	Forgot    uint64           `json:"forgotten,omitempty"`  // dentries forgotten for want of room
	Log       bool             `json:"kernel_log,omitempty"` // imported from text: what the text lacks is not known
	Complete  bool             `json:"complete"`
	Damaged   bool             `json:"damaged,omitempty"` // a part of the file could not be read
	Programs  []ProgramVerdict `json:"programs"`
	Proven    uint64           `json:"proven"`
	Refuted   uint64           `json:"refuted"`
	Unproven  uint64           `json:"unproven"`
	Doubts    []DoubtVerdict   `json:"doubts"`
	Without   string           `json:"without,omitempty"` // roles left out on request
	Ablations []Ablation       `json:"falls,omitempty"`   // what was proven with these roles and no longer is
	Picked    []string         `json:"picked,omitempty"`  // the filters as flags: claims are of what they pick, events and losses of the whole trace
}

// ProgramVerdict counts the claims of one program; the program "" stands for all programs together.
type ProgramVerdict struct {
	Program string                       `json:"program"`
	Claims  map[string]map[string]uint64 `json:"claims"` // kind → verdict → count
}

// DoubtVerdict is a kind of claim that is not proven, for one reason.
type DoubtVerdict struct {
	Verdict  string   `json:"verdict"`
	Kind     string   `json:"kind"`
	Subjects []string `json:"subjects"`         // the first of the different ones
	Others   bool     `json:"others,omitempty"` // there are more
	Reason   string   `json:"reason"`           // "…" stands for an event that differs from claim to claim
	Count    uint64   `json:"count"`            // number of such claims
	Events   []uint64 `json:"events"`           // ids of the events that the first of them cites
}

// Verdicts returns a summary of the findings.
func (f *Findings) Verdicts() Verdicts {
	v := Verdicts{
		Kernel: f.Header.GetKernel().GetRelease(), Events: f.Events, Lost: f.Lost, Forgot: f.Forgotten, Log: f.Header.Imported(),
		Complete: f.Footer != nil && !f.Cut, Damaged: len(f.Damage) > 0 && !f.Cut,
		Doubts:  []DoubtVerdict{},
		Without: f.Without.String(), Ablations: f.Ablations,
		Proven: f.Tally.Total(Proven), Refuted: f.Tally.Total(Refuted), Unproven: f.Tally.Total(Unproven),
	}
	for _, p := range f.Programs {
		v.Programs = append(v.Programs, ProgramVerdict{p.Comm, p.Tally.byName()})
	}
	v.Programs = append(v.Programs, ProgramVerdict{"", f.Tally.byName()})
	for i := range f.Doubts {
		cl, doubt := &f.Doubts[i].Claim, &f.Doubts[i]
		d := DoubtVerdict{Verdict: cl.Verdict.String(), Kind: f.doubted(cl), Subjects: doubt.Subjects, Others: doubt.Others, Reason: doubt.Reason(), Count: doubt.Count}
		for _, t := range cl.Terms {
			d.Events = append(d.Events, t.Event)
		}
		v.Doubts = append(v.Doubts, d)
	}
	return v
}

func (t *Tally) byName() map[string]map[string]uint64 {
	out := make(map[string]map[string]uint64)
	for k := range t {
		for v, n := range t[k] {
			if n == 0 {
				continue
			}
			name := Kind(k).String()
			if out[name] == nil {
				out[name] = make(map[string]uint64)
			}
			out[name][Verdict(v).String()] = n
		}
	}
	return out
}

// WriteText prints one line per program and kind of claim, then the claims that are not proven, then the
// totals.
func (v *Verdicts) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, f := range v.Ablations {
		if f.Program != "" {
			fmt.Fprintf(b, "no longer proven without %s: %s %s, %d of %d: %s\n", v.Without, replay.Printable(f.Program), f.Kind,
				f.With-f.Without, f.With, f.Missed)
		}
	}
	for _, p := range v.Programs {
		if p.Program == "" {
			continue
		}
		for _, k := range Kinds() {
			n := p.Claims[k.Name]
			if len(n) > 0 {
				fmt.Fprintf(b, "%-15s  %-12s  proven %d  refuted %d  unproven %d\n",
					replay.Printable(p.Program), k.Name, n["proven"], n["refuted"], n["unproven"])
			}
		}
	}
	var named uint64
	for _, d := range v.Doubts {
		fmt.Fprintf(b, "%s\n", d.line())
		named += d.Count
	}
	if n := v.Refuted + v.Unproven; n > named {
		fmt.Fprintf(b, "… and %d more claims that are not proven\n", n-named)
	}
	fmt.Fprintf(b, "%d proven, %d refuted, %d unproven; %d events, %s, Linux %s\n",
		v.Proven, v.Refuted, v.Unproven, v.Events, v.losses(), replay.Printable(v.Kernel))
	return b.Flush()
}

func (d *DoubtVerdict) line() string {
	return fmt.Sprintf("%s: %s of %s%s: %s%s", d.Verdict, d.Kind, subjects(d.Subjects, d.Others, fitting), times(d.Count), d.Reason, d.cited())
}

// Tests returns the verdicts as tests, one for each program and kind of claim, and one for the completeness
// of the trace. A test fails if a claim is refuted and is undecided if one is unproven; with strict, an
// undecided test fails as well. The details are the reasons why claims of the kind are not proven, in all
// programs.
func (v *Verdicts) Tests(strict bool) []suite.Test {
	var tests []suite.Test
	add := func(t suite.Test, refuted, unproven bool) {
		if refuted || strict && unproven {
			t.Outcome = suite.Failed
		} else if unproven {
			t.Outcome = suite.Undecided
		}
		tests = append(tests, t)
	}
	for _, p := range v.Programs {
		for _, k := range Kinds() {
			n := p.Claims[k.Name]
			if p.Program == "" || len(n) == 0 {
				continue
			}
			t := suite.Test{Class: replay.Printable(p.Program), Name: k.Name}
			t.Why = fmt.Sprintf("proven %d, refuted %d, unproven %d", n["proven"], n["refuted"], n["unproven"])
			for i := range v.Doubts {
				if d := &v.Doubts[i]; d.Kind == k.Name && n["refuted"]+n["unproven"] > 0 {
					t.Details = append(t.Details, "in all programs: "+d.line())
				}
			}
			add(t, n["refuted"] > 0, n["unproven"] > 0)
		}
	}
	whole := v.Complete && !v.Damaged && v.Lost == 0
	add(suite.Test{Class: "trace", Name: "complete", Why: v.losses()}, false, !whole)
	return tests
}

// Whole reports whether every claim is proven and the trace is complete and not damaged.
func (v *Verdicts) Whole() bool { return v.Refuted+v.Unproven == 0 && v.Complete && !v.Damaged }

func (v *Verdicts) losses() string {
	out := fmt.Sprintf("%d lost", v.Lost)
	if v.Log && v.Lost == 0 {
		out = "losses not known"
	}
	if !v.Complete {
		out += ", cut before its end"
	}
	if v.Damaged {
		out += ", damaged"
	}
	if v.Forgot > 0 {
		out += fmt.Sprintf(", %d dentries forgotten for want of room", v.Forgot)
	}
	return out
}

// subjects names the first three subjects of claims, each quoted by q.
func subjects(list []string, others bool, q func(string) string) string {
	var out []string
	if len(list) > 3 {
		list, others = list[:3], true
	}
	for _, s := range list {
		out = append(out, cmp.Or(q(s), "an empty name"))
	}
	text := strings.Join(out, ", ")
	if others {
		text += " and others"
	}
	return text
}

// fitting returns a claim's subject shortened for a line of text: a path may have 4,095 bytes, and the
// cited event serves to look it up.
func fitting(subject string) string { return shown.Fitting(replay.Printable(subject), 120) }

// cited returns the events that the first claim cites, in parentheses; empty if it cites none.
func (d *DoubtVerdict) cited() string {
	out := ""
	for _, id := range d.Events {
		out += fmt.Sprintf(" #%d", id)
	}
	switch {
	case out == "":
		return ""
	case d.Count > 1:
		return " (first" + out + ")"
	}
	return " (" + out[1:] + ")"
}

// WriteJSON writes the verdicts as one JSON object.
func (v *Verdicts) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// WriteMatrix prints the verdicts of several runs side by side, with a row per program and kind of claim
// and a column per run. A column is headed by the kernel of its run, or by the run's name if several runs
// have that kernel. A cell is the number of proven claims, or "proven/refuted/unproven" if any are not
// proven.
func WriteMatrix(w io.Writer, names []string, runs []Verdicts) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	head, lost := []string{"program", "claim"}, []string{"all", "events lost"}
	of := make(map[string]int)
	for i := range runs {
		of[runs[i].release()]++
	}
	for i := range runs {
		column := replay.Printable(runs[i].release())
		if of[runs[i].release()] > 1 {
			column = names[i]
		}
		head = append(head, column)
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

// release returns the kernel release without the distribution's suffix.
func (v *Verdicts) release() string {
	release, _, _ := strings.Cut(v.Kernel, "-")
	return release
}

// missing returns how many events the run lost, and whether it is cut or damaged.
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

// programsOf lists the programs of all runs in the order in which they first appear.
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

// cell returns what one run says about the claims of one kind in one program; "-" if there are none.
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

// Ablation counts the claims of one kind that one program loses when roles are left out.
type Ablation struct {
	Program string `json:"program"` // "": all programs together
	Kind    string `json:"kind"`
	With    uint64 `json:"with"`    // claims proven when everything that was recorded is read
	Without uint64 `json:"without"` // claims that are still proven
	Missed  string `json:"missed"`  // what the lost claims lack
}

// ablations compares the tallies of the whole trace with those of the part without the roles, per program
// and in total.
func ablations(whole, part *Findings, roles replay.Roles) []Ablation {
	var out []Ablation
	add := func(program string, a, b Tally) {
		for _, k := range Kinds() {
			if with, without := a[k.Kind][Proven], b[k.Kind][Proven]; with > without {
				out = append(out, Ablation{program, k.Name, with, without, missed(k, a[k.Kind], b[k.Kind], roles)})
			}
		}
	}
	kept := make(map[string]Tally)
	for _, p := range part.Programs {
		kept[p.Comm] = p.Tally
	}
	for _, p := range whole.Programs {
		add(p.Comm, p.Tally, kept[p.Comm])
	}
	add("", whole.Tally, part.Tally)
	return out
}

// missed says what the lost claims of a kind lack: a probe they need, or the very events they would be
// about.
func missed(k KindInfo, whole, part [verdicts]uint64, roles replay.Roles) string {
	var lacks []string
	if needs := (k.Needs | k.Some) & roles; needs != 0 {
		lacks = append(lacks, NotAttached.about(About{Text: needs.String()}, false))
	}
	if made, left := whole[Proven]+whole[Refuted]+whole[Unproven], part[Proven]+part[Refuted]+part[Unproven]; made > left {
		lacks = append(lacks, plural.Of(made-left, "claim")+" not made without those events")
	}
	return cmp.Or(strings.Join(lacks, "; "), "they need events of "+roles.String())
}
