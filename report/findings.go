// SPDX-License-Identifier: Apache-2.0

package report

import (
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Bounds on what is kept in full, so that a report of any trace fits in memory and
// in a browser. What goes beyond them is counted, and said to be.
const (
	maxPrograms  = 64   // sections
	maxItems     = 24   // runs of events of one program outside any open
	maxSteps     = 400  // events of one item
	maxClaims    = 96   // claims of one program about dentries, not about one open
	maxDoubts    = 64   // kinds of doubt kept
	maxSubjects  = 16   // of one kind of doubt
	maxDamage    = 64   // damaged places named
	maxWalkSteps = 4096 // events of one open that are looked at
)

// Findings is everything a report says, computed once.
type Findings struct {
	Header       *schema.Header
	Footer       *schema.Footer // nil: the file was cut
	Events       uint64
	Lost         uint64
	Windows      []replay.Window
	Damage       []schema.Damage
	Void         *Reason // why nothing can be proven of the whole run; nil mostly
	Cut          bool
	Tally        Tally
	kept         uint64       // opens that left a missing name in the cache without inode, proven
	Unmet        []string     // of what was selected, that no path call is of
	Without      replay.Roles // left out on request
	Ablations    []Ablation   // what was proven with them and is not without
	labels       labels
	columns      [len(labels{})][schema.Exit + 1]schema.Columns // what the events have
	Attached     replay.Roles
	Programs     []*Program // in order of first event
	Omitted      uint64     // programs beyond the bound
	MorePrograms bool       // there are more of these than could be counted
	examples     [maxKinds]Example

	Forgotten uint64 // dentries forgotten: more were known at once than are remembered

	Doubts []Doubt // refuted and unproven claims, alike ones together; the first of them
}

// Columns are those that some event of the trace has.
func (f *Findings) Columns() (set schema.Columns) {
	for _, phases := range f.columns {
		for _, columns := range phases {
			set |= columns
		}
	}
	return set
}

// Doubt is a claim that is not proven, and how many of its kind are not for the same reason.
type Doubt struct {
	Claim    Claim // the first of them
	Count    uint64
	Subjects []string // different ones, the first of them
	Others   bool     // there are more

	several bool // the event that the reason is about is not the same in all
}

// Program is what the tasks of one name did.
type Program struct {
	Comm   string
	PID    uint32   // of the first of its processes
	Source []string // its code, line by line; empty when not known
	Stdout string

	Items    []*Item // in order of time; of the opens and other path calls those that were picked
	Opens    uint64
	Ended    uint64 // of the opens
	Failed   uint64 // of these, with an error
	Unshown  uint64 // of those of a kernel log, not kept
	Squeezed bool   // an open that was to be picked had no room
	Beyond   uint64 // events outside any open, not kept

	Processes     int
	MoreProcesses bool // there may be more
	Exits         []exits
	OtherExits    uint64

	Claims   []Claim // about dentries across opens: delete, move
	Unlisted uint64  // of these, not kept
	Tally    Tally

	kept         bool   // it has a section
	returned     uint64 // of its opens
	execs        uint64 // of its opens those of the file that an exec runs, which are that exec's
	opens, calls picked
	stretches    int // runs of events outside any open
}

// Item is one open with all within it, another path call, or a run of events outside any open.
type Item struct {
	Open   bool
	Op     string // of another path call what it is, "mkdir" or "walk of stat"; empty: an open or a run of events
	ID     uint64 // of another path call the event that it began with
	N      uint64 // which open of its program that ended it is, from 1
	Why    Pick   // why it was picked
	Took   uint64 // nanoseconds, of a call
	Alike  int    // later runs of events of its program with the same course, which are not kept
	Path   string
	TID    uint32
	Errno  int // of the call, 0: a file was opened, or it did what it was for
	Steps  []Step
	More   uint64 // events not kept
	Old    bool   // it came to a dentry that was there already, and allocated nothing
	Claims []Claim

	Unshown uint64 // claims not kept

	events int    // those of Steps, of which a call that is one event has two
	newest uint64 // id of the last event that was to be kept
	full   bool   // and there was no room for it
}

// stretch reports whether it is a run of events outside any open.
func (it *Item) stretch() bool { return !it.Open && it.Op == "" }

// Step is one event kept for the report.
type Step struct {
	Event schema.Event
	Enter uint64 // id of the entry, for an exit; 0 none
	Ref   Ref    // the dentry
}

// labels names every probe by role and phase, as its role where none was attached.
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

// Label is the kernel symbol that played the role in this run and which side of it
// was recorded, e.g. "__d_alloc return"; the role's name where none was attached.
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

// Example is the proven claim of a kind with the highest rank, of the whole run.
type Example struct {
	Claim Claim
	Comm  string
	rank  int // 0: there is none
}

// show keeps the claim where it ranks above the example of its kind; of equals the first is the example.
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
		*e = Example{c.own(cl), p.Comm, r}
	}
}

// example returns it; false where no claim of the kind is proven in the run.
func (f *Findings) example(k Kind) (*Example, bool) {
	e := &f.examples[k]
	return e, e.rank > 0
}
