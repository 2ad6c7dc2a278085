// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package doctor says what this machine could record, what it would miss, and what would help.
package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/bpf"
	"github.com/dtrec/dtrec/report"
	"github.com/dtrec/dtrec/schema"
)

// The values of Diagnosis.Exit other than 0.
const (
	Gaps   = 1 // some claims cannot be proven
	Cannot = 2 // nothing can be recorded
)

// State is the result of one check.
type State string

// The states. A machine that lacks something optional records less.
const (
	OK      State = "ok"
	Missing State = "missing"
	Unknown State = "unknown" // could not be examined
	Note    State = "note"    // neither good nor bad
)

// Diagnosis says what this machine could record.
type Diagnosis struct {
	Type    string  `json:"type"` // "doctor"
	Kernel  string  `json:"kernel_release"`
	Machine string  `json:"machine"`
	Exit    int     `json:"exit"` // 0: everything can be recorded; otherwise Gaps or Cannot
	Reason  string  `json:"reason,omitempty"`
	Remedy  string  `json:"remedy,omitempty"`
	Tried   bool    `json:"tried"` // probes were really attached and detached again
	Checks  []Check `json:"checks"`
	Probes  []Probe `json:"probes"`
}

// Check is one thing that recording needs or benefits from.
type Check struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Value  string `json:"value"`
	Remedy string `json:"remedy,omitempty"`
}

// Probe says how one role and phase would be recorded.
type Probe struct {
	Role      string   `json:"role"`
	Phase     string   `json:"phase"`
	Required  bool     `json:"required"`
	State     State    `json:"state"`
	Symbol    string   `json:"symbol,omitempty"` // of the attached probe, or of the first one that could be tried
	Attach    string   `json:"attach,omitempty"`
	Uncounted bool     `json:"uncounted,omitempty"` // the missed hits are not counted
	Reason    string   `json:"reason,omitempty"`    // why there is no probe
	Costs     []string `json:"costs,omitempty"`     // kinds of claim that cannot be proven without it, or without the hits it misses
	Some      []string `json:"some,omitempty"`      // kinds of claim of which some cannot be proven
}

// Diagnose examines the machine. If the kernel permits it, it attaches every probe and detaches it again.
func Diagnose(mode bpf.Mode) Diagnosis {
	kernel := bpf.Kernel()
	d := Diagnosis{Type: "doctor", Exit: Cannot, Kernel: kernel.Release, Machine: kernel.Machine}
	here := readHost("/")
	d.Checks = append(here.checks(), machineChecks(bpf.Examine())...)
	session, err := bpf.Open(bpf.Config{Attach: mode, RingBytes: 1 << 16, WatchLimit: 1})
	if err != nil {
		d.explainRefusal(mode, err)
		return d
	}
	layout := session.Layout()
	d.Tried, d.Probes = true, probesOf(session.Attempts())
	d.Checks = append(d.Checks, preemptionCheck(session.Preemption()), hashTableCheck(layout.DentryHashtable != 0 && layout.DHashShift != 0, here))
	if err := session.Close(); err != nil {
		d.Reason = fmt.Sprintf("detach: %v", err)
		return d
	}
	d.conclude()
	return d
}

// explainRefusal fills in the Diagnosis if no session could be opened.
func (d *Diagnosis) explainRefusal(mode bpf.Mode, err error) {
	var missing *bpf.MissingError
	if errors.As(err, &missing) {
		err, d.Remedy = missing, Remedy(missing.Lack)
	}
	d.Reason = strings.ReplaceAll(err.Error(), "\n", "; ")
	if missing != nil && len(missing.Attempts) > 0 {
		d.Tried, d.Probes = true, probesOf(missing.Attempts)
	} else if attempts, err := bpf.CheckPlan(mode); err == nil {
		d.Probes = probesOf(attempts)
	}
}

