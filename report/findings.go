// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is kept in full, so that the report of any trace fits in memory and in a browser. What
// exceeds them is counted, and the report says so.
const (
	maxPrograms  = 64   // programs with a section
	maxItems     = 24   // runs of events outside any open, of one program
	maxSteps     = 400  // events of one item
	maxClaims    = 96   // claims of one program on dentries, not on one open
	maxDoubts    = 64   // different doubts kept
	maxSubjects  = 16   // kept for one doubt
	maxDamage    = 64   // damaged places that are named
	maxWalkSteps = 4096 // events of one open that are looked at
)

// Findings holds everything a report says. It is computed once, by Judge.
type Findings struct {
	Header       *schema.Header
	Footer       *schema.Footer // nil: the file was cut
	Events       uint64
	Lost         uint64
	Windows      []replay.Window
	Damage       []schema.Damage
	Void         *Reason // why nothing can be proven in the whole run; usually nil
	Cut          bool
	Tally        Tally
	kept         uint64       // opens proven to have left a missing name in the cache without an inode
	Unmet        []string     // words of Options.Select that match no path call
	Without      replay.Roles // roles left out on request
	Ablations    []Ablation   // what was proven with these roles and is not without them
	labels       labels
	columns      [len(labels{})][schema.Exit + 1]schema.Columns // columns that the events have
	Attached     replay.Roles
	Programs     []*Program // in order of first event
	Omitted      uint64     // programs beyond maxPrograms
	MorePrograms bool       // there are more of these than were counted
	examples     [maxKinds]Example

	Forgotten uint64 // dentries forgotten because more were known at once than are remembered

	Doubts []Doubt // refuted and unproven claims, alike ones together, up to maxDoubts
}

// Columns returns the columns that some event of the trace has.
func (f *Findings) Columns() (set schema.Columns) {
	for _, phases := range f.columns {
		for _, columns := range phases {
			set |= columns
		}
	}
	return set
}

// Doubt is a claim that is not proven, with the number of claims of its kind that are not proven for the
// same reason.
type Doubt struct {
	Claim    Claim // the first of them
	Count    uint64
	Subjects []string // the first of the different ones
	Others   bool     // there are more

	several bool // the event that the reason is about is not the same in all of them
}

// Program holds what the tasks of one name did.
type Program struct {
	Comm   string
	PID    uint32   // of its first process
	Source []string // its code, line by line; empty if not known
	Stdout string

	Items    []*Item // in order of time; only those opens and other path calls that were picked
	Opens    uint64
	Ended    uint64 // of Opens
	Failed   uint64 // of Ended, those that returned an error
	Unshown  uint64 // opens of a kernel log that are not kept
	Squeezed bool   // there was no room for an open that was to be picked
	Beyond   uint64 // events outside any open that are not kept

	Processes     int
	MoreProcesses bool // there may be more
	Exits         []exits
	OtherExits    uint64

	Claims   []Claim // on dentries across opens: delete, move
	Unlisted uint64  // claims on dentries across opens that are not kept
	Tally    Tally

	kept         bool   // it has a section
	returned     uint64 // of Opens, those with a recorded exit
	execs        uint64 // of Opens, those of the file that an exec runs, which belong to the exec
	opens, calls picked
	stretches    int // runs of events outside any open
}

// Item is an open with everything inside it, another path call, or a run of events outside any open.
type Item struct {
	Open   bool
	Op     string // for another path call its kind, "mkdir" or "walk of stat"; empty: an open or a run of events
	ID     uint64 // for another path call the event at which it began
	N      uint64 // number among the program's opens that ended, from 1
	Why    Pick   // why it was picked
	Took   uint64 // duration of a call, in ns
	Alike  int    // number of later runs of events of the program with the same course, which are not kept
	Path   string
	TID    uint32
	Errno  int // of the call; 0: a file was opened, or the operation was done
	Steps  []Step
	More   uint64 // number of events not kept
	Old    bool   // it led to a dentry that existed before, and allocated nothing
	Claims []Claim

	Unshown uint64 // number of claims not kept

	events int    // number of events in Steps, where a call recorded as one event has two steps
	newest uint64 // id of the last event that keep was asked to keep
	full   bool   // there was no room for that event
}

// stretch reports whether it is a run of events outside any open.
func (it *Item) stretch() bool { return !it.Open && it.Op == "" }

// Step is one event kept for the report.
type Step struct {
	Event schema.Event
	Enter uint64 // for an exit the id of the entry; 0: none
	Ref   Ref    // the dentry
}

// labels holds the label of every probe by role and phase: the symbol, or the role's name if no probe was
// attached.
type labels [schema.RoleEnd][schema.Exit + 1]string

func newLabels(h *schema.Header) labels {
	var l labels
	for role := range l {
		for phase := range l[role] {
			l[role][phase] = schema.Role(role).Label() + phaseWord(schema.Phase(phase))
		}
	}
	for _, p := range h.GetProbe() {
		for _, phase := range p.Phases() {
			if p.Attached && l.known(p.Role, phase) {
				l[p.Role][phase] = replay.Symbol(p.Symbol) + phaseWord(phase)
			}
		}
	}
	return l
}

func (l *labels) known(r schema.Role, p schema.Phase) bool {
	return uint32(r) < uint32(len(l)) && uint32(p) < uint32(len(l[0]))
}

// Label returns the kernel symbol that played the role in this run, and which side of it was recorded, e.g.
// "__d_alloc return". It returns the role's name if no probe was attached.
func (f *Findings) Label(r schema.Role, p schema.Phase) string {
	if f.labels.known(r, p) {
		return f.labels[r][p]
	}
	return r.Label() + phaseWord(p)
}

func phaseWord(p schema.Phase) string {
	if p == schema.Exit {
		return " return"
	}
	return " entry"
}

// Example is the proven claim of a kind that ranks highest in the whole run.
type Example struct {
	Claim Claim
	Comm  string
	rank  int // 0: there is none
}

// show keeps the claim as the example of its kind if it outranks the present one; of equals the first
// stays.
func (c *collector) show(p *Program, cl *Claim) {
	e, rank := &c.f.examples[cl.Kind], table[cl.Kind].rank
	if p == nil || cl.Verdict != Proven || e.rank > 0 && rank == nil {
		return
	}
	r := 1
	if rank != nil {
		r = rank(cl, len(c.terms))
	}
	if r > e.rank {
		*e = Example{cl.with(c.terms), p.Comm, r}
	}
}

// example returns the example of a kind; false if no claim of the kind is proven in the run.
func (f *Findings) example(k Kind) (*Example, bool) {
	e := &f.examples[k]
	return e, e.rank > 0
}
