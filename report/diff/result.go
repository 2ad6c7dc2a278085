// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
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
	Unused      []AllowedLine // what it accepts and did not meet
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

// Only leaves of a result what differs in the kinds asked for. It is said how much is left
// out.
func (r *Result) Only(kinds ...Kind) {
	n := len(r.Differences)
	r.Differences = slices.DeleteFunc(r.Differences, func(d *Difference) bool { return !slices.Contains(kinds, d.Kind) })
	r.asked, r.NotAsked = kinds, n-len(r.Differences)
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	r.note("asked for %s only: %s left out", strings.Join(names, ", "), plural.Of(uint64(r.NotAsked), "difference"))
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Result) doubt(format string, args ...any) {
	r.Doubts = append(r.Doubts, fmt.Sprintf(format, args...))
}

// excuse counts a difference that is none, met at a call.
func (r *Result) excuse(why string, at Pair) {
	i := slices.IndexFunc(r.Excused, func(e Excuse) bool { return e.Why == why })
	if i < 0 {
		i = len(r.Excused)
		r.Excused = append(r.Excused, Excuse{Why: why, Pair: at})
	}
	r.Excused[i].Count++
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
	Calls       uint64 `json:"calls"`        // compared; those within another are part of it
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

// Difference is one difference in what programs met, or between the kernels.
type Difference struct {
	Kind  Kind   `json:"kind"`
	Pair         // Call is empty where Lines name them
	Lines []Line `json:"lines"`
	// Also: the same difference in other calls.
	Also     []Pair `json:"also,omitempty"`
	AlsoMore uint64 `json:"also_more,omitempty"`

	others map[string]bool // the programs of all these calls but its own
	gap    *gap
	varies []string // names that other runs have otherwise, and patterns of them; see namer.varies
}

// Bounds on what a result holds in full; what goes beyond is counted.
const (
	maxDifferences = 2000
	maxAlso        = 32
	maxShown       = 100 // lines of a difference
)

// also takes the same difference in another place.
func (d *Difference) also(at Pair) {
	if at.Program != d.Program && !d.others[at.Program] {
		if d.others == nil {
			d.others = make(map[string]bool)
		}
		d.others[at.Program] = true
	}
	if len(d.Also) < maxAlso {
		d.Also = append(d.Also, at)
	} else {
		d.AlsoMore++
	}
}

// more begins the line that counts those left out.
const more = " … "

// bound leaves out lines beyond those that are reported.
func (d *Difference) bound() {
	if n := len(d.Lines) - maxShown; n > 0 {
		d.Lines = append(d.Lines[:maxShown], Line{Op: " ", Text: fmt.Sprintf("%s%d more lines", more, n)})
	}
}

// Line is one line of a difference: Op "-" is of A only, "+" of B only, " " of both.
type Line struct {
	Op   string `json:"op"`
	Text string `json:"text"`
	Spans
}

// changed is that A has one text and B another.
func changed(a, b string) []Line { return []Line{{Op: "-", Text: a}, {Op: "+", Text: b}} }

// Pair is a call on both sides.
type Pair struct {
	Program string `json:"program"`
	Call    string `json:"call,omitempty"` // as in "open "/tmp/x""
	Spans
}

// Excuse is a kind of difference that is none, with how often it was met, and an example.
type Excuse struct {
	Count uint64 `json:"count"`
	Why   string `json:"why"`
	Pair
}

// Spans is the events of both sides.
type Spans struct {
	A Span `json:"a,omitzero"`
	B Span `json:"b,omitzero"`
}

// Span is the events a call or line consists of, by id: first and last. Zero: the
// side has none.
type Span struct{ First, Last uint64 }

// line is a line that one side alone has, 0 for A.
func (s Span) line(side int, text string) Line {
	if side == 0 {
		return Line{"-", text, Spans{A: s}}
	}
	return Line{"+", text, Spans{B: s}}
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

// Allowed is differences that were looked at and accepted: a file of what WriteText printed
// of them. An entry is a heading (@@ … @@) with the lines below it, and accepts what differs
// there in these lines and no other; a heading alone accepts whatever differs there. The
// numbers of events do not count. Lines that begin with # are comments.
type Allowed struct {
	name    string
	entries [][]AllowedLine // each its heading, without events, and the lines below
}

// AllowedLine is a line of an entry. One that no difference met stands for the entry if it is the heading.
type AllowedLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	used bool
}

// What a heading is, and what a diff prints around its differences.
const (
	headingLine = `^@@ (.*?)(?:, #\d+(?:-#\d+)?(?: / #\d+(?:-#\d+)?)?)? @@$`
	aroundLine  = `^(|#.*|--- .*\t.*|\+\+\+ .*\t.*|(?:\d+ differences?|the same|no difference found|differences not shown|not known|note|not counted|accepted|not met|not asked for)[:;] .*)$`
)

// maxAllowed bounds the lines of a file of accepted differences, bytes of each.
const maxAllowed = 1 << 20

// ReadAllowed reads a file of accepted differences. An error names the line that no diff
// prints.
func ReadAllowed(name string, r io.Reader) (*Allowed, error) {
	a := &Allowed{name: replay.Printable(name)}
	heading, around := regexp.MustCompile(headingLine), regexp.MustCompile(aroundLine)
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxAllowed)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		within := len(a.entries) > 0
		switch m := heading.FindStringSubmatch(line); {
		case m != nil:
			a.entries = append(a.entries, []AllowedLine{{File: a.name, Line: n, Text: m[1]}})
		case around.MatchString(line):
		case within && strings.ContainsRune("-+ ", rune(line[0])):
			if e := &a.entries[len(a.entries)-1]; counts(line) {
				line, _, _ = strings.Cut(line, "\t")
				*e = append(*e, AllowedLine{File: a.name, Line: n, Text: line})
			}
		default:
			return nil, fmt.Errorf("line %d: %s: not what a diff prints", n, quote(line[:min(len(line), 64)]))
		}
	}
	return a, in.Err()
}