// conclude sets the exit status and its reason if recording is possible.
func (d *Diagnosis) conclude() {
	d.Exit = 0
	var gaps []string
	uncounted := 0
	for _, p := range d.Probes {
		if p.Uncounted && p.costs() != "" {
			uncounted++
		}
		if p.State != OK {
			gaps = append(gaps, p.Role+" "+p.Phase)
		}
	}
	for _, c := range d.Checks {
		if c.Name == hashTableName && c.State != OK {
			gaps, d.Remedy = append(gaps, c.Name), c.Remedy
		}
	}
	var reasons []string
	if len(gaps) > 0 {
		reasons = append(reasons, "not recorded here: "+strings.Join(gaps, ", "))
	}
	if uncounted > 0 {
		reasons = append(reasons, fmt.Sprintf("missed hits of %d probes are not counted", uncounted))
		d.Remedy = "kernels with fentry, those since 6.7, and those since 5.16 with tracefs mounted count them; without --attach kprobe fentry is tried before single kprobes"
	}
	if len(reasons) > 0 {
		d.Exit, d.Reason = Gaps, strings.Join(reasons, "; ")
	}
}

// probesOf turns the attempts of each role and phase into one row, ordered by role.
func probesOf(attempts []bpf.Attempt) []Probe {
	var groups [][]bpf.Attempt
	for _, a := range attempts {
		same := func(group []bpf.Attempt) bool { return group[0].Role == a.Role && group[0].Phase == a.Phase }
		if i := slices.IndexFunc(groups, same); i >= 0 {
			groups[i] = append(groups[i], a)
		} else {
			groups = append(groups, []bpf.Attempt{a})
		}
	}
	slices.SortStableFunc(groups, func(a, b []bpf.Attempt) int { return cmp.Compare(a[0].Role, b[0].Role) })
	rows := make([]Probe, len(groups))
	for i, group := range groups {
		rows[i] = probeOf(group)
	}
	return rows
}

// probeOf sums up the attempts of one role and phase: the one that was attached, otherwise the first one that
// merely was not tried, otherwise why each failed.
func probeOf(attempts []bpf.Attempt) Probe {
	p := Probe{
		Role: schema.Role(attempts[0].Role).Label(), Phase: schema.Phase(attempts[0].Phase).Label(),
		Required: attempts[0].Required, State: Missing,
	}
	for _, a := range attempts {
		untried := errors.Is(a.Err, bpf.ErrNotTried)
		if a.Attached || untried {
			p.Symbol, p.Attach, p.Uncounted = a.Symbol, schema.Attach(a.Attach).Label(), a.Uncounted
			p.State, p.Reason = OK, ""
			if p.Uncounted {
				p.Costs, p.Some = claimsNeeding(schema.Role(a.Role), true)
			}
			if untried {
				p.State, p.Reason, p.Attach = Unknown, a.Err.Error(), ""
			}
			return p
		}
	}
	p.Reason = whyMissing(attempts)
	p.Costs, p.Some = claimsNeeding(schema.Role(attempts[0].Role), false)
	return p
}

// whyMissing joins the reasons. It leaves out symbols of other kernels if any symbol is one of this kernel.
func whyMissing(attempts []bpf.Attempt) string {
	var unfit *bpf.UnfitError
	other := func(a bpf.Attempt) bool { return errors.As(a.Err, &unfit) }
	if rest := slices.DeleteFunc(slices.Clone(attempts), other); len(rest) > 0 {
		attempts = rest
	}
	var reasons []string
	for i, a := range attempts {
		reason := fmt.Sprintf("by %s: %v", schema.Attach(a.Attach).Label(), a.Err)
		if i == 0 || a.Symbol != attempts[i-1].Symbol {
			reason = a.Symbol + " " + reason
		}
		reasons = append(reasons, strings.ReplaceAll(reason, "\n", " "))
	}
	return strings.Join(reasons, "; ")
}

// claimsNeeding returns the kinds of claim that cannot be proven without a role, and those of which some
// cannot. With all it returns those that need every event of the role, which leaves out the kinds that rest
// on a single event.
func claimsNeeding(role schema.Role, all bool) (kinds, some []string) {
	for _, k := range report.Kinds() {
		switch {
		case all && k.Alone:
		case k.Needs.Has(role):
			kinds = append(kinds, k.Name)
		case (k.Some | k.Of).Has(role):
			some = append(some, k.Name)
		}
	}
	return kinds, some
}
