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

// Result is the difference between two runs, computed once and then rendered. All text in it is printable
// and cannot end a line or a quotation.
type Result struct {
	A, B        Run
	Differences []*Difference // those between the kernels first
	Omitted     uint64        // number of differences beyond the bound
	Excused     []Excuse      // variations that do not count (see the package comment)
	Latency     []Latency
	Timed       bool          // Options.Latency was set
	Doubts      []string      // reasons why the runs may differ although no difference was found
	Notes       []string      // other remarks about the comparison
	Same        uint64        // calls that agree in everything compared
	Accepted    []*Difference // removed by Accept
	Unused      []AllowedLine // lines given to Accept that matched no difference
	NotAsked    int           // number of differences removed by Only

	programs []string // of both runs, in printable form
	asked    []Kind   // set by Only; nil: all kinds
}

// Verdict is the outcome of a comparison.
type Verdict string

// The verdicts. Undecided means that no difference was found, but a run is incomplete.
const (
	Same      Verdict = "same"
	Different Verdict = "different"
	Undecided Verdict = "undecided"
)

func (r *Result) Verdict() Verdict {
	switch {
	case r.Count() > 0:
		return Different
	case len(r.Doubts) > 0:
		return Undecided
	}
	return Same
}

// Count returns the number of differences, including those omitted and those in latency.
func (r *Result) Count() uint64 {
	n := uint64(len(r.Differences)) + r.Omitted
	for i := range r.Latency {
		if r.Latency[i].Differs {
			n++
		}
	}
	return n
}

// Only removes the differences of all other kinds from the result. A note says how many were removed.
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

// excuse counts a variation that is not a difference, found at a call.
func (r *Result) excuse(why string, at Pair) {
	i := slices.IndexFunc(r.Excused, func(e Excuse) bool { return e.Why == why })
	if i < 0 {
		i = len(r.Excused)
		r.Excused = append(r.Excused, Excuse{Why: why, Pair: at})
	}
	r.Excused[i].Count++
}

// Run describes one of the two runs.
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
	Calls       uint64 `json:"calls"`        // compared calls; a nested call is part of its outer one
	EndsOutside uint64 `json:"ends_outside"` // ends of dentries outside the calls that used them; not compared
}

// Kind says what differs.
type Kind string

// The kinds of difference.
const (
	Symbols     Kind = "symbols" // the kernels, or what could be recorded on them: other symbols are probed for a role
	Layout      Kind = "layout"  // the kernels: a structure has another layout
	ProgramOnly Kind = "program" // a program ran on one side only
	CallsOnly   Kind = "calls"   // one run made calls that the other did not make in that place
	Order       Kind = "order"   // two calls came in the opposite order
	Steps       Kind = "steps"   // a call had another course
	Claims      Kind = "claims"  // the steps of a call agree, but not the verdicts on its claims
	Outcome     Kind = "outcome" // a program had another exit code or output
)

// Kinds returns all kinds of difference.
func Kinds() []Kind {
	return []Kind{Symbols, Layout, ProgramOnly, CallsOnly, Order, Steps, Claims, Outcome}
}

// ofKernel reports whether a difference of the kind is one between the kernels.
func (k Kind) ofKernel() bool { return k == Symbols || k == Layout }

// Difference is one difference in what programs did, or between the kernels.
type Difference struct {
	Kind  Kind   `json:"kind"`
	Pair         // Call is empty if the calls are named in Lines
	Lines []Line `json:"lines"`
	// Also lists other calls with the same difference, at most maxAlso; AlsoMore counts the rest.
	Also     []Pair `json:"also,omitempty"`
	AlsoMore uint64 `json:"also_more,omitempty"`

	others map[string]bool // programs of the calls in Also, and of those that AlsoMore counts
	gap    *gap
	varies []string // pairs of a name that varies between runs and a pattern for it; see namer.varies
}

// Bounds on what a result holds in full; what exceeds them is counted.
const (
	maxDifferences = 2000
	maxAlso        = 32
	maxShown       = 100 // lines of a difference
)

// also adds another place with the same difference.
func (d *Difference) also(at Pair) {
	d.others[at.Program] = true
	if len(d.Also) < maxAlso {
		d.Also = append(d.Also, at)
	} else {
		d.AlsoMore++
	}
}

// more begins the line that counts the lines left out.
const more = " … "

// Line is one line of a difference. Op is "-" for a line of A only, "+" of B only, " " of both.
type Line struct {
	Op   string `json:"op"`
	Text string `json:"text"`
	Spans
}

// changed returns the lines for a text that is a in A and b in B.
func changed(a, b string) []Line { return []Line{{Op: "-", Text: a}, {Op: "+", Text: b}} }

// Pair is a call on both sides.
type Pair struct {
	Program string `json:"program"`
	Call    string `json:"call,omitempty"` // as in "open "/tmp/x""
	Spans
}