// counts reports whether a printed line says what differs: not one that both sides have, nor
// one of the other calls that differ so.
func counts(line string) bool { return line[0] != ' ' || strings.HasPrefix(line, " "+more) }

// Accept takes the differences that are allowed out of the result, and says which entries
// met none.
func (r *Result) Accept(a *Allowed) {
	r.Differences = slices.DeleteFunc(r.Differences, func(d *Difference) bool {
		took := a.takes(d)
		if took {
			r.Accepted = append(r.Accepted, d)
		}
		return took
	})
	for _, e := range a.entries {
		heading, below := e[0], e[1:]
		switch {
		case heading.Text == latencyHeading:
			continue
		case !heading.used:
			heading.Text = "@@ " + heading.Text + " @@"
			below = []AllowedLine{heading}
		}
		for _, l := range below {
			if !l.used {
				l.Text = replay.Printable(l.Text)
				r.Unused = append(r.Unused, l)
			}
		}
	}
}

// takes reports whether an entry accepts the difference.
func (a *Allowed) takes(d *Difference) bool {
	title := d.like(d.title())
	return slices.ContainsFunc(a.entries, func(e []AllowedLine) bool { return title(e[0].Text) && accepts(e, d) })
}

// like returns a function that reports whether a text is one of the difference's, whatever it has for
// names that are of the run.
func (d *Difference) like(text string) func(string) bool {
	if d.varies == nil {
		return func(other string) bool { return other == text }
	}
	pattern := regexp.QuoteMeta(text)
	for i := 0; i < len(d.varies); i += 2 {
		for _, around := range []string{`""`, `"/`, `//`, `/"`} {
			pattern = strings.ReplaceAll(pattern, around[:1]+d.varies[i]+around[1:], around[:1]+d.varies[i+1]+around[1:])
		}
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString
}

// accepts reports whether an entry has every line of a difference that it has the heading
// of, as often, or none at all.
func accepts(e []AllowedLine, d *Difference) bool {
	met := map[int]bool{0: true}
	for _, l := range d.Lines {
		if len(e) == 1 || !counts(l.Op+l.Text) {
			continue
		}
		like := d.like(l.Op + l.Text)
		i := 1
		for i < len(e) && (met[i] || !like(e[i].Text)) {
			i++
		}
		if i == len(e) {
			return false
		}
		met[i] = true
	}
	for i := range met {
		e[i].used = true
	}
	return true
}
