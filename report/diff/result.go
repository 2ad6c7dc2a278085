// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"github.com/dtrec/dtrec/schema"
)

// Result is how two runs differ, computed once; renderers print it.
type Result struct {
	A, B Run
	// Kernel is what differs because the kernels do, or the probes they allowed.
	Kernel      []Change
	Differences []Difference
	Omitted     uint64 // differences beyond the bound
	// Follows: calls that differ in what they found of names which a call on one
	// side only, or an earlier difference, had changed.
	Follows     []Pair
	FollowsMore uint64
	Excused     []Excuse // differences that are none (see the package comment)
	Latency     []Latency
	Timed       bool // latency was asked to count
	// Doubts: why nothing can be concluded from finding no difference.
	Doubts []string
	Notes  []string // what else whoever compares should know
	Same   uint64   // calls that agree in everything compared
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

// Count returns the number of differences, those of the kernels included.
func (r *Result) Count() uint64 {
	n := uint64(len(r.Kernel)+len(r.Differences)) + r.Omitted
	for i := range r.Latency {
		if r.Latency[i].Differs {
			n++
		}
	}
	return n
}

// Run is one side.
type Run struct {
	Name     string // of the file
	Header   *schema.Header
	Events   uint64
	Programs int
	Opens    uint64 // compared
	Calls    uint64 // units compared, the opens among them
	Apart    uint64 // ends of dentries that were not the program's, not compared
	Lost     uint64
	Complete bool
}

// Change is one thing the headers say differently.
type Change struct {
	About  string // a role, or a layout number
	A, B   string
	Symbol bool // About is a role, A and B are kernel symbols
	Note   string
}

// Kind is what a difference is in.
type Kind string

// The kinds of difference.
const (
	ProgramOnly Kind = "program" // a program ran on one side only
	CallsOnly   Kind = "calls"   // calls that one side made and the other did not, in one place
	Order       Kind = "order"   // a call came before another one on one side and after it on the other
	Steps       Kind = "steps"   // a call went otherwise
	Claims      Kind = "claims"  // the steps of a call agree, the verdicts do not
	Outcome     Kind = "outcome" // a program ended or printed otherwise
)

// Difference is one difference in what programs met.
type Difference struct {
	Kind    Kind
	Program string
	Call    string // the call, "open "/tmp/x""; empty where Lines name them
	A, B    Span
	Lines   []Line
	// Also: the same difference in other calls.
	Also     []Pair
	AlsoMore uint64
}

// Span is the events a call or step consists of, by id: first and last. Zero: the
// side has none.
type Span struct{ First, Last uint64 }

// Line is one line of a difference: Op '-' is of A only, '+' of B only, ' ' of both.
type Line struct {
	Op   byte
	Text string
	A, B Span
}

// Pair is a call on both sides.
type Pair struct {
	Program string
	Call    string
	A, B    Span
}

// Excuse is a kind of difference that is none, with how often it was met.
type Excuse struct {
	Why   string
	Count uint64
	First Pair // an example
}
