// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/report/md"
)

// rule says how the opens that are shown were chosen, where there are others.
func (p *page) rule(prog *Program, chosen []*Item, key *Item) {
	if key != nil && !slices.Contains(chosen, key) {
		chosen = append(slices.Clone(chosen), key)
	}
	shown, picked := uint64(0), uint64(0)
	var why Pick
	for _, it := range prog.Items {
		if it.Open {
			picked++
		}
	}
	for _, it := range chosen {
		if it.Open {
			shown++
			why |= it.Why
		}
	}
	if shown == prog.Ended {
		return
	}
	rules := why.rules(true)
	if prog.Squeezed || shown < picked {
		rules = append(rules, "as far as there is room")
	}
	op := "open"
	if prog.executes {
		op += ",exec" // of which the open of its file is a part
	}
	p.line("%d of its opens %s shown%s; %d more %s counted in the verdicts: %s", shown, are(shown), chosenBy(rules), prog.Ended-shown, are(prog.Ended-shown),
		md.Span(replay.CommandLine([]string{"dtrec", "replay", "--op", op, "--comm", prog.Comm, "FILE"})))
}

// rules are those by which opens were picked, or other path calls.
func (why Pick) rules(opens bool) (rules []string) {
	for _, r := range picks {
		switch {
		case why&r.why == 0:
		case r.why == PickFailed && !opens:
			rules = append(rules, "the first of each operation with each errno")
		default:
			rules = append(rules, r.rule)
		}
	}
	return rules
}

// otherCalls says how many path calls that are no opens are shown, and how they were chosen.
func (p *page) otherCalls(prog *Program, chosen []*Item) {
	shown, why := uint64(0), Pick(0)
	for _, it := range chosen {
		if it.Op != "" {
			shown++
			why |= it.Why
		}
	}
	if shown > 0 {
		p.line("Of its other path calls %d %s shown%s; all: %s", shown, are(shown), chosenBy(why.rules(false)),
			md.Span(replay.CommandLine([]string{"dtrec", "replay", "--comm", prog.Comm, "FILE"})))
	}
}

func chosenBy(rules []string) string {
	if len(rules) == 0 {
		return ""
	}
	return ": " + strings.Join(rules, ", ")
}

func are(n uint64) md.Literal {
	if n == 1 {
		return "is"
	}
	return "are"
}
