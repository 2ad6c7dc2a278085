// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Verdict is what the events allow one to say about a claim.
type Verdict uint8

// A claim is proven or refuted by events that are cited, or unproven for a reason
// that is given.
const (
	Unproven Verdict = iota
	Proven
	Refuted
	verdicts
)

func (v Verdict) String() string { return [...]string{"unproven", "proven", "refuted"}[v] }

// Term is one operand: a value and the event that recorded it.
type Term struct {
	Label string // the probe at which it was read, e.g. "__d_alloc return"
	Value uint64 // an address, or a number where the label says so
	Event uint64 // id of the event that recorded it
	Comm  string // name of the task
}

// Claim is a statement with its operands and its verdict.
type Claim struct {
	Kind    Kind
	Verdict Verdict
	Why     *Reason // why unproven or refuted; nil when proven
	About   About   // what the reason is about
	Subject string  // the path, or the name of the dentry
	Object  Ref     // the dentry it is about; Seq 0: none
	Other   Ref     // eviction: the dentry before; hard link: the other dentry; race: the one that lost
	Terms   []Term
	Left    Term   // subtraction: Left.Value - Right.Value = Result
	Right   Term   // zero Label: no subtraction
	Result  uint64 // bytes, or what Means says
	Means   string // what the result is, e.g. `length of "/tmp/"`
	Note    Note   // what else the events show
	Detail  Detail // what only claims of its kind have; nil: nothing
}

// Note says in words what else the events show.
type Note struct {
	Text  string // empty: no note
	Event uint64 // appended to Text, as #17; 0: no event
}

func (n Note) String() string {
	if n.Event == 0 {
		return n.Text
	}
	return n.Text + "#" + strconv.FormatUint(n.Event, 10)
}

// Detail is what claims of one kind have in addition. Each kind has its own type.
type Detail interface {
	clone() Detail // a copy for a claim that is kept
	bytes() int    // approximate size of that copy
}

// Clone returns a copy of the claim that stays valid when the next claim is judged.
func (cl *Claim) Clone() Claim {
	out := *cl
	out.Subject, out.Terms = strings.Clone(cl.Subject), slices.Clone(cl.Terms)
	if out.Detail != nil {
		out.Detail = out.Detail.clone()
	}
	return out
}

// Ref names a dentry by its number in order of first sight, printed as D12, and its address.
type Ref = replay.ObjectRef

func ref(d *replay.Object) Ref {
	if d == nil {
		return Ref{}
	}
	return Ref{Seq: d.Seq, Addr: d.Addr}
}

// Tally counts verdicts by kind of claim.
type Tally [maxKinds][verdicts]uint64

// Total returns how many claims have the verdict.
func (t *Tally) Total(v Verdict) uint64 {
	var n uint64
	for k := range t {
		n += t[k][v]
	}
	return n
}

// Says returns the claim as a sentence: its operands with the ids of their events, and its arithmetic, in
// plain text with names quoted by q.
func (cl *Claim) Says(q func(string) string) string {
	says := table[cl.Kind].tell(cl, q)
	if cl.Note.Text != "" {
		says += "; " + cl.Note.String()
	}
	return says
}

// Subtraction returns the text "Left − Right = 0xhex = decimal".
func (cl *Claim) Subtraction() string {
	return fmt.Sprintf("%s − %s = %#x = %d", cl.Left.says(false), cl.Right.says(false), cl.Result, cl.Result)
}

// equals returns the operands that hold an address as a chain of equalities, followed by those that hold an
// error or NULL. With tasks, each address names the task that caused its event.
func equals(terms []Term, tasks bool) string {
	var same, rest []string
	for _, t := range terms {
		switch {
		case schema.Errno(t.Value) != 0:
			rest = append(rest, fmt.Sprintf("%s %s (#%d)", t.Label, schema.ErrnoText(schema.Errno(t.Value)), t.Event))
		case t.Value == 0:
			rest = append(rest, fmt.Sprintf("%s NULL (#%d)", t.Label, t.Event))
		default:
			same = append(same, t.says(tasks))
		}
	}
	if len(same) > 0 {
		rest = append([]string{strings.Join(same, " = ")}, rest...)
	}
	return strings.Join(rest, "; ")
}

