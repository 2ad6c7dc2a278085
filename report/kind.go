// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// Kind is what a claim is about: its number in the order in which kinds are looked at
// and printed.
type Kind uint8

// maxKinds bounds the numbers.
const maxKinds = 32

// kind is a kind of claim as data, in the one file that it has: when one is made and what
// it is about, which events show it, what speaks against it in the order in which that
// is looked at, its sentence and its lesson. What it needs follows from these.
//
// One that is judged very often has no operands and tests but judges itself, and names
// its needs and reasons.
type kind struct {
	number Kind
	name   string
	says   string // what a proven claim of the kind says

	// When it makes a claim, by view.judge. Each may be nil.
	open          func(*view)                 // an open has ended
	event         func(*view)                 // the entry or the exit of one of the roles
	enters, exits replay.Roles                // these
	dentries      bool                        // those of them alone that are about a dentry
	line          func(*view, *Item, int)     // a line of a kernel log, one of an item that is whole
	unreturned    func(*view, *unreturned)    // an open has no exit in the trace
	forget        func(*view, *replay.Object) // the state is about to forget a dentry
	end           func(*view)                 // the trace has ended

	shows []operand
	fails []test
	fill  func(*view, *Claim)       // what else the claim has, when its verdict is known
	then  func(*view, *Claim, bool) // what it leaves for later; whether it was kept in the report

	tell   func(*Claim, func(string) string) string // the sentence, with names quoted
	draw   func(*Claim, *Item) []string             // lines of a drawing; nil for none
	lesson func(*Claim, *Item) string               // a clause of what was learned; empty for no news
	rank   func(*Claim, int) int                    // how much a proven one tells, with so many operands; 1 where there is none
	beside func(*page, *schema.Event) string        // its verdict beside an event of the roles it looks at
	page   pageText

	walks   bool           // open is told of every walk of a path, not of opens alone
	across  bool           // it is about a dentry, not about one open
	alone   bool           // it stands on one event, and no loss touches it
	later   bool           // a later event decides it, which may be no part of what it is about
	needs   replay.Roles   // without one of these it cannot be proven; those of operands and tests are added, and of a kind with open the open or the walk
	some    replay.Roles   // without one of these some of them cannot be proven
	columns schema.Columns // without one of these none is made, as of an older recorder
	reasons []*Reason      // beside those of tests
}

// operand is an event that shows what a claim says.
type operand struct {
	needs replay.Roles // where it is recorded; 0: the claim can do without
	show  func(*view)  // adds it, by term, where there is one
}

// test is something that speaks against a claim.
type test struct {
	whys  []*Reason    // what it may come to
	needs replay.Roles // without which it could not be seen
	fails func(*view) (*Reason, About)
}

// pageText is what a page says of a kind as a whole, each in its place among those of other
// kinds; 0: the page does not have it.
type pageText struct {
	learnedAt int
	learned   func(*Findings) string // what the run shows; empty: nothing
	lead      paragraph              // a paragraph
	probes    paragraph              // why it needs its probes
}

// paragraph is an example, the proven claim of the kind with the highest rank, with a sentence on
// either side.
type paragraph struct {
	at            int
	before, after string
	none          string // instead, where no claim is proven
}

// table is every kind by number, and makers what makes it. Each adds itself while the program
// starts, and nothing writes to them later.
var (
	table  [maxKinds]*kind
	makers [maxKinds]func() kind
)

// register adds a kind. It is made anew for every pass over a trace: what it remembers from
// one event to the next are variables of the function.
func register(make func() kind) Kind {
	k := made(make)
	if table[k.number] != nil {
		panic(fmt.Sprintf("%s and %s have one number", k.name, table[k.number].name))
	}
	table[k.number], makers[k.number] = k, make
	return k.number
}

// made makes a kind, and adds what its operands and tests need, and the open that it is told of: one that is told of every walk needs that.
func made(make func() kind) *kind {
	k := make()
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

// allKinds is every kind, by number.
func allKinds() []*kind {
	return slices.DeleteFunc(slices.Clone(table[:]), func(k *kind) bool { return k == nil })
}

// KindInfo is one row of the table of claims.
type KindInfo struct {
	Kind    Kind
	Name    string
	Says    string         // what a proven claim of the kind says
	Needs   replay.Roles   // without one of these it cannot be proven
	Some    replay.Roles   // without one of these some of them cannot be proven
	Of      replay.Roles   // without one of these some of them are not made: on walks that no event of it would show, or to no end
	Alone   bool           // it stands on one event, and no loss touches it
	Later   bool           // a later event decides it, which may be no part of what it is about
	Columns schema.Columns // without one of these none is made, as of an older recorder
	Reasons []*Reason      // why it may not be proven, in the order in which that is looked at
}

// Kinds lists every kind of claim, in the order they are printed.
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
		if k.needs.Has(schema.RoleKill) { // where the symbol is an attempt
			some |= replay.RolesOf(schema.RoleFree)
		}
		if k.walks { // of an open it needs that, of another walk that and what looks its last component up
			some, of = some|opens, walks|naming
		}
		out = append(out, KindInfo{k.number, k.name, k.says, k.needs, some, of, k.alone, k.later, k.columns, reasons})
	}
	return out
}

func (k Kind) String() string { return table[k].name }

// Alone reports whether a claim of the kind stands on one event, and no loss touches it.
func (k Kind) Alone() bool { return table[k].alone }

// byRole are kinds by the role and phase of the events that they look at. A call that is one event is its entry
// and its exit at once.
type byRole [len(labels{})][schema.Whole + 1][]*kind

// looking lists the kinds that look at events.
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

// allRoles are the roles a kind looks at that follows a dentry through all its events.
const allRoles = ^replay.Roles(0)

// when is a test that needs no event to be about.
func when(why *Reason, fails func(*view) bool, needs ...schema.Role) test {
	return test{[]*Reason{why}, replay.RolesOf(needs...), func(v *view) (*Reason, About) {
		if fails(v) {
			return why, About{}
		}
		return nil, About{}
	}}
}

// by is a test that an event fails, which the reason is then about.
func by(why *Reason, event func(*view) uint64, needs ...schema.Role) test {
	return test{[]*Reason{why}, replay.RolesOf(needs...), func(v *view) (*Reason, About) {
		if id := event(v); id != 0 {
			return why, About{Event: id}
		}
		return nil, About{}
	}}
}
