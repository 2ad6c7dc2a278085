// SPDX-License-Identifier: Apache-2.0

package page

// Verdict is how a statement of the page stands against the trace.
type Verdict uint8

// The verdicts, from good to bad.
const (
	Found     Verdict = iota // recorded with the same meaning; or computed again, and right
	Elsewhere                // the value is in the run, and was something else
	Absent                   // not in this run
	Wrong                    // it contradicts itself, or the events
	Unread                   // it says something of an address that is not understood
	verdicts
)

// String is the verdict in words.
func (v Verdict) String() string {
	return [...]string{"found", "found elsewhere", "not in this run", "wrong", "not understood"}[v]
}

// Finding is one statement of a page and what the trace says of it.
type Finding struct {
	Line    int      // from 1
	Column  int      // bytes, from 1
	Text    string   // as the page has it
	Kind    string   // address, key, event, length, subtraction, …
	Verdict Verdict  // Found, or why not
	Events  []uint64 // ids of the events that show it
	Note    string   // what the value was, or what is wrong; empty when all is said
}

// Result is all that was held against the trace.
type Result struct {
	Findings []Finding // in the order of the page
	Counts   [verdicts]int
}

// Holds reports whether everything was found with the same meaning.
func (r *Result) Holds() bool { return r.Counts[Found] == len(r.Findings) }
