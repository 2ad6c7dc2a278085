// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Result is how two runs differ, computed once; renderers print it. No text in it can
// end a line or a quote.
type Result struct {
	A, B        Run
	Differences []*Difference // those of the kernels first
	Omitted     uint64        // differences beyond the bound
	Excused     []Excuse      // differences that are none (see the package comment)
	Latency     []Latency
	Timed       bool          // latency was asked to count
	Doubts      []string      // why nothing can be concluded from finding no difference
	Notes       []string      // what else whoever compares should know
	Same        uint64        // calls that agree in everything compared
	Accepted    []*Difference // that Accept took out
	Unused      []Unused      // what it accepts and did not meet
	NotAsked    int           // differences that Only left out

	programs []string // of both runs, as printed
	asked    []Kind   // by Only; nil: all
}

// Verdict is what a comparison comes to.
type Verdict uint8

// Undecided: no difference was found, but a run is incomplete.
const (
	Same Verdict = iota
	Different
	Undecided
)

func (v Verdict) String() string { return [...]string{"same", "different", "undecided"}[v] }

// Verdict returns what the comparison comes to.
func (r *Result) Verdict() Verdict {
	switch {
	case r.Count() > 0:
		return Different
	case len(r.Doubts) > 0:
		return Undecided
	}
	return Same
}

// Count returns the number of differences.
func (r *Result) Count() uint64 {
	n := uint64(len(r.Differences)) + r.Omitted
	for i := range r.Latency {
		if r.Latency[i].Differs {
			n++
		}
	}
	return n
}

// Run is one side.
type Run struct {
	File        string `json:"file"`
	ID          string `json:"run"` // hexadecimal
	Kernel      string `json:"kernel"`
	Machine     string `json:"machine"`
	Command     string `json:"command"`
	Events      uint64 `json:"events"`
	Lost        uint64 `json:"lost"`
	Complete    bool   `json:"complete"`
	Programs    int    `json:"programs"`
	Calls       uint64 `json:"calls"` // compared, the opens among them
	Opens       uint64 `json:"opens"`
	EndsOutside uint64 `json:"ends_outside"` // ends of dentries outside the calls that used them, not compared
}

// Kind is what a difference is in.
type Kind string

// The kinds of difference.
const (
	Symbols     Kind = "symbols" // the kernels, or what they allowed to be recorded: another symbol plays a role,
	Layout      Kind = "layout"  // or a structure is laid out otherwise
	ProgramOnly Kind = "program" // a program ran on one side only
	CallsOnly   Kind = "calls"   // calls that one side made and the other did not, in one place
	Order       Kind = "order"   // a call came before another one on one side and after it on the other
	Steps       Kind = "steps"   // a call went otherwise
	Claims      Kind = "claims"  // the steps of a call agree, the verdicts do not
	Outcome     Kind = "outcome" // a program ended or printed otherwise
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{Symbols, Layout, ProgramOnly, CallsOnly, Order, Steps, Claims, Outcome}
}

// join is the kinds as a list.
func join(kinds []Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

// Difference is one difference in what programs met, or between the kernels.
type Difference struct {
	Kind  Kind   `json:"kind"`
	Pair         // Call is empty where Lines name them
	Lines []Line `json:"lines"`
	// Also: the same difference in other calls.
	Also     []Pair `json:"also,omitempty"`
	AlsoMore uint64 `json:"also_more,omitempty"`

	gap    *gap
	varies []string // names that other runs have otherwise, and patterns of them; see namer.varies
}

// Line is one line of a difference: Op "-" is of A only, "+" of B only, " " of both.
type Line struct {
	Op   string `json:"op"`
	Text string `json:"text"`
	Spans
}

// Pair is a call on both sides.
type Pair struct {
	Program string `json:"program"`
	Call    string `json:"call,omitempty"` // as in "open "/tmp/x""
	Spans
}

// Excuse is a kind of difference that is none, with how often it was met.
type Excuse struct {
	Count uint64
	Why   string
	First Pair // an example
}

// Spans is the events of both sides.
type Spans struct {
	A Span `json:"a,omitzero"`
	B Span `json:"b,omitzero"`
}

// Span is the events a call or line consists of, by id: first and last. Zero: the
// side has none.
type Span struct{ First, Last uint64 }

// on is the events of one side, 0 for A.
func (s Span) on(side int) Spans {
	if side == 0 {
		return Spans{A: s}
	}
	return Spans{B: s}
}

// MarshalJSON makes it [first,last].
func (s Span) MarshalJSON() ([]byte, error) { return json.Marshal([2]uint64{s.First, s.Last}) }

func (s Span) String() string {
	switch {
	case s == Span{}:
		return ""
	case s.First == s.Last:
		return fmt.Sprintf("#%d", s.First)
	}
	return fmt.Sprintf("#%d-#%d", s.First, s.Last)
}

// String is "#3-#9 / #4-#10".
func (s Spans) String() string {
	if (s.A == Span{} || s.B == Span{}) {
		return s.A.String() + s.B.String()
	}
	return s.A.String() + " / " + s.B.String()
}

// join is the span from the first of both to the last.
func (s Span) join(t Span) Span {
	switch {
	case s == Span{}:
		return t
	case t == Span{}:
		return s
	}
	return Span{min(s.First, t.First), max(s.Last, t.Last)}
}