// oneByOne lists operands that belong to different dentries, without equating them.
func oneByOne(terms []Term) string {
	var at []string
	for _, t := range terms {
		at = append(at, t.says(false))
	}
	return strings.Join(at, ", ")
}

// says returns the value with its label and event and, if task is set, the name of the task that caused it.
func (t *Term) says(task bool) string {
	by := ""
	if task && t.Comm != "" {
		by = " by " + replay.Printable(t.Comm)
	}
	return fmt.Sprintf("%#x (%s, #%d%s)", t.Value, t.Label, t.Event, by)
}

// Reason is why a claim is unproven or refuted. Reasons that several kinds of claim share are declared
// here, all others in the file of their kind. Two reasons are the same if they are the same variable.
type Reason struct {
	Verdict Verdict // Unproven or Refuted
	Text    string  // as printed; %s stands for the About
	// Unseen marks a reason that lies only in the recording, which lacks a probe, a count of missed hits,
	// events, or what happened before it began.
	Unseen bool
}

// What the recording lacks. The first five apply to every claim that a loss can affect, the next three to
// every claim.
var (
	NotAttached = &Reason{Unproven, "probe not attached: %s", true}
	NotCounted  = &Reason{Unproven, "this kernel does not count missed hits: %s", true}
	FromLog     = &Reason{Unproven, "a kernel log does not name threads, nor say which events it lacks", true}
	FromText    = &Reason{Unproven, "the text of a trace buffer does not say which hits it lacks", true}
	EventsLost  = &Reason{Unproven, "events lost in the window: %s", true}

	LateLoss    = &Reason{Unproven, "a loss became known only after later events had been judged", true}
	OtherLosses = &Reason{Unproven, "the footer's counts of events and losses do not match the file", false}
	DamagedFile = &Reason{Unproven, "the file is damaged, and it has no footer that says what it held", false}
)

// What is not known about a dentry or an open.
var (
	MissedEnd     = &Reason{Unproven, "its memory was given back or handed out again at #%s and no kill was recorded", false}
	Unwatched     = &Reason{Unproven, "the watch set had no room for it at #%s: its end may not have been seen", true}
	Forgotten     = &Reason{Unproven, "more dentries were known at once than dtrec remembers: it, or what was known of it, was forgotten", true}
	Contradicted  = &Reason{Unproven, "the events contradict each other: %s", false}
	MaybeKilled   = &Reason{Unproven, "it is not known whether dentry_kill at #%s ended it", false}
	AfterItsEnd   = &Reason{Unproven, "it had already been killed at #%s", false}
	CutName       = &Reason{Unproven, "the name could not be read whole", false}
	OtherName     = &Reason{Unproven, "the dentry has another name", false}
	TooManyEvents = &Reason{Unproven, "the call has more events than dtrec looks at", false}
	TwoParents    = &Reason{Unproven, "a component was looked up under two dentries", false}
)

// About says what a reason is about: an event, a text such as a name, or both.
type About struct {
	Event uint64 // 0: none
	Text  string // as printed: names are escaped
}

// about returns the reason as printed. If several is set, the reason is printed for several claims whose
// events differ, so the event is left out, or replaced by "…".
func (r *Reason) about(a About, several bool) string {
	if r == nil {
		return ""
	}
	what := a.Text
	switch {
	case several && what == "":
		what = "…"
	case a.Event == 0 || several:
	case what == "":
		what = strconv.FormatUint(a.Event, 10)
	default:
		what = "at #" + strconv.FormatUint(a.Event, 10) + " " + what
	}
	return strings.Replace(r.Text, "%s", what, 1)
}

// verdict returns the verdict that the reason gives a claim; Proven for a nil reason.
func (r *Reason) verdict() Verdict {
	if r == nil {
		return Proven
	}
	return r.Verdict
}