// Excuse is a reason for which variations do not count, with the number of such variations and an example.
type Excuse struct {
	Count uint64 `json:"count"`
	Why   string `json:"why"`
	Pair
}

// Spans holds the events on both sides.
type Spans struct {
	A Span `json:"a,omitzero"`
	B Span `json:"b,omitzero"`
}

// Span holds the ids of the first and the last event of a call or line. The zero Span means that the side
// has none.
type Span struct{ First, Last uint64 }

// line returns a line that only one side has: side 0 is A, 1 is B.
func (s Span) line(side int, text string) Line {
	if side == 0 {
		return Line{"-", text, Spans{A: s}}
	}
	return Line{"+", text, Spans{B: s}}
}

// MarshalJSON encodes a Span as [first,last].
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

// String returns both spans, as in "#3-#9 / #4-#10".
func (s Spans) String() string {
	if (s.A == Span{} || s.B == Span{}) {
		return s.A.String() + s.B.String()
	}
	return s.A.String() + " / " + s.B.String()
}

// join returns the smallest span that covers both.
func (s Span) join(t Span) Span {
	switch {
	case s == Span{}:
		return t
	case t == Span{}:
		return s
	}
	return Span{min(s.First, t.First), max(s.Last, t.Last)}
}

// Allowed holds differences that were reviewed and accepted, read from a file in the format of WriteText.
// An entry is a heading (@@ … @@) with the lines below it. It accepts a difference under that heading if
// the difference has no other lines; a heading without lines accepts any. Event ids are ignored. Lines that
// begin with # are comments.
type Allowed struct {
	entries [][]AllowedLine // each with its heading, without event ids, first
}

// AllowedLine is one line of an entry. In Result.Unused a heading stands for its whole entry.
type AllowedLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	used bool
}

// Patterns of a heading, and of the lines that a diff prints outside its differences.
const (
	headingLine = `^@@ (.*?)(?:, #\d+(?:-#\d+)?(?: / #\d+(?:-#\d+)?)?)? @@$`
	aroundLine  = `^(|#.*|--- .*\t.*|\+\+\+ .*\t.*|(?:\d+ differences?|the same|no difference found|differences not shown|not known|note|not counted|accepted|not met|not asked for)[:;] .*)$`
)

// maxAllowed bounds the length of a line in a file of accepted differences, in bytes.
const maxAllowed = 1 << 20

// ReadAllowed reads a file of accepted differences. The error names the first line that is not in the
// format of WriteText.
func ReadAllowed(name string, r io.Reader) (*Allowed, error) {
	a := &Allowed{}
	name = replay.Printable(name)
	heading, around := regexp.MustCompile(headingLine), regexp.MustCompile(aroundLine)
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxAllowed)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSuffix(in.Text(), "\r")
		within := len(a.entries) > 0
		switch m := heading.FindStringSubmatch(line); {
		case m != nil:
			a.entries = append(a.entries, []AllowedLine{{File: name, Line: n, Text: m[1]}})
		case around.MatchString(line):
		case within && strings.ContainsRune("-+ ", rune(line[0])):
			if e := &a.entries[len(a.entries)-1]; counts(line) {
				line, _, _ = strings.Cut(line, "\t")
				*e = append(*e, AllowedLine{File: name, Line: n, Text: line})
			}
		default:
			return nil, fmt.Errorf("line %d: %s: not what a diff prints", n, quote(line[:min(len(line), 64)]))
		}
	}
	return a, in.Err()
}

// counts reports whether a printed line is part of the difference itself. Lines of both sides and those
// that list other calls with the same difference are not.
func counts(line string) bool { return line[0] != ' ' || strings.HasPrefix(line, " "+more) }

// Accept moves the differences that a accepts from Differences to Accepted, and adds the lines of a that
// matched none to Unused.
func (r *Result) Accept(a *Allowed) {
	r.Differences = slices.DeleteFunc(r.Differences, func(d *Difference) bool {
		title := d.like(d.title())
		took := slices.ContainsFunc(a.entries, func(e []AllowedLine) bool { return title(e[0].Text) && accepts(e, d) })
		if took {
			r.Accepted = append(r.Accepted, d)
		}
		return took
	})
	for _, e := range a.entries {
		heading := e[0]
		if heading.Text == latencyHeading {
			continue
		}
		if !heading.used {
			heading.Text = "@@ " + heading.Text + " @@"
			e = []AllowedLine{heading}
		}
		for _, l := range e {
			if !l.used {
				l.Text = replay.Printable(l.Text)
				r.Unused = append(r.Unused, l)
			}
		}
	}
}

// like returns a function that reports whether another text equals this text of the difference, ignoring
// the names that vary between runs.
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

// accepts reports whether an entry whose heading matches has every line of a difference, as often as it
// occurs, or has no lines at all. It marks the lines used.
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
