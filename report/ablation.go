// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/dtrec/dtrec/replay"
)

// Ablation is what one program loses of one kind of claim when roles are left out.
type Ablation struct {
	Program string `json:"program"` // "": all of them
	Kind    string `json:"kind"`
	With    uint64 `json:"with"`    // claims proven when everything that was recorded is read
	Without uint64 `json:"without"` // claims still proven
	Missed  string `json:"missed"`  // what the fallen ones lack
}

// ablations compares the tallies, program by program and in all.
func ablations(whole, part *Findings, roles replay.Roles) []Ablation {
	var out []Ablation
	add := func(program string, a, b *Tally) {
		for _, k := range Kinds() {
			if with, without := a[k.Kind][Proven], b[k.Kind][Proven]; with > without {
				out = append(out, Ablation{program, k.Name, with, without, missed(k, a[k.Kind], b[k.Kind], roles)})
			}
		}
	}
	kept := make(map[string]*Tally)
	for _, p := range part.Programs {
		kept[p.Comm] = &p.Tally
	}
	for _, p := range whole.Programs {
		t := kept[p.Comm]
		if t == nil {
			t = &Tally{}
		}
		add(p.Comm, &p.Tally, t)
	}
	add("", &whole.Tally, &part.Tally)
	return out
}

// missed says what the fallen claims of a kind lack: a probe they need, or the very
// events they would be about.
func missed(k KindInfo, whole, part [verdicts]uint64, roles replay.Roles) string {
	unmade := int64(whole[Proven]+whole[Refuted]+whole[Unproven]) - int64(part[Proven]+part[Refuted]+part[Unproven])
	needs := (k.Needs | k.Some) & roles
	switch {
	case unmade > 0 && needs != 0:
		return fmt.Sprintf("%s; %d have no event to stand on", NotAttached.about(About{Text: roleNames(needs)}, false), unmade)
	case unmade > 0:
		return fmt.Sprintf("%d have no event to stand on", unmade)
	case needs != 0:
		return NotAttached.about(About{Text: roleNames(needs)}, false)
	}
	return "events of " + roleNames(roles)
}
