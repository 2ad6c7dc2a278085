// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Kind is a kind of claim: its number in the order in which kinds are judged and printed.
type Kind uint8

// maxKinds is the bound of the numbers of kinds.
const maxKinds = 32

// kind describes a kind of claim as data, in one file per kind: when a claim is made and what it is about,
// the events that show it, the tests that speak against it in the order in which they are tried, its
// sentence and its lesson. The roles it needs follow from these.
//
// A kind that is judged very often has no operands and tests. It judges itself, and lists the roles it
// needs and its reasons.
type kind struct {
	make   func() kind
	number Kind
	name   string
	says   string // what a proven claim of the kind says

	// When a claim is made, by view.judge. Each of these may be nil.
	open          func(*view)                 // an open has ended
	event         func(*view)                 // the entry or the exit of one of the roles
	enters, exits replay.Roles                // the roles of event
	dentries      bool                        // event only sees events that are about a dentry
	line          func(*view, *Item, int)     // a complete item of a kernel log, and the index of one of its lines
	forget        func(*view, *replay.Object) // the state is about to forget a dentry
	end           func(*view)                 // the trace has ended

	shows []operand
	fails []test
	fill  func(*view, *Claim)       // completes the claim once its verdict is known
	then  func(*view, *Claim, bool) // keeps what later events need; the bool: the report kept the claim

	tell   func(*Claim, func(string) string) string // the sentence, with names quoted
	draw   func(*Claim, *Item) []string             // lines of a drawing; nil for none
	lesson func(*Claim, *Item) string               // a clause for the Learned line; empty if there is nothing new
	rank   func(*Claim, int) int                    // how much a proven claim with that many operands shows; nil: 1
	beside func(*page, *schema.Event) string        // its verdict beside an event of the roles that it looks at
	page   pageText

	walks   bool           // open is called for every walk of a path, not only for opens
	across  bool           // the claim is on a dentry, not on one open
	alone   bool           // the claim rests on one event, and losses do not affect it
	later   bool           // a later event decides the claim, even one that the claim is not about
	needs   replay.Roles   // a claim can only be proven if these are recorded; made adds others
	some    replay.Roles   // some claims can only be proven if these are recorded
	columns schema.Columns // a claim is only made if these are recorded, which an older recorder may not do
	reasons []*Reason      // in addition to those of the tests
}

// operand is an event that shows what a claim says, with its value.
type operand struct {
	needs replay.Roles // where the event is recorded; 0: the claim can do without it
	show  func(*view)  // adds the operand with view.term, if there is an event
}

// test is a check that speaks against a claim if it fails.
type test struct {
	whys  []*Reason    // the reasons it may return
	needs replay.Roles // roles without which a failure could not be seen
	fails func(*view) (*Reason, About)
}

// pageText is what a page says about a kind as a whole. The numbers are places among the texts of other
// kinds; 0: the page does not have the text.
type pageText struct {
	learnedAt int
	learned   func(*Findings, uint64) string // what the run shows by that many proven claims, at least one; empty: nothing
	lead      paragraph                      // for the list of examples
	probes    paragraph                      // why the kind needs its probes
}

// paragraph is an example, which is the highest-ranking proven claim of the kind, with a sentence before
// and after it.
type paragraph struct {
	at            int
	before, after string
	none          string // printed instead if no claim is proven
}

// table holds every kind by its number. It is filled by register while the program starts and is not written
// to later.
var table [maxKinds]*kind

// register adds a kind. It is made anew for every pass over a trace: the variables of the function hold
// what it remembers from one event to the next.
func register(make func() kind) Kind {
	k := made(make)
	if table[k.number] != nil {
		panic(fmt.Sprintf("%s and %s have one number", k.name, table[k.number].name))
	}
	table[k.number] = k
	return k.number
}

// made makes a kind. It adds to its needs those of its operands and tests and, unless the kind is told of
// every walk, the open.
func made(make func() kind) *kind {
	k := make()
	k.make = make
	if k.open != nil && !k.walks {
		k.needs |= opens
	}
	for _, o := range k.shows {
		k.needs |= o.needs
	}
	for _, t := range k.fails {
		k.needs |= t.needs
		k.reasons = append(k.reasons, t.whys...)
	}
	return &k
}

// allKinds returns every kind, by number.
func allKinds() []*kind {
	return slices.DeleteFunc(slices.Clone(table[:]), func(k *kind) bool { return k == nil })
}

// KindInfo is one row of the table of claims.
type KindInfo struct {
	Kind    Kind
	Name    string
	Says    string         // what a proven claim of the kind says
	Needs   replay.Roles   // a claim can only be proven if these are recorded
	Some    replay.Roles   // some claims can only be proven if these are recorded
	Of      replay.Roles   // some claims are only made if these are recorded: those on walks
	Alone   bool           // it rests on one event, and losses do not affect it
	Later   bool           // a later event decides it, even one that the claim is not about
	Columns schema.Columns // a claim is only made if these are recorded, which an older recorder may not do
	Reasons []*Reason      // why it may not be proven, in the order in which the reasons are tried
}

// Kinds returns every kind of claim, in the order in which they are printed.
func Kinds() []KindInfo {
	var out []KindInfo
	for _, k := range allKinds() {
		reasons := []*Reason{LateLoss, OtherLosses, DamagedFile}
		if !k.alone {
			reasons = append(reasons, NotAttached, NotCounted, FromLog, FromText, EventsLost)
		}
		for _, r := range k.reasons {
			if !slices.Contains(reasons, r) {
				reasons = append(reasons, r)
			}
		}
		some, of := k.some, replay.Roles(0)
		if k.needs.Has(schema.RoleKill) { // which is needed where a kill is only an attempt
			some |= replay.RolesOf(schema.RoleFree)
		}
		if k.walks { // an open needs its role; another walk its own and what looks up its last component
			some, of = some|opens, walks|naming
		}
		out = append(out, KindInfo{k.number, k.name, k.says, k.needs, some, of, k.alone, k.later, k.columns, reasons})
	}
	return out
}

func (k Kind) String() string { return table[k].name }

// Alone reports whether a claim of the kind rests on one event, so that losses do not affect it.
func (k Kind) Alone() bool { return table[k].alone }

// byRole holds the kinds by the role and phase of the events that they look at. A call that is recorded as
// one event is both its entry and its exit.
type byRole [len(labels{})][schema.Whole + 1][]*kind

// looking returns the kinds that look at events.
func looking(kinds []*kind) (out byRole) {
	for _, k := range kinds {
		for role := range out {
			enters, exits := k.enters.Has(schema.Role(role)), k.exits.Has(schema.Role(role))
			for phase, looks := range map[schema.Phase]bool{schema.Enter: enters, schema.Exit: exits, schema.Whole: enters || exits} {
				if looks {
					out[role][phase] = append(out[role][phase], k)
				}
			}
		}
	}
	return out
}

// allRoles is for a kind that follows a dentry through all its events.
const allRoles = ^replay.Roles(0)

// when returns a test whose reason is not about an event.
func when(why *Reason, fails func(*view) bool, needs ...schema.Role) test {
	return test{[]*Reason{why}, replay.RolesOf(needs...), func(v *view) (*Reason, About) {
		if fails(v) {
			return why, About{}
		}
		return nil, About{}
	}}
}

// by returns a test that fails if event returns an event; the reason is then about that event.
func by(why *Reason, event func(*view) uint64, needs ...schema.Role) test {
	return test{[]*Reason{why}, replay.RolesOf(needs...), func(v *view) (*Reason, About) {
		if id := event(v); id != 0 {
			return why, About{Event: id}
		}
		return nil, About{}
	}}
}
