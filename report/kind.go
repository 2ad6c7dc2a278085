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

	// It makes a claim, by view.judge, of every open that has ended, or of an event: the
	// entry or the exit of one of the roles.
	open          func(*view)
	event         func(*view)
	enters, exits replay.Roles

	shows []operand
	fails []test
	fill  func(*view, *Claim)       // what else the claim has, when its verdict is known
	then  func(*view, *Claim, bool) // what it leaves for later; whether it was kept in the report

	tell   func(*Claim, func(string) string) string // the sentence, with names quoted
	draw   func(*Claim, *Item) []string             // lines of a drawing; nil for none
	lesson func(*Claim, *Item) string               // a clause of what was learned; empty for no news
	rank   func(*Claim, int) int                    // how much a proven one tells, with so many operands; 1 where there is none

	across  bool         // it is about a dentry, not about one open
	alone   bool         // it stands on one event, and no loss touches it
	needs   replay.Roles // without one of these it cannot be proven; those of operands and tests are added
	some    replay.Roles // without one of these some of them cannot be proven
	reasons []*Reason    // beside those of tests
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

// table is every kind by number. Each adds itself while the program starts, and nothing
// writes to it later.
var table [maxKinds]*kind

// register adds a kind to the table.
func register(k kind) Kind {
	if table[k.number] != nil {
		panic(fmt.Sprintf("%s and %s have one number", k.name, table[k.number].name))
	}
	for _, o := range k.shows {
		k.needs |= o.needs
	}
	for _, t := range k.fails {
		k.needs |= t.needs
		k.reasons = append(k.reasons, t.whys...)
	}
	table[k.number] = &k
	return k.number
}

// KindInfo is one row of the table of claims.
type KindInfo struct {
	Kind    Kind
	Name    string
	Says    string       // what a proven claim of the kind says
	Needs   replay.Roles // without one of these it cannot be proven
	Some    replay.Roles // without one of these some of them cannot be proven
	Alone   bool         // it stands on one event, and no loss touches it
	Reasons []*Reason    // why it may not be proven, in the order in which that is looked at
}

// Kinds lists every kind of claim, in the order they are printed.
func Kinds() []KindInfo {
	var out []KindInfo
	for _, k := range table {
		if k == nil {
			continue
		}
		reasons := []*Reason{LateLoss, OtherLosses, DamagedFile}
		if !k.alone {
			reasons = append(reasons, NotAttached, NotCounted, FromLog, EventsLost)
		}
		for _, r := range k.reasons {
			if !slices.Contains(reasons, r) {
				reasons = append(reasons, r)
			}
		}
		out = append(out, KindInfo{k.number, k.name, k.says, k.needs, k.some, k.alone, reasons})
	}
	return out
}

func (k Kind) String() string { return table[k].name }

// looking lists the kinds that look at events, by role and phase.
func looking() (out [schema.RoleCall + 1][schema.Exit + 1][]*kind) {
	for _, k := range table {
		for role := range out {
			if k != nil && k.enters.Has(schema.Role(role)) {
				out[role][schema.Enter] = append(out[role][schema.Enter], k)
			}
			if k != nil && k.exits.Has(schema.Role(role)) {
				out[role][schema.Exit] = append(out[role][schema.Exit], k)
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
