// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/dtrec/dtrec/internal/plural"
	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
)

// gap is all stretches in which events of one role are missing for one reason.
type gap struct {
	first   replay.Window
	more    int    // stretches besides the first
	events  uint64 // in all of them
	unknown bool   // in some of them an unknown number
}

// gapsOf puts the stretches together, in the order in which the first of each was met.
func gapsOf(windows []replay.Window) (gaps []gap) {
	for _, w := range windows {
		i := slices.IndexFunc(gaps, func(g gap) bool { return g.first.Why == w.Why && g.first.Role == w.Role })
		if i < 0 {
			i = len(gaps)
			gaps = append(gaps, gap{first: w, more: -1})
		}
		g := &gaps[i]
		g.more++
		if g.unknown = g.unknown || w.Count == 0; g.events > math.MaxUint64-w.Count {
			w.Count = math.MaxUint64 - g.events
		}
		g.events += w.Count
	}
	return gaps
}

func (g *gap) text() string {
	count := plural.Of(g.events, "event")
	switch {
	case g.unknown && g.events > 0:
		count += " and an unknown number more"
	case g.unknown:
		count = "an unknown number of events"
	}
	if g.first.Role != schema.Role_ROLE_UNSPECIFIED {
		count += " of " + g.first.Role.Label()
	}
	where := fmt.Sprintf("from %d ns to %s", g.first.First, endOf(g.first.Last))
	if g.more > 0 {
		where = fmt.Sprintf("in %d stretches, the first %s", g.more+1, where)
	}
	return fmt.Sprintf("%s (%s), %s", count, g.first.Why, where)
}
